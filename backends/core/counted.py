"""Counts in few figures, for what a model is in a few words."""

from __future__ import annotations


def counted(number: int) -> str:
    """A count in three figures: 810, 58.4k, 1.35M."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)
