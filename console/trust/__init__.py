"""Judgement: what may be loaded, on whose word, and the record of it."""
