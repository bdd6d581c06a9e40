"""Time bins of one width: a ring of finished ones, kept as columns of numbers, and the one in progress.

A finished bin is written once and never changes. Bins are numbered from the clock's zero, so that bin `n` of width
`w` covers `[n*w, (n+1)*w)` in every recorder, and all charts move in step.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

from console.monitor.histogram import Histogram
from console.records import METRICS, SeriesBins

BASE_PER_SECOND = 10
"""Base bins in a second; every wider bin is a whole number of them."""

_NAN = math.nan


@dataclass(slots=True)
class Bin:
    """One bin of measurements in progress. Gauges keep their highest reading, CPU its mean."""

    worker: Histogram = field(default_factory=Histogram)
    round_trip: Histogram = field(default_factory=Histogram)
    rows: int = 0
    errors: int = 0
    rss: float = _NAN
    pss: float = _NAN
    private: float = _NAN
    cpu_sum: float = 0.0
    cpu_count: int = 0
    score: float = _NAN

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known of this stretch of time."""
        return not (self.worker.count or self.errors or self.cpu_count) and math.isnan(self.rss)

    def gauge(self, rss: float, pss: float, private: float, cpu: float) -> None:
        """Take one reading; NaN where there is none."""
        self.rss, self.pss, self.private = (
            _higher(self.rss, rss),
            _higher(self.pss, pss),
            _higher(self.private, private),
        )
        if not math.isnan(cpu):
            self.cpu_sum += cpu
            self.cpu_count += 1

    def add(self, later: Bin) -> None:
        """Take over what a later and narrower bin holds."""
        self.worker.merge(later.worker)
        self.round_trip.merge(later.round_trip)
        self.rows += later.rows
        self.errors += later.errors
        self.rss, self.pss = _higher(self.rss, later.rss), _higher(self.pss, later.pss)
        self.private = _higher(self.private, later.private)
        self.cpu_sum += later.cpu_sum
        self.cpu_count += later.cpu_count
        if not math.isnan(later.score):
            self.score = later.score

    def summary(self, seconds: float) -> tuple[float, ...]:
        """One number for each of METRICS; NaN where nothing is known. `seconds` turns counts into rates."""
        if self.empty:
            return (_NAN,) * len(METRICS)
        return (
            *_durations(self.worker),
            *_durations(self.round_trip),
            self.worker.count / seconds,
            self.rows / seconds,
            self.errors / seconds,
            self.rss,
            self.pss,
            self.private,
            self.cpu_sum / self.cpu_count if self.cpu_count else _NAN,
            self.score,
        )


class Level:
    """All bins of one width: the newest `capacity` finished ones and the one in progress."""

    def __init__(self, base_bins: int, capacity: int) -> None:
        self.base_bins = base_bins
        self.seconds = base_bins / BASE_PER_SECOND
        self.capacity = capacity
        self.open = Bin()
        self.open_index: int | None = None
        self._columns: dict[str, array[float]] = {}
        self._written = -1

    def add(self, tick: int, part: Bin) -> None:
        """Take a finished base bin, number `tick`."""
        self.reach(tick)
        if self.open_index is None:
            self.open_index = tick // self.base_bins
        self.open.add(part)

    def reach(self, tick: int) -> None:
        """Finish the bin in progress if base bin `tick` lies behind it."""
        if self.open_index is not None and tick // self.base_bins > self.open_index:
            self._write(self.open_index, self.open.summary(self.seconds))
            self.open, self.open_index = Bin(), None

    def finished(self, metric: str, index: int) -> float | None:
        """The value of finished bin `index`; None for a gap and for what is no longer kept."""
        if not self._columns or not self._written - self.capacity < index <= self._written:
            return None
        value = self._columns[metric][index % self.capacity]
        return None if math.isnan(value) else value

    def keeps(self, index: int) -> bool:
        """Whether bin `index`, if there was one, has not been overwritten."""
        return index > self._written - self.capacity

    def kept(self) -> tuple[int, dict[str, array[float]]]:
        """The number of the newest finished bin, and what is kept of each metric in order, NaN for a gap; a copy."""
        start = (self._written + 1) % self.capacity
        return self._written, {metric: column[start:] + column[:start] for metric, column in self._columns.items()}

    def after(self, last: int, current: int, progress: tuple[float | None, ...]) -> SeriesBins:
        """The finished bins after number `last`, beside the one in progress; all of them where that is unknown."""
        kept = max(0, self._written - self.capacity + 1)
        first = last + 1 if kept <= last + 1 <= self._written + 1 else kept
        places = [index % self.capacity for index in range(first, self._written + 1)] if self._columns else []
        values = b"".join(array("f", [self._columns[name][place] for place in places]) for name in METRICS if places)
        return SeriesBins(self.seconds, first, current, kept, values, progress)

    def _write(self, index: int, values: tuple[float, ...]) -> None:
        if not self._columns:
            self._columns = {metric: array("f", [_NAN]) * self.capacity for metric in METRICS}
            self._written = index - 1
        for gap in range(max(self._written + 1, index - self.capacity + 1), index):
            for column in self._columns.values():
                column[gap % self.capacity] = _NAN
        for metric, value in zip(METRICS, values, strict=True):
            self._columns[metric][index % self.capacity] = value
        self._written = index


def _durations(histogram: Histogram) -> tuple[float, float, float, float]:
    if not histogram.count:
        return (_NAN,) * 4
    p50, p90, p99 = histogram.quantiles()
    return p50, p90, p99, histogram.highest


def _higher(one: float, other: float) -> float:
    if math.isnan(one):
        return other
    return one if math.isnan(other) or one > other else other
