"""Inspection: the static facts of an artifact, their cache, decryption, differences between contents."""
