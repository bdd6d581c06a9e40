"""Updating: train, compare, gate, promote."""
