"""Garbage is collected while nobody waits: looking at every object takes 30 to 80 ms, longer than a key may take."""

from __future__ import annotations

import gc

_DUE, _OVERDUE = 10, 60
"""Collections of the younger objects after which all are looked at: in a quiet moment, and at the latest."""


def begin() -> None:
    """What is there now stays until the end and is never looked at again; of the rest, the moment is chosen here."""
    gc.collect()
    gc.freeze()
    youngest, younger, _all = gc.get_threshold()
    gc.set_threshold(youngest, younger, _OVERDUE)


def look() -> None:
    """Collect if it is time to, in a moment that is good."""
    if gc.get_count()[2] >= _DUE:
        gc.collect()
