"""How memory grows over the calls of a probe, with the doubt of that: what leaks shows before its limit is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from console.records import Growth
from console.records.words import CERTAIN

__all__ = ["Trend"]

MOST = 600
"""Readings that are kept; of more, every other one goes."""
LEAST = 18
BLOCKS = 20
"""Neighbouring readings are much alike, and a mean of several is nearly independent of the next one."""
WARM_UP = 0.25
"""The share of the readings that is left out at the beginning: caches fill, pages are touched for the first time."""
SEEN = 512 << 10
"""Bytes in all; a sound process gains less than this by the way its memory is laid out."""
PAGE = 4096

Claim = tuple[float, float]
"""Calls answered so far, and bytes."""


class Trend:
    """The readings of one run, and the straight line through them."""

    def __init__(self) -> None:
        self._readings: list[Claim] = []
        self._every = 1
        self._skipped = 0
        self._found: Growth | None = None
        self._fresh = True

    def add(self, calls: int, size: int) -> None:
        """One more reading."""
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self._readings.append((calls, size))
        self._fresh = False
        if len(self._readings) > MOST:
            self._readings = self._readings[::2]
            self._every *= 2

    def growth(self) -> Growth | None:
        """Bytes per call by least squares, after the warm-up; None where the readings are too few to tell."""
        if not self._fresh:
            self._found, self._fresh = _fitted(self._readings[int(len(self._readings) * WARM_UP) :]), True
        return self._found


def _fitted(readings: Sequence[Claim]) -> Growth | None:
    span = readings[-1][0] - readings[0][0] if readings else 0
    if len(readings) < LEAST or span <= 0:
        return None
    blocks = _blocks(readings)
    slope, error = _line(blocks)
    error = max(error, PAGE / span)
    half = len(blocks) // 2
    early, late = _line(blocks[:half])[0], _line(blocks[half:])[0]
    steady = early > 0 and late > early / 4 and slope * span >= SEEN
    return Growth(slope, error, len(readings), grows=steady and slope > CERTAIN * error)


def _blocks(readings: Sequence[Claim]) -> list[Claim]:
    """The means of neighbouring readings, in so many groups as can be."""
    count = min(BLOCKS, len(readings) // 3)
    edges = [round(index * len(readings) / count) for index in range(count + 1)]
    groups = [readings[low:high] for low, high in pairwise(edges)]
    return [(math.fsum(x for x, _ in one) / len(one), math.fsum(y for _, y in one) / len(one)) for one in groups]


def _line(points: Sequence[Claim]) -> tuple[float, float]:
    """Slope and its standard error by least squares; zeros where all points stand above one place."""
    count = len(points)
    mean_x, mean_y = math.fsum(x for x, _ in points) / count, math.fsum(y for _, y in points) / count
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if spread <= 0:
        return 0.0, 0.0
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = math.fsum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return slope, math.sqrt(left / max(1, count - 2) / spread)
