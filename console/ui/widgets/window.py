"""The stretch of time a chart shows: finished columns that are drawn once and kept, and the one in progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.engine.series import Series
from console.records import Marker
from console.ui.widgets.axis import Scale, Unit, highest_shown
from console.ui.widgets.plot import DOTS_WIDE, Cell, Ink, Trace, ascii_column, braille_column, runs

DOT_WIDTHS = (0.2, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0)
"""Seconds a dot may stand for, from zoomed in to zoomed out; two dots make a column."""

_LABEL_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_LABEL_CELLS = 11
_Moment = dict[str, "float | None"]


@dataclass(frozen=True, slots=True)
class Requests:
    """The part of a chart that is of requests of other programs: what is written large in place of the probe's."""

    value: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """The contents of a chart: `legend` pairs words with their inks; `value` is the metric written large.

    Where `requests` are drawn as well, the legend names both instead, as far as they are in sight.
    """

    id: str
    title: str
    unit: Unit
    traces: tuple[Trace, ...]
    legend: tuple[tuple[str, Ink], ...]
    value: str
    details: tuple[tuple[str, str], ...] = ()
    requests: Requests | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is drawn."""
        named = [name for trace in self.traces for name in (trace.metric, trace.to) if name]
        return tuple(dict.fromkeys(named))


class Window:
    """Columns of cells by number, ending with the one in progress. Knows nothing of widgets or colours."""

    def __init__(self, spec: ChartSpec, *, plain: bool = False) -> None:
        self.spec = spec
        self.plain = plain
        self.rows = 1
        self.columns = 1
        self.dot_seconds = 0.5
        self.end: int | None = None
        self.scale = Scale.fit(0.0, spec.unit, 1)
        self.live: list[Cell] = [(" ", Ink.NONE)]
        self.markers: tuple[Marker, ...] = ()
        self._dots: dict[int, _Moment] = {}
        self._cells: dict[int, list[Cell]] = {}

    @property
    def column_seconds(self) -> float:
        """How much time one column covers."""
        return self.dot_seconds * DOTS_WIDE

    @property
    def span(self) -> float:
        """How much time all finished columns cover, in seconds."""
        return self.columns * self.column_seconds

    @property
    def begins(self) -> float | None:
        """The moment that its first column begins with, by the clock of what is measured; None while it is empty."""
        return None if self.end is None else (self.end - self.columns) * self.column_seconds

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(value is None for moment in self._dots.values() for value in moment.values())

    @property
    def legend(self) -> tuple[tuple[str, Ink], ...]:
        """The words of the legend: which of probe and requests is in sight, where requests are."""
        requests = self.spec.requests
        if requests is None or not self._seen(requests.value):
            return self.spec.legend
        probe = (("probe", Ink.LINE),) if self._seen(self.spec.value) else ()
        return (*probe, ("requests", Ink.OTHER))

    def _seen(self, metric: str) -> bool:
        return any(moment.get(metric) for moment in self._dots.values())

    def resize(self, rows: int, columns: int) -> None:
        """Take a new size in cells."""
        if (rows, columns) != (self.rows, self.columns):
            self.rows, self.columns = max(1, rows), max(1, columns)
            self.clear()

    def zoom(self, dot_seconds: float) -> None:
        """Let a dot stand for one of DOT_WIDTHS."""
        if dot_seconds != self.dot_seconds:
            self.dot_seconds = dot_seconds
            self.clear()

    def clear(self) -> None:
        """Forget what was drawn, for other measurements, size or zoom."""
        self.end = None
        self._dots, self._cells = {}, {}
        self.live = [(" ", Ink.NONE)] * self.rows
        self.scale = Scale.fit(0.0, self.spec.unit, self.rows)

    def advance(self, measured: Series) -> bool:
        """Catch up with the measurements; whether the finished columns have to be painted anew."""
        end = measured.index(self.dot_seconds, measured.ended_at) // DOTS_WIDE
        if measured.ended_at is not None:  # what happened at the end stands in a finished column
            end += 1
        moved = end != self.end
        self._fetch(measured, end)
        self.end = end
        scaled = self._rescale(moved)
        if moved:
            seconds = self.column_seconds
            markers = tuple(measured.markers((end - self.columns) * seconds, end * seconds))
            self.markers = markers
        self.live = self._drawn(end)
        return moved or scaled

    def column(self, number: int) -> list[Cell]:
        """The cells of a finished column, top first; blanks where nothing is known."""
        cells = self._cells.get(number)
        if cells is None:
            cells = self._cells[number] = self._drawn(number)
        return cells

    def body(self) -> list[list[Cell]]:
        """The rows of all finished columns, with the markers and their words in the blanks."""
        end = 0 if self.end is None else self.end
        columns = [self.column(number) for number in range(end - self.columns, end)]
        rows = [list(row) for row in zip(*columns, strict=True)]
        self._mark(rows, end)
        return rows

    def time_labels(self) -> str:
        """The time axis: one line as wide as the columns, seconds before its right end."""
        width, seconds = self.columns, self.column_seconds
        line = [" "] * width
        step = next((step for step in _LABEL_STEPS if step >= _LABEL_CELLS * seconds), _LABEL_STEPS[-1])
        for label_at in range(step, int(self.span) + 1, step):
            label = f"-{duration(label_at)}"
            start = width - round(label_at / seconds)
            if start >= 0 and start + len(label) < width - 4:
                line[start : start + len(label)] = label
        return "".join(line)

    def _fetch(self, measured: Series, end: int) -> None:
        first = (end - self.columns) * DOTS_WIDE - 1
        known = first if self.end is None else max(first, self.end * DOTS_WIDE)
        stop = (end + 1) * DOTS_WIDE
        columns = {
            metric: measured.bins(metric, stop - known, self.dot_seconds, end=stop) for metric in self.spec.metrics
        }
        for place in range(stop - known):
            self._dots[known + place] = {metric: values[place] for metric, values in columns.items()}
        for old in [dot for dot in self._dots if dot < first]:
            del self._dots[old]
        for gone in [number for number in self._cells if number < end - self.columns]:
            del self._cells[gone]

    def _rescale(self, moved: bool) -> bool:
        """Grow at once, shrink when half would do: the axis must not jump with each new value."""
        values = [value for moment in self._dots.values() for value in moment.values() if value is not None]
        wanted = Scale.fit(highest_shown(values), self.spec.unit, self.rows)
        now = self.scale
        if wanted.parts == now.parts and (wanted.top == now.top or now.top / 2 < wanted.top < now.top):
            return False
        if wanted.top < now.top and not moved:
            return False
        self.scale = wanted
        self._cells.clear()
        return True

    def _drawn(self, number: int) -> list[Cell]:
        blank: _Moment = dict.fromkeys(self.spec.metrics)
        first = number * DOTS_WIDE
        before, left, right = (self._dots.get(dot, blank) for dot in (first - 1, first, first + 1))
        draw = ascii_column if self.plain else braille_column
        return draw(
            runs(self.spec.traces, left, before, self.scale, self.rows),
            runs(self.spec.traces, right, left, self.scale, self.rows),
            self.rows,
        )

    def _mark(self, rows: list[list[Cell]], end: int) -> None:
        free = self.columns
        for marker in reversed(self.markers):
            place = int(marker.at / self.column_seconds) - (end - self.columns)
            if not 0 <= place < self.columns:
                continue
            for row in rows:
                if row[place][0] == " ":
                    row[place] = ("|" if self.plain else "╎", Ink.MARK)
            word = marker.word
            if place + 1 + len(word) <= free:
                rows[0][place + 1 : place + 1 + len(word)] = [(char, Ink.MARK) for char in word]
                free = place


def zoomed(dot_seconds: float, steps: int, choices: Sequence[float] = DOT_WIDTHS) -> float:
    """The next choice in (negative) or out; the last one at either end."""
    place = choices.index(dot_seconds) + steps
    return choices[min(max(place, 0), len(choices) - 1)]


def duration(seconds: float) -> str:
    """A stretch of time in one unit: `45 s`, `2.5 min`, `1 h`."""
    if seconds < 120 and seconds != 60:
        return f"{seconds:.3g} s"
    if seconds < 7200 and seconds != 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"
