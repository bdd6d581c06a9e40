"""Time bins of one width: a ring of finished ones, kept as columns of numbers, and the one in progress.

A finished bin is written once and never changes. Bins are numbered from the clock's zero, so that bin `n` of width
`w` covers `[n*w, (n+1)*w)` in every recorder, and all charts move in step.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from console.monitor.histogram import Histogram
from console.records import METRICS, SeriesBins
from console.records.metrics import READINGS

BASE_PER_SECOND = 10
"""Base bins in a second; every wider bin is a whole number of them."""

_NAN = math.nan


@dataclass(slots=True)
class Served:
    """The requests of other programs in one bin; `faults` are the errors that the model is to blame for."""

    whole: Histogram = field(default_factory=Histogram)
    worker: Histogram = field(default_factory=Histogram)
    queue: Histogram = field(default_factory=Histogram)
    rows: int = 0
    batches: int = 0
    errors: int = 0
    faults: int = 0

    @property
    def batch(self) -> float:
        """Rows that the model was asked in the call that answered a request, on average."""
        return self.batches / self.whole.count if self.whole.count else _NAN

    def add(self, later: Served) -> None:
        """Take over what another bin holds."""
        self.whole.merge(later.whole)
        self.worker.merge(later.worker)
        self.queue.merge(later.queue)
        self.rows += later.rows
        self.batches += later.batches
        self.errors += later.errors
        self.faults += later.faults

    def summary(self, seconds: float) -> tuple[float, ...]:
        """One number for each of METRICS that is of requests."""
        return (
            *_durations(self.whole)[:3],
            *_durations(self.worker)[:3],
            _durations(self.queue)[2],
            self.batch,
            self.whole.count / seconds,
            self.rows / seconds,
            self.errors / seconds,
            self.faults / seconds,
        )


_NOT_SERVED = (_NAN,) * 12
"""The summary of requests where there was none."""


@dataclass(slots=True)
class Bin:
    """The measurements of one bin so far; of readings the highest, or the sum and their number, as their kind says."""

    worker: Histogram = field(default_factory=Histogram)
    round_trip: Histogram = field(default_factory=Histogram)
    rows: int = 0
    errors: int = 0
    readings: list[float] = field(default_factory=lambda: [_NAN] * len(READINGS))
    counts: list[int] = field(default_factory=lambda: [0] * len(READINGS))
    score: float = _NAN
    served: Served | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known of this stretch of time."""
        return not (self.worker.count or self.errors or self.served or any(self.counts))

    def gauge(self, values: Sequence[float]) -> None:
        """Take a value of each of READINGS; NaN where there is none."""
        self._take(values, [not math.isnan(value) for value in values])

    def _take(self, values: Sequence[float], counts: Sequence[int]) -> None:
        for place, (metric, _read) in enumerate(READINGS):
            if counts[place]:
                both = max if metric.kind == "peak" else operator.add
                known, value = self.readings[place], values[place]
                self.readings[place] = both(known, value) if self.counts[place] else value
                self.counts[place] += counts[place]

    def add(self, later: Bin) -> None:
        """Take over what a later and narrower bin holds."""
        self.worker.merge(later.worker)
        self.round_trip.merge(later.round_trip)
        self.rows += later.rows
        self.errors += later.errors
        self._take(later.readings, later.counts)
        if not math.isnan(later.score):
            self.score = later.score
        if later.served is not None:
            self.requested().add(later.served)

    def requested(self) -> Served:
        """Its requests, of which there is one at least."""
        if self.served is None:
            self.served = Served()
        return self.served

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
            *(
                value / max(1, number) if metric.kind == "mean" else value
                for (metric, _read), value, number in zip(READINGS, self.readings, self.counts, strict=True)
            ),
            self.score,
            *(_NOT_SERVED if self.served is None else self.served.summary(seconds)),
        )


class Level:
    """All bins of one width: the newest `capacity` finished ones and the one in progress."""

    def __init__(self, seconds: float, capacity: int) -> None:
        self.seconds = seconds
        self.base_bins = round(seconds * BASE_PER_SECOND)
        self.capacity = capacity
        self.open = Bin()
        self.before: tuple[int, Bin] | None = None
        """The newest finished bin with its number."""
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
            self.before = (self.open_index, self.open)
            self.open, self.open_index = Bin(), None

    def finished(self, metric: str, index: int) -> float | None:
        """The value of finished bin `index`; None for a gap and for what is no longer kept."""
        if metric not in self._columns or not self._written - self.capacity < index <= self._written:
            return None
        value = self._columns[metric][index % self.capacity]
        return None if math.isnan(value) else value

    def after(self, last: int, current: int, progress: tuple[float | None, ...]) -> SeriesBins:
        """The finished bins after number `last`, beside the one in progress; all of them where that is unknown."""
        kept = max(0, self._written - self.capacity + 1)
        first = last + 1 if kept <= last + 1 <= self._written + 1 else kept
        places = [index % self.capacity for index in range(first, self._written + 1)] if self._columns else []
        values = b"".join(self._values(name, places) for name in METRICS if places)
        return SeriesBins(self.seconds, first, current, kept, values, progress)

    def _values(self, metric: str, places: list[int]) -> array[float]:
        column = self._columns.get(metric)
        return array("f", [_NAN]) * len(places) if column is None else array("f", [column[place] for place in places])

    def _write(self, index: int, values: tuple[float, ...]) -> None:
        """Write a finished bin; a metric that was never measured has no column."""
        if not self._columns:
            self._written = index - 1
        for gap in range(max(self._written + 1, index - self.capacity + 1), index):
            for column in self._columns.values():
                column[gap % self.capacity] = _NAN
        for metric, value in zip(METRICS, values, strict=True):
            if metric not in self._columns and not math.isnan(value):
                self._columns[metric] = array("f", [_NAN]) * self.capacity
            if metric in self._columns:
                self._columns[metric][index % self.capacity] = value
        self._written = index


def _durations(histogram: Histogram) -> tuple[float, float, float, float]:
    if not histogram.count:
        return (_NAN,) * 4
    p50, p90, p99 = histogram.quantiles()
    return p50, p90, p99, histogram.highest
