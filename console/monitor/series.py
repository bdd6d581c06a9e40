"""The measurements of one artifact over time, kept over reloads: what charts and summaries read.

The clock is monotonic; its zero means nothing. Every quantity is kept in bins of nine widths, the narrow ones for
minutes, the wide ones for a day, some 0.7 MB at most in all. What comes late counts in the bin in progress.
"""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

from console.monitor.bins import BASE_PER_SECOND, Bin, Level
from console.records import GAUGES, METRICS, RATES, Marker, Memory, Quantiles, SeriesBins, SeriesChunk, SeriesPosition
from console.records.metrics import READINGS

_LEVELS = {1: 1200, 2: 900, 5: 900, 10: 3600, 25: 900, 50: 900, 150: 1200, 300: 1440, 600: 1440}
WIDTHS = tuple(base / BASE_PER_SECOND for base in _LEVELS)
"""The widths of bins there are, in seconds."""

_HOLD_TICKS = 10
_LOOK_BACK = 5
_NAN = math.nan
_serials = count(1)


class Recorder:
    """Takes calls, errors and readings; answers with values by time. Not for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._levels = {base / BASE_PER_SECOND: Level(base, capacity) for base, capacity in _LEVELS.items()}
        self._bin = Bin()
        self._tick = int(clock() * BASE_PER_SECOND)
        self._held: tuple[float, ...] | None = None
        self._held_at = self._tick
        self._markers: deque[Marker] = deque(maxlen=256)
        self._summaries: dict[float, tuple[float, ...]] = {}
        self.serial = next(_serials)
        """Another one for each recorder."""
        self.calls = 0
        self.rows = 0
        self.errors = 0
        self.ended_at: float | None = None
        """When the worker that was measured ended, by the recorder's clock; None while there is one."""

    def begun(self) -> None:
        """A worker is measured from now on."""
        self.ended_at = None

    def call(self, rows: int, worker_ms: float, round_trip_ms: float, score: float | None = None) -> None:
        """Count one answered request. `score` is the running accuracy (or other first score) at this moment."""
        self._advance()
        self._summaries.clear()
        self._bin.worker.record(worker_ms)
        self._bin.round_trip.record(round_trip_ms)
        self._bin.rows += rows
        if score is not None:
            self._bin.score = score
        self.calls += 1
        self.rows += rows

    def error(self) -> None:
        """Count one request that failed."""
        self._advance()
        self._summaries.clear()
        self._bin.errors += 1
        self.errors += 1

    def reading(self, memory: Memory, cpu: float | None = None) -> None:
        """Take one reading of the worker tree; `cpu` is in percent of one core. It holds until the next, up to 1 s."""
        self._advance()
        held = tuple(_number(read(memory, cpu)) for _metric, read in READINGS)
        self._bin.gauge(held)
        self._summaries.clear()
        self._held, self._held_at = held, self._tick

    def gone(self) -> None:
        """The worker has ended: no reading holds any longer."""
        self._advance()
        self._held = None
        if self.ended_at is None:
            self.ended_at = self.clock()

    def mark(self, word: str) -> None:
        """Note that something happened now."""
        self._markers.append(Marker(self.clock(), word))

    def index(self, seconds_per_bin: float, at: float | None = None) -> int:
        """The number of the bin that covers `at` (now, if not given)."""
        tick = int((self.clock() if at is None else at) * BASE_PER_SECOND)
        return tick // self._levels[seconds_per_bin].base_bins

    def bins(self, metric: str, width: int, seconds_per_bin: float, end: int | None = None) -> list[float | None]:
        """The values of the `width` bins before bin number `end` (the bin in progress, if not given); None is a gap.

        The bin in progress can be asked for too; only it may change. `metric` is one of METRICS, `seconds_per_bin`
        one of WIDTHS; durations are milliseconds, `calls`, `rows` and `errors` are per second, memory is bytes.
        Raises KeyError for any other.
        """
        self._advance()
        level = self._levels[seconds_per_bin]
        current = self._tick // level.base_bins
        end = current if end is None else end
        values = [level.finished(metric, index) for index in range(end - width, min(end, current))]
        if end > current:
            values += [self._progress(level, metric), *[None] * (end - current - 1)][-width:]
        return values

    def latest(self, metric: str) -> float | None:
        """The current value: the last reading of a gauge, else the value of the last second that has one."""
        self._advance()
        if metric in GAUGES:
            value = self._held[GAUGES.index(metric)] if self._held else _NAN
            return None if math.isnan(value) else value
        back = 1 if metric in RATES else _LOOK_BACK
        for found in reversed(self.bins(metric, back, 1.0)):
            if found is not None:
                return found
        return self._progress(self._levels[1.0], metric)

    def recent(self) -> Quantiles | None:
        """Quantiles of the worker's time over the last second that has calls."""
        values = [self.latest(f"worker.{name}") for name in ("p50", "p90", "p99", "max")]
        p50, p90, p99, highest = values
        if p50 is None or p90 is None or p99 is None or highest is None:
            return None
        return Quantiles(p50, p90, p99, highest, round(self.latest("calls") or 0))

    def markers(self, start: float, end: float) -> list[Marker]:
        """Markers in `[start, end)`, oldest first."""
        return [marker for marker in self._markers if start <= marker.at < end]

    def narrowest(self, seconds_per_bin: float, since: float | None) -> float:
        """The narrowest width from this one on whose bins are kept as far back as `since`; else the widest."""
        if since is None:
            return seconds_per_bin
        wide = [width for width in WIDTHS if width >= seconds_per_bin]
        kept = (width for width in wide if self._levels[width].keeps(self.index(width, since)))
        return next(kept, wide[-1])

    def kept(self, seconds_per_bin: float) -> tuple[int, dict[str, array[float]]]:
        """The number of the newest finished bin of a width, and all that is kept of each metric up to it; a copy."""
        self._advance()
        return self._levels[seconds_per_bin].kept()

    def chunk(self, wanted: Iterable[SeriesPosition]) -> SeriesChunk:
        """Everything after these positions of the bins. Raises KeyError for another width."""
        self._advance()
        return SeriesChunk(
            self.serial,
            self.clock(),
            self.calls,
            self.rows,
            self.errors,
            self.ended_at,
            tuple(self.latest(name) for name in GAUGES),
            tuple(self._markers),
            tuple(self._bins_after(position) for position in wanted),
        )

    def _bins_after(self, position: SeriesPosition) -> SeriesBins:
        level = self._levels[position.seconds]
        progress = tuple(self._progress(level, metric) for metric in METRICS)
        return level.after(position.last, self._tick // level.base_bins, progress)

    def _advance(self) -> None:
        tick = int(self.clock() * BASE_PER_SECOND)
        if tick == self._tick:
            return
        self._summaries.clear()
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

    def _progress(self, level: Level, metric: str) -> float | None:
        """The value of the bin in progress; a rate is completed with that of the bin before."""
        value = self._open_summary(level)[METRICS.index(metric)]
        if math.isnan(value):
            return None
        if metric in RATES:
            index = self._tick // level.base_bins
            elapsed = max(self.clock() - index * level.seconds, 1 / BASE_PER_SECOND)
            before = level.finished(metric, index - 1)
            if before is None:
                return value * level.seconds / elapsed
            return value + before * max(0.0, 1 - elapsed / level.seconds)
        return value

    def _open_summary(self, level: Level) -> tuple[float, ...]:
        """The numbers of the bin in progress, kept until something is counted: several charts ask at once."""
        kept = self._summaries.get(level.seconds)
        if kept is None:
            part = Bin()
            part.add(level.open)
            part.add(self._bin)
            kept = self._summaries[level.seconds] = part.summary(level.seconds)
        return kept


def _number(value: float | None) -> float:
    return _NAN if value is None else float(value)
