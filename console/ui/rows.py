"""The table's rows in order: kept sorted and filtered while things change and keys have their turn."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from rich.cells import cell_len

from console.records import Artifact, ProbeState, Quantiles, TrafficState, Verdict, WorkerState, WorkerView
from console.safe_text import safe
from console.ui import states
from console.ui.cooperative import cooperative
from console.ui.states import Status

Key = tuple[Any, ...]
"""(0, value, path) where the column has a value, (1, path) where it has none: those come last in either order."""

_REFUSED = (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED)
_TROUBLE_CELLS = 24
"""Cells for how a model fails: the figures grow, and no column moves when they do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact with what is known of it now; `pending` is the word for an action just asked for."""

    artifact: Artifact
    worker: WorkerView | None = None
    probe: ProbeState | None = None
    pending: str = ""
    traffic: TrafficState | None = None

    @property
    def path(self) -> str:
        """The artifact's place in the store."""
        return self.artifact.path

    @property
    def status(self) -> Status:
        """The state that matters most."""
        if self.pending:
            return Status("◐", self.pending, "busy", 4)
        return states.status(self.artifact, self.worker, self.probe, self.traffic)

    @property
    def is_refused(self) -> bool:
        """Whether nothing is loaded and nothing will be: the file is blocked, damaged or of no known format."""
        return self.worker is None and self.artifact.verdict in _REFUSED

    @property
    def answers(self) -> bool:
        """Whether a worker answers now."""
        return self.worker is not None and self.worker.state is WorkerState.READY

    @property
    def trouble(self) -> str:
        """How it fails while it is driven, or when its dead worker is started again; empty where nothing is wrong."""
        return "" if self.pending else states.trouble_words(self.worker, self.probe, self.traffic)

    @property
    def last_error(self) -> str:
        """How a request failed last, of those that fail now."""
        driven = states.failing(self.probe, self.traffic)
        return "" if driven is None else driven.last_error

    @property
    def measured(self) -> Quantiles | None:
        """The probe's latencies of the worker that answers now; nothing of one before it."""
        worker, probe = self.worker, self.probe
        if worker is None or probe is None or not self.answers:
            return None
        return probe.worker if probe.running or probe.started >= worker.since else None

    @property
    def p99(self) -> float | None:
        """The slowest hundredth in milliseconds: of what others asked in the last minute, else of the probe's calls."""
        if self.answers and self.traffic is not None and self.traffic.whole is not None:
            return self.traffic.whole.p99
        return None if self.measured is None else self.measured.p99

    @property
    def rate(self) -> float | None:
        """Requests of other programs a second; None where there was none."""
        return self.traffic.asked if self.answers and self.traffic is not None else None

    @property
    def error_rate(self) -> float | None:
        """Those of them that fail."""
        return self.traffic.error_rate if self.answers and self.traffic is not None else None

    @property
    def rss(self) -> int | None:
        """Memory of the worker, in bytes."""
        return None if self.worker is None or self.worker.memory is None else self.worker.memory.rss


SORTS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: row.status.rank,
    "model": lambda row: row.path.casefold(),
    "class": lambda row: states.class_words(row.artifact).casefold() or None,
    "format": lambda row: row.artifact.format,
    "size": lambda row: row.artifact.size,
    "changed": lambda row: -row.artifact.modified,
    "trust": lambda row: states.trust(row.artifact).rank,
    "req/s": lambda row: row.rate,
    "err/s": lambda row: row.error_rate,
    "p99": lambda row: row.p99,
    "rss": lambda row: row.rss,
}
"""The sort key of each column; None means there is nothing to compare."""


_FLAGS = re.IGNORECASE | re.MULTILINE


