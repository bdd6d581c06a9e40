"""Versions: publishing, the journal behind it, recovery and history."""
