"""Garbage is collected while nobody waits: looking at every object takes 30 to 80 ms, longer than a key may take."""

from __future__ import annotations

import gc

_OBJECTS = 700
"""More objects than before by so many: the youngest are looked at."""
_DUE, _OVERDUE = 10, 60
"""Collections of the younger objects after which all are looked at: in a quiet moment, and at the latest."""
_AT_START = 50_000


def wait() -> None:
    """Leave garbage alone while all is built: hardly any of it can go."""
    gc.set_threshold(_AT_START, _DUE, _OVERDUE)


def begin() -> None:
    """What is there now stays until the end and is never looked at again; of the rest, the moment is chosen here."""
    gc.collect(1)
    gc.freeze()
    gc.set_threshold(_OBJECTS, _DUE, _OVERDUE)


def look() -> None:
    """Collect if it is time to, in a moment that is good."""
    if gc.get_count()[2] >= _DUE:
        gc.collect()
