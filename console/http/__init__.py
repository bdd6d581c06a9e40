"""Inference and metrics over HTTP: a process of its own that parses what strangers send, and a client of the engine."""