class Filter:
    """A regular expression over what a row says; a leading `!` inverts, a broken pattern is taken literally.

    `^` and `$` stand at the ends of path, class and words.
    """

    def __init__(self, pattern: str = "") -> None:
        self.pattern = pattern
        self._invert = pattern.startswith("!")
        wanted = pattern[1:] if self._invert else pattern
        try:
            self._expression = re.compile(wanted, _FLAGS) if wanted else None
            self.literal = False
        except re.error:
            self._expression = re.compile(re.escape(wanted), _FLAGS)
            self.literal = True

    def __bool__(self) -> bool:
        return self._expression is not None

    def keeps(self, row: Row) -> bool:
        """Whether the row stays."""
        if self._expression is None:
            return True
        artifact = row.artifact
        kind = states.kind_words(artifact)
        words = f"{artifact.path}\n{kind}\n{artifact.format}\n{row.status.word}\n{artifact.verdict}"
        return (self._expression.search(words[:400]) is not None) != self._invert


class Order(NamedTuple):
    """How the rows are to be shown."""

    sort: str = "model"
    reverse: bool = False
    wanted: Filter = Filter()
    columns: tuple[str, ...] = ()
    """The columns that were chosen, or with a leading `-` those that are hidden; without any the width decides."""


class Rows:
    """All rows by path, and the order of those shown. Changed by one task only; read by everybody in between."""

    def __init__(self) -> None:
        self.by_path: dict[str, Row] = {}
        """Every row, those hidden by the filter included."""
        self.counts: Counter[str] = Counter()
        """Rows by the word of their status, and those with a value in a column that may have none."""
        self.widest: Counter[str] = Counter()
        """The cells of the longest text seen in the columns "model" and "class"."""
        self._lengths: Counter[int] = Counter()
        self.sort = "model"
        self.reverse = False
        self.filter = Filter()
        self.columns: tuple[str, ...] = ()
        self.restored: Filter | None = None
        """The filter that an earlier session left, which nobody has typed in this one."""
        self.asked = Order()
        """What was asked for last; it may not be shown yet, and the next key starts from it all the same."""
        self.marks: set[str] = set()
        """The paths that the operator has marked; a row that goes takes its mark with it."""
        self._order: list[Row] = []
        self._known = 0

    def __len__(self) -> int:
        return len(self._order)

    def start_with(self, order: Order, *, restored: bool = False) -> None:
        """Take an order over before there are any rows; `restored` = an earlier session left its filter."""
        self.asked = order
        self.sort, self.reverse, self.filter, self.columns = order
        self.restored = order.wanted if restored else None

    @property
    def shown_paths(self) -> set[str]:
        """The paths of the rows that are shown."""
        return {row.path for row in self._order}

    @property
    def marks_hidden(self) -> int:
        """How many of the marked rows the filter hides."""
        return len(self.marks - self.shown_paths) if self.marks and self.filter else 0

    def mark_all(self) -> None:
        """Mark all that are shown; where they are marked already, take every mark away."""
        if self.shown_paths <= self.marks:
            self.marks.clear()
        else:
            self.marks |= self.shown_paths

    def pair(self, subject: str | None) -> tuple[str, ...]:
        """All that is marked, and beside a single one the subject too, the older ones first."""
        beside = {subject} if subject is not None and len(self.marks) == 1 else set[str]()
        both = [path for path in self.marks | beside if path in self.by_path]
        return tuple(sorted(both, key=lambda path: (self.by_path[path].artifact.modified, path)))

    def at(self, index: int) -> Row:
        """The row at `index` of the shown order. Raises IndexError."""
        return self._order[self._turned(index)]

    def index(self, path: str) -> int | None:
        """Where a path is shown, None where the filter hides it."""
        row = self.by_path.get(path)
        index = None if row is None else self._place(row)
        return None if index is None else self._turned(index)

    def window(self, start: int, stop: int) -> Iterator[Row]:
        """The shown rows from `start` up to `stop`."""
        return (self.at(index) for index in range(max(0, start), min(stop, len(self))))

    def put(self, row: Row) -> None:
        """Add or replace one row and keep the order."""
        self._forget(row.path)
        self.by_path[row.path] = row
        self._count(row, 1, self.counts, self._lengths)
        if self.filter.keeps(row):
            key = self._key(row)
            self._order.insert(bisect_left(self._order, key, key=self._key), row)
            self._known += key[0] == 0

    def drop(self, path: str) -> None:
        """Forget one row."""
        self._forget(path)
        self.marks.discard(path)

    def _forget(self, path: str) -> None:
        row = self.by_path.pop(path, None)
        if row is not None:
            self._count(row, -1, self.counts, self._lengths)
            place = self._place(row)
            if place is not None:
                del self._order[place]
                self._known -= place < self._known

    async def replace_all(self, rows: Iterable[Row]) -> None:
        """Take over a full listing; what was shown before stays until it is complete."""
        fresh: dict[str, Row] = {}
        counts: Counter[str] = Counter()
        lengths: Counter[int] = Counter()
        async for row in cooperative(rows):
            fresh[row.path] = row
            self._count(row, 1, counts, lengths)
        order = await self._ordered(fresh.values(), self.sort, self.filter)
        self.by_path, self.counts, self._lengths = fresh, counts, lengths
        self._order, self._known = order
        self.marks.intersection_update(fresh)

    async def arrange(self, order: Order, *, outdated: Callable[[], bool] = lambda: False) -> bool:
        """Sort, filter and choose columns anew; the order shown stays as it was until the new one is complete.

        False when `outdated` said meanwhile that nobody wants it any more; then nothing has changed.
        """
        if order.sort != self.sort or order.wanted is not self.filter:
            found = await self._ordered(self.by_path.values(), order.sort, order.wanted, outdated)
            if outdated():
                return False
            self._order, self._known = found
        self.sort, self.reverse, self.filter, self.columns = order
        return True

    @staticmethod
    async def _ordered(
        rows: Iterable[Row], column: str, wanted: Filter, outdated: Callable[[], bool] = lambda: False
    ) -> tuple[list[Row], int]:
        """The rows to show, in order, and how many of it have a value in the column."""
        kept: list[Row] = []
        values: list[Any] = []
        async for row in cooperative(sorted(rows, key=attrgetter("path"))):
            if outdated():
                break
            if wanted.keeps(row):
                kept.append(row)
                values.append(SORTS[column](row))
        known = [number for number, value in enumerate(values) if value is not None]
        known.sort(key=values.__getitem__)
        unknown = (row for row, value in zip(kept, values, strict=True) if value is None)
        return [*(kept[number] for number in known), *unknown], len(known)

    @property
    def usual_name(self) -> int:
        """The cells that nineteen names of twenty fit into: one freak of a name leaves the other columns their room."""
        beyond = len(self.by_path) // 20 or (len(self.by_path) > 3)
        for cells in sorted(self._lengths, reverse=True):
            beyond -= self._lengths[cells]
            if beyond < 0:
                return cells
        return 0

    def _count(self, row: Row, number: int, counts: Counter[str], lengths: Counter[int]) -> None:
        """Take a row into the counts (1), or out of them (-1)."""
        counts[row.status.word] += number
        counts["p99"] += number * (row.p99 is not None)
        counts["req/s"] += number * (row.rate is not None)
        counts["err/s"] += number * bool(row.error_rate)
        counts["rss"] += number * bool(row.rss)
        cells = _cells(row.path)
        lengths[cells] += number
        artifact, widest = row.artifact, self.widest
        widest["model"] = max(widest["model"], cells)
        widest["format"] = max(widest["format"], len(artifact.format or ""))
        described = states.class_words(artifact) or artifact.problem or artifact.why
        widest["class"] = max(widest["class"], _cells(described), _TROUBLE_CELLS if row.trouble else 0)

    def _key(self, row: Row) -> Key:
        return _key(SORTS[self.sort](row), row.path)

    def _place(self, row: Row) -> int | None:
        """Where a row that is known stands in the order, None where it is not shown."""
        index = bisect_left(self._order, self._key(row), key=self._key)
        return index if index < len(self._order) and self._order[index].path == row.path else None

    def _turned(self, index: int) -> int:
        """A place in the order as the place on the screen, or the other way: reversed, what has no value is last."""
        return self._known - 1 - index if self.reverse and 0 <= index < self._known else index


def _cells(words: str) -> int:
    """How many cells text from outside takes on a screen."""
    return len(words) if words.isascii() and words.isprintable() else cell_len(safe(words))


def _key(value: Any, path: str) -> Key:
    return (1, path) if value is None else (0, value, path)
