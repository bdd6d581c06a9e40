"""Latency histogram with logarithmic buckets, after HdrHistogram: a bounded relative error at a bounded size.

A bucket is 2 % wide and answers with its geometric middle, so a quantile is within 1 % of the duration that has its
rank. Durations are milliseconds from 1 µs to 1 h; what lies outside counts in the outermost bucket.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from console.records import Quantiles

LOWEST_MS = 1e-3
HIGHEST_MS = 3.6e6
_STEP = math.log(1.02)
_LAST = int(math.log(HIGHEST_MS / LOWEST_MS) / _STEP)
_QUANTILES = (0.5, 0.9, 0.99)


class Histogram:
    """Counts durations; records in O(1), holds at most some 1,100 buckets, and two of them can be merged."""

    __slots__ = ("_buckets", "count", "highest", "lowest")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.lowest = math.inf
        self.highest = 0.0

    def record(self, milliseconds: float) -> None:
        """Count one duration. A negative one or NaN counts as the shortest there is."""
        value = milliseconds if milliseconds >= LOWEST_MS else LOWEST_MS
        index = _LAST if value >= HIGHEST_MS else int(math.log(value / LOWEST_MS) / _STEP)
        self._buckets[index] = self._buckets.get(index, 0) + 1
        self.count += 1
        if value < self.lowest:
            self.lowest = value
        if value > self.highest:
            self.highest = value

    def merge(self, other: Histogram) -> None:
        """Add what `other` has counted."""
        for index, count in other._buckets.items():
            self._buckets[index] = self._buckets.get(index, 0) + count
        self.count += other.count
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def quantiles(self, shares: Sequence[float] = _QUANTILES) -> tuple[float, ...]:
        """The durations of these ranks (0 < share <= 1, ascending); zeros when nothing was counted."""
        ranks = [math.ceil(share * self.count) for share in shares]
        found: list[float] = []
        seen = 0
        for index in sorted(self._buckets):
            seen += self._buckets[index]
            while len(found) < len(ranks) and seen >= ranks[len(found)]:
                middle = LOWEST_MS * math.exp((index + 0.5) * _STEP)
                found.append(min(max(middle, self.lowest), self.highest))
        return tuple(found) if self._buckets else tuple(0.0 for _ in ranks)

    def measured(self) -> Quantiles | None:
        """p50, p90, p99 and maximum; None when nothing was counted."""
        if not self.count:
            return None
        p50, p90, p99 = self.quantiles()
        return Quantiles(p50=p50, p90=p90, p99=p99, max=self.highest, count=self.count)
