"""The measurements of one artifact over time, kept over reloads; clients read them in chunks.

The clock is monotonic; its zero means nothing. Every quantity is kept in bins of nine widths, the narrow ones for
minutes, the wide ones for a day, some 0.7 MB at most in all. What comes late counts in the bin in progress.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

from console.monitor.bins import BASE_PER_SECOND, Bin, Level, Served
from console.monitor.counts import ProbeCounts
from console.records import (
    METRICS,
    RATES,
    WIDTHS,
    Marker,
    Memory,
    RequestOutcome,
    SeriesBins,
    SeriesChunk,
    SeriesPosition,
)
from console.records.metrics import READINGS

_CAPACITIES = (1200, 900, 900, 3600, 900, 900, 1200, 1440, 1440)
"""Finished bins that are kept of each of WIDTHS."""
_HOLD_TICKS = 10
_RECENT_S = 30.0
_NAN = math.nan
_serials = count(1)


class Recorder:
    """Takes calls, errors and readings, and gives out bins of time. Not for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._levels = {seconds: Level(seconds, most) for seconds, most in zip(WIDTHS, _CAPACITIES, strict=True)}
        self._bin = Bin()
        self._tick = int(clock() * BASE_PER_SECOND)
        self._held: tuple[float, ...] | None = None
        self._held_at = self._tick
        self._markers: deque[Marker] = deque(maxlen=256)
        self.serial = next(_serials)
        """Another one for each recorder."""
        self.calls = 0
        self.probed = ProbeCounts()
        self.ended_at: float | None = None
        """When the worker that was measured ended, by the recorder's clock; None while there is one."""

    def begun(self) -> None:
        """A worker is measured from now on."""
        self.ended_at = None

    def call(self, rows: int, worker_ms: float, round_trip_ms: float, score: float | None = None) -> None:
        """Count one answered request. `score` is the running accuracy (or other first score) at this moment."""
        self._advance()
        self._bin.worker.record(worker_ms)
        self._bin.round_trip.record(round_trip_ms)
        self._bin.rows += rows
        if score is not None:
            self._bin.score = score
        self.calls += 1
        self.probed.rows += rows
        self.probed.worker.add(worker_ms)
        self.probed.whole.add(round_trip_ms)

    def error(self) -> None:
        """Count one request that failed."""
        self._advance()
        self._bin.errors += 1
        self.probed.errors += 1

    def request(self, outcome: RequestOutcome) -> None:
        """Count one request of another program that was answered."""
        self._advance()
        served = self._bin.served or self._bin.requested()
        served.whole.record(outcome.total_ms)
        served.worker.record(outcome.model_ms)
        served.queue.record(outcome.queue_ms)
        served.rows += outcome.rows
        served.batches += outcome.batch or outcome.rows

    def request_error(self, *, fault: bool) -> None:
        """Count one that failed; `fault` = the model is to blame."""
        self._advance()
        served = self._bin.requested()
        served.errors += 1
        served.faults += fault

    def served(self) -> Served | None:
        """The requests of the last half minute to minute; None where there was none."""
        self._advance()
        level, found = self._levels[_RECENT_S], Served()
        current = self._tick // level.base_bins
        before = level.before[1] if level.before is not None and level.before[0] >= current - 1 else Bin()
        for part in (before, level.open, self._bin):
            if part.served is not None:
                found.add(part.served)
        return found if found.whole.count or found.errors else None

    def reading(self, memory: Memory, cpu: float | None = None) -> None:
        """Take one reading of the worker tree; `cpu` is in percent of one core. It holds until the next, up to 1 s."""
        self._advance()
        self._held = tuple(_number(read(memory, cpu)) for _metric, read in READINGS)
        self._held_at = self._tick
        self._bin.gauge(self._held)

    def gone(self) -> None:
        """The worker has ended: no reading holds any longer."""
        self._advance()
        self._held = None
        if self.ended_at is None:
            self.ended_at = self.clock()

    def mark(self, word: str) -> None:
        """Note that something happened now."""
        self._markers.append(Marker(self.clock(), word))

    def mean_rate(self, metric: str, seconds: int) -> float:
        """The mean of a rate over the last whole seconds; a gap counts as 0."""
        self._advance()
        level = self._levels[1.0]
        current = self._tick // level.base_bins
        return sum(level.finished(metric, index) or 0.0 for index in range(current - seconds, current)) / seconds

    def chunk(self, wanted: Iterable[SeriesPosition]) -> SeriesChunk:
        """Everything after these positions of the bins. Raises KeyError for another width."""
        self._advance()
        return SeriesChunk(
            self.serial,
            self.clock(),
            self.calls,
            self.ended_at,
            tuple(None if math.isnan(value) else value for value in self._held or (_NAN,) * len(READINGS)),
            tuple(self._markers),
            tuple(self._bins_after(position) for position in wanted),
        )

    def _bins_after(self, position: SeriesPosition) -> SeriesBins:
        level = self._levels[position.seconds]
        return level.after(position.last, self._tick // level.base_bins, self._progress(level))

    def _advance(self) -> None:
        tick = int(self.clock() * BASE_PER_SECOND)
        if tick == self._tick:
            return
        while self._tick < tick:
            if not self._bin.empty:
                for level in self._levels.values():
                    level.add(self._tick, self._bin)
                self._bin = Bin()
            self._tick += 1
            if self._held and self._tick < self._held_at + _HOLD_TICKS:
                self._bin.gauge(self._held)
            else:
                self._tick = tick
        for level in self._levels.values():
            level.reach(self._tick)

    def _progress(self, level: Level) -> tuple[float | None, ...]:
        """The value of each of METRICS in the bin in progress."""
        part = Bin()
        part.add(level.open)
        part.add(self._bin)
        return tuple(
            None if math.isnan(value) else self._whole(level, metric, value) if metric in RATES else value
            for metric, value in zip(METRICS, part.summary(level.seconds), strict=True)
        )

    def _whole(self, level: Level, metric: str, rate: float) -> float:
        """A rate of the bin in progress, completed with that of the bin before."""
        index = self._tick // level.base_bins
        elapsed = max(self.clock() - index * level.seconds, 1 / BASE_PER_SECOND)
        before = level.finished(metric, index - 1)
        if before is None:
            return rate * level.seconds / elapsed
        return rate + before * max(0.0, 1 - elapsed / level.seconds)


def _number(value: float | None) -> float:
    return _NAN if value is None else float(value)
