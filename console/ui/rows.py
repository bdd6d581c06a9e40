"""The table's rows in order: kept sorted and filtered while things change, in slices no key has to wait for."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.cells import cell_len

from console.by_path import ByPath
from console.records import Artifact, Measured, ProbeState, Verdict, WorkerState, WorkerView
from console.safe_text import safe
from console.ui import states
from console.ui.marks import Marks
from console.ui.slices import Pace, in_order
from console.ui.states import Status

Key = tuple[Any, ...]
"""(0, value, path) where the column has a value, (1, path) where it has none: those come last in either order."""

_REFUSED = (Verdict.BLOCKED, Verdict.DAMAGED, Verdict.UNSUPPORTED)
_TROUBLE_CELLS = 24
"""What tells how a model fails has figures that grow; no column moves when they do."""
_FEW = 64
"""So many differences are always taken one by one, and the fiftieth part of the rows shown is."""


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact with what is known of it now; `pending` is the word for an action just asked for."""

    artifact: Artifact
    worker: WorkerView | None = None
    probe: ProbeState | None = None
    pending: str = ""

    @property
    def path(self) -> str:
        """The artifact's place in the store."""
        return self.artifact.path

    @property
    def is_busy(self) -> bool:
        """Whether there is more to it than what lies on the disk."""
        return self.worker is not None or self.probe is not None or bool(self.pending)

    @property
    def status(self) -> Status:
        """The state that matters most."""
        if self.pending:
            return Status("◐", self.pending, "busy", 4)
        return states.status(self.artifact, self.worker, self.probe)

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
        return "" if self.pending else states.trouble_words(self.worker, self.probe)

    @property
    def measured(self) -> Measured | None:
        """What the probe measured of the worker that answers now; nothing of one before it."""
        worker, probe = self.worker, self.probe
        if worker is None or probe is None or not self.answers:
            return None
        return probe.worker if probe.running or probe.started >= worker.since else None

    @property
    def p99(self) -> float | None:
        """The slowest hundredth of the probe's calls, in milliseconds."""
        return None if self.measured is None else self.measured.p99

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
    "p99": lambda row: row.p99,
    "rss": lambda row: row.rss,
}
"""What each column is sorted by; None means there is nothing to compare."""


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
        kind = states.class_words(artifact)
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
    """All rows by path, and the order of those shown. Changed by one task only; read by everybody in between.

    A store may hold a hundred thousand artifacts of which the screen shows fifty: kept are the artifacts, by path and
    in the order shown. A `Row` is made when one is looked at, and kept only where there is more to it.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
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
        self.marks = Marks()
        """What the operator has marked; a row that goes takes its mark with it."""
        self._artifacts = ByPath()
        self._busy: dict[str, Row] = {}
        self._order: list[Artifact] = []
        self._known = 0
        self._listed = 0

    def __len__(self) -> int:
        return len(self._order)

    def start_with(self, order: Order, *, restored: bool = False) -> None:
        """Take an order over before there are any rows; `restored` = an earlier session left its filter."""
        self.asked = order
        self.sort, self.reverse, self.filter, self.columns = order
        self.restored = order.wanted if restored else None

    @property
    def by_path(self) -> Mapping[str, Row]:
        """Every row, those hidden by the filter included."""
        return _Rows(self._artifacts, self._busy)

    @property
    def measured(self) -> dict[str, int]:
        """Whether (1 or 0) the columns "p99" and "rss" have a value in any row."""
        busy = self._busy.values()
        return {"p99": int(any(row.p99 is not None for row in busy)), "rss": int(any(row.rss for row in busy))}

    @property
    def shown(self) -> Sequence[Artifact]:
        """The artifacts of the rows that are shown."""
        return self._order

    @property
    def marks_hidden(self) -> int:
        """How many of the marked rows the filter hides."""
        return self.marks.missing_in(self._order, self._listed) if self.filter else 0

    def path_at(self, index: int) -> str:
        """The path of the row at `index` of the shown order. Raises IndexError."""
        return self._artifact_at(index).path

    def at(self, index: int) -> Row:
        """The row at `index` of the shown order. Raises IndexError."""
        return self._row(self._artifact_at(index))

    def index(self, path: str) -> int | None:
        """Where a path is shown, None where the filter hides it."""
        row = self.by_path.get(path)
        index = None if row is None else self._place(row)
        if index is None:
            return None
        return self._known - 1 - index if self.reverse and index < self._known else index

    def window(self, start: int, stop: int) -> Iterator[Row]:
        """The shown rows from `start` up to `stop`."""
        return (self.at(index) for index in range(max(0, start), min(stop, len(self))))

    def put(self, row: Row) -> None:
        """Add or replace one row and keep the order."""
        key = self._key(row) if self.filter.keeps(row) else None
        old = self.by_path.get(row.path)
        place = None
        if old is not None:
            self.counts[old.status.word] -= 1
            self._lengths[_cells(row.path)] -= 1
            place = self._place(old)
            if place is not None and self._key(old) != key:
                self._unlist(place)
                place = None
        self.counts[row.status.word] += 1
        self._measure(row, self._lengths)
        self._artifacts.put(row.artifact)
        self._busy.pop(row.path, None)
        if row.is_busy:
            self._busy[row.path] = row
        if place is not None:
            self._order[place] = row.artifact
        elif key is not None:
            self._order.insert(bisect_left(self._order, key, key=self._key_of), row.artifact)
            self._listed += 1
            self._known += key[0] == 0

    def drop(self, path: str) -> None:
        """Forget one row."""
        row = self.by_path.get(path)
        if row is not None:
            self.counts[row.status.word] -= 1
            self._lengths[_cells(path)] -= 1
            place = self._place(row)
            if place is not None:
                self._unlist(place)
            self._artifacts.drop(path)
            self._busy.pop(path, None)
            self.marks.drop((path,))

    async def replace_all(self, rows: Iterable[Row]) -> None:
        """Take over a full listing: few differences one by one, many by sorting anew, yielding in between."""
        pace, old = Pace(), self.by_path
        few = max(_FEW, len(self._order) // 50)
        artifacts = ByPath()
        busy: dict[str, Row] = {}
        changed: list[Row] = []
        for row in rows:
            artifacts.put(row.artifact)
            if row.is_busy:
                busy[row.path] = row
            if len(changed) <= few and old.get(row.path) != row:
                changed.append(row)
            await pace.step()
        gone = [path for path in self._artifacts if path not in artifacts]
        if len(changed) + len(gone) > few:
            await self._start_over(artifacts, busy, pace)
            self.marks.drop(gone)
            return
        for path in gone:
            self.drop(path)
        for row in changed:
            self.put(row)
            await pace.step()

    async def _start_over(self, artifacts: ByPath, busy: dict[str, Row], pace: Pace) -> None:
        rows = _Rows(artifacts, busy)
        counts: Counter[str] = Counter()
        lengths: Counter[int] = Counter()
        for row in rows.all():
            counts[row.status.word] += 1
            self._measure(row, lengths)
            await pace.step()
        order = await self._ordered(rows, self.sort, self.filter, pace)
        self._artifacts, self._busy, self.counts, self._lengths = artifacts, busy, counts, lengths
        self._list(*order)

    async def arrange(
        self,
        sort: str | None = None,
        reverse: bool | None = None,
        wanted: Filter | None = None,
        columns: tuple[str, ...] | None = None,
        *,
        outdated: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Sort, filter and choose columns anew; the order shown stays as it was until the new one is complete.

        False when `outdated` said meanwhile that nobody wants it any more; then nothing has changed.
        """
        column, chosen = sort or self.sort, self.filter if wanted is None else wanted
        if column != self.sort or wanted is not None:
            order = await self._ordered(_Rows(self._artifacts, self._busy), column, chosen, Pace(), outdated)
            if outdated():
                return False
            self.sort, self.filter = column, chosen
            self._list(*order)
        self.reverse = self.reverse if reverse is None else reverse
        self.columns = self.columns if columns is None else columns
        return True

    async def _ordered(
        self,
        rows: _Rows,
        column: str,
        wanted: Filter,
        pace: Pace,
        outdated: Callable[[], bool] = lambda: False,
    ) -> tuple[list[Artifact], int]:
        """What is to be shown, in order, and how many of it have a value in the column."""
        kept: list[Artifact] = []
        for row in rows.all():
            if wanted.keeps(row):
                kept.append(row.artifact)
            if await pace.step() and outdated():
                return [], 0
        value = SORTS[column]

        def key(artifact: Artifact) -> Key:
            return _key(value(rows.of(artifact)), artifact.path)

        order: list[Artifact] = []
        async for artifact in in_order(kept, key, pace):
            order.append(artifact)
        known = bisect_left(order, (1,), key=key)
        return order, known

    @property
    def usual_name(self) -> int:
        """The cells that nineteen names of twenty fit into: one freak of a name leaves the other columns their room."""
        beyond = sum(self._lengths.values()) // 20 or (len(self._artifacts) > 3)
        for cells in sorted(self._lengths, reverse=True):
            beyond -= self._lengths[cells]
            if beyond < 0:
                return cells
        return 0

    def _measure(self, row: Row, lengths: Counter[int]) -> None:
        artifact, widest = row.artifact, self.widest
        cells = _cells(artifact.path)
        lengths[cells] += 1
        widest["model"] = max(widest["model"], cells)
        described = states.class_words(artifact) or artifact.problem or artifact.why
        widest["class"] = max(widest["class"], _cells(described), _TROUBLE_CELLS if row.trouble else 0)

    def _key(self, row: Row) -> Key:
        return _key(SORTS[self.sort](row), row.path)

    def _key_of(self, artifact: Artifact) -> Key:
        return self._key(self._row(artifact))

    def _row(self, artifact: Artifact) -> Row:
        return self._busy.get(artifact.path) or Row(artifact)

    def _artifact_at(self, index: int) -> Artifact:
        if self.reverse and 0 <= index < self._known:
            index = self._known - 1 - index
        return self._order[index]

    def _place(self, row: Row) -> int | None:
        """Where a row that is known stands in the order, None where it is not shown."""
        index = bisect_left(self._order, self._key(row), key=self._key_of)
        return index if index < len(self._order) and self._order[index].path == row.path else None

    def _list(self, order: list[Artifact], known: int) -> None:
        self._order, self._known = order, known
        self._listed += 1

    def _unlist(self, index: int) -> None:
        self._listed += 1
        del self._order[index]
        self._known -= index < self._known


class _Rows(Mapping[str, Row]):
    """Rows made as they are asked for."""

    def __init__(self, artifacts: ByPath, busy: dict[str, Row]) -> None:
        self._artifacts = artifacts
        self._busy = busy

    def of(self, artifact: Artifact) -> Row:
        """The row of one of the artifacts."""
        return self._busy.get(artifact.path) or Row(artifact)

    def all(self) -> Iterator[Row]:
        """Every row, without looking each up."""
        return map(self.of, self._artifacts.values())

    def __len__(self) -> int:
        return len(self._artifacts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._artifacts)

    def __contains__(self, path: object) -> bool:
        return path in self._artifacts

    def __getitem__(self, path: str) -> Row:
        return self.of(self._artifacts[path])


def _cells(words: str) -> int:
    """How many cells text from outside takes on a screen."""
    return len(words) if words.isascii() and words.isprintable() else cell_len(safe(words))


def _key(value: Any, path: str) -> Key:
    return (1, path) if value is None else (0, value, path)
