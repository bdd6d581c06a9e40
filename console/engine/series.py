"""Measurements of one artifact over time as a client keeps them: what charts and summaries read."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable

from console.records import GAUGES, METRICS, RATES, Marker, Quantiles, SeriesBins, SeriesChunk, SeriesPosition

_SECOND = 1.0
_LOOK_BACK = 5


class _Bins:
    """Bins of one width: the finished ones from number `first` on, and the one in progress."""

    def __init__(self) -> None:
        self.first = 0
        self.current = 0
        self.kept = 0
        self.columns: dict[str, array[float]] = {name: array("f") for name in METRICS}
        self.progress: tuple[float | None, ...] = (None,) * len(METRICS)

    @property
    def last(self) -> int:
        """The number of the newest finished bin, -1 while there is none."""
        return self.first + len(self.columns[METRICS[0]]) - 1

    def take(self, new: SeriesBins) -> None:
        """Add what was finished, and forget what nobody keeps."""
        values = array("f", new.values)
        count = len(values) // len(METRICS)
        if new.first != self.last + 1:
            self.first, self.columns = new.first, {name: array("f") for name in METRICS}
        gone = max(0, new.kept - self.first)
        for number, column in enumerate(self.columns.values()):
            column.extend(values[number * count : (number + 1) * count])
            del column[:gone]
        self.first += gone
        self.current, self.kept, self.progress = new.current, new.kept, new.progress

    def value(self, metric: str, index: int) -> float | None:
        """The value of a finished bin; None for a gap and for what is not kept."""
        if not self.first <= index <= self.last:
            return None
        value = self.columns[metric][index - self.first]
        return None if math.isnan(value) else value


class Series:
    """Measurements as the last chunk left them; its clock stands still between two chunks."""

    def __init__(self) -> None:
        self._chunk: SeriesChunk | None = None
        self._bins: dict[float, _Bins] = {}
        self.ended_at: float | None = None
        """When the worker that was measured ended; None while there is one."""

    def wanted(self, widths: Iterable[float]) -> tuple[SeriesPosition, ...]:
        """The positions to ask for what comes after, of these widths beside those of a second."""
        return tuple(SeriesPosition(one, self._last(one)) for one in {_SECOND: None, **dict.fromkeys(widths)})

    def _last(self, width: float) -> int:
        return self._bins[width].last if width in self._bins else -1

    def take(self, chunk: SeriesChunk) -> bool:
        """Add a chunk; whether it goes on where this series ends, and is not of another one."""
        if self._chunk is not None and chunk.serial != self._chunk.serial:
            return False
        self._chunk, self.ended_at = chunk, chunk.ended
        for new in chunk.bins:
            self._bins.setdefault(new.seconds, _Bins()).take(new)
        return True

    @property
    def calls(self) -> int:
        """Requests that were answered."""
        return 0 if self._chunk is None else self._chunk.calls

    def clock(self) -> float:
        """The moment of the last chunk."""
        return 0.0 if self._chunk is None else self._chunk.clock

    def index(self, seconds_per_bin: float, at: float | None = None) -> int:
        """The number of the bin that covers `at` (now, if not given)."""
        return int((self.clock() if at is None else at) * 10) // round(seconds_per_bin * 10)

    def bins(self, metric: str, width: int, seconds_per_bin: float, end: int | None = None) -> list[float | None]:
        """The values of the `width` bins before bin number `end` (the bin in progress, if not given); None is a gap."""
        known = self._bins.get(seconds_per_bin)
        if known is None:
            return [None] * width
        end = known.current if end is None else end
        values = [known.value(metric, index) for index in range(end - width, min(end, known.current))]
        if end > known.current:
            values += [known.progress[METRICS.index(metric)], *[None] * (end - known.current - 1)][-width:]
        return values

    def latest(self, metric: str) -> float | None:
        """The current value: the last reading of a gauge, else the value of the last second that has one."""
        if metric in GAUGES:
            return None if self._chunk is None else self._chunk.latest[GAUGES.index(metric)]
        back = 1 if metric in RATES else _LOOK_BACK
        for found in reversed(self.bins(metric, back, _SECOND)):
            if found is not None:
                return found
        return self._bins[_SECOND].progress[METRICS.index(metric)] if _SECOND in self._bins else None

    def recent(self) -> Quantiles | None:
        """Quantiles of the worker's time over the last second that has calls."""
        p50, p90, p99, highest = (self.latest(f"worker.{name}") for name in ("p50", "p90", "p99", "max"))
        if p50 is None or p90 is None or p99 is None or highest is None:
            return None
        return Quantiles(p50, p90, p99, highest, round(self.latest("calls") or 0))

    def markers(self, start: float, end: float) -> list[Marker]:
        """Markers in `[start, end)`, oldest first."""
        known = () if self._chunk is None else self._chunk.markers
        return [marker for marker in known if start <= marker.at < end]

    def narrowest(self, seconds_per_bin: float, since: float | None) -> float:
        """The narrowest width that was fetched, from this one on, whose bins are kept as far back as `since`; else the
        widest."""
        if since is None:
            return seconds_per_bin
        wide = sorted(width for width in self._bins if width >= seconds_per_bin)
        kept = (width for width in wide if self.index(width, since) >= self._bins[width].kept)
        return next(kept, wide[-1])

    def kept(self, seconds_per_bin: float) -> tuple[int, dict[str, array[float]]]:
        """The number of the newest finished bin of a width, and all that is kept of each metric up to it."""
        known = self._bins[seconds_per_bin]
        return known.last, {name: column[:] for name, column in known.columns.items()}
