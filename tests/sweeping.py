"""Points of a long sweep: one of several in the usual run, every one where MODEL_CONSOLE_EVERY_POINT is set."""

from __future__ import annotations

import os

EVERY = "MODEL_CONSOLE_EVERY_POINT"


def points(most: int, one_of: int) -> range:
    """The numbers of the points to try, from 1 to below `most`."""
    return range(1, most, 1 if os.environ.get(EVERY) else one_of)
