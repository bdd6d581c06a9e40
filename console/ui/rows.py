"""The table's rows in order: kept sorted and filtered while things change, in slices no key has to wait for."""

from __future__ import annotations

import asyncio
import re
import time
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from console.records import Artifact, ProbeState, WorkerView
from console.ui import text
from console.ui.text import Status

Key = tuple[Any, ...]
"""(0, value, path) where the column has a value, (1, path) where it has none: those come last in either order."""

SLICE_SECONDS = 0.008
"""How long the event loop may be kept from a key press."""


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
    def status(self) -> Status:
        """The state that matters most."""
        if self.pending:
            return Status("◐", self.pending, "busy", 4)
        return text.status(self.artifact, self.worker, self.probe)

    @property
    def p99(self) -> float | None:
        """The slowest hundredth of the probe's calls, in milliseconds."""
        if self.worker is None or self.probe is None or self.probe.worker is None:
            return None
        return self.probe.worker.p99

    @property
    def rss(self) -> int | None:
        """Memory of the worker, in bytes."""
        return None if self.worker is None or self.worker.memory is None else self.worker.memory.rss


SORTS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: row.status.rank,
    "model": lambda row: row.path.casefold(),
    "class": lambda row: text.class_words(row.artifact).casefold() or None,
    "format": lambda row: row.artifact.format,
    "size": lambda row: row.artifact.size,
    "changed": lambda row: -row.artifact.modified,
    "trust": lambda row: text.trust(row.artifact).rank,
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
        kind = text.class_words(artifact)
        words = f"{artifact.path}\n{kind}\n{artifact.format}\n{row.status.word}\n{artifact.verdict}"
        return (self._expression.search(words[:400]) is not None) != self._invert


class Rows:
    """All rows by path, and the order of those shown. Changed by one task only; read by everybody in between."""

    def __init__(self) -> None:
        self.by_path: dict[str, Row] = {}
        self.counts: Counter[str] = Counter()
        self.widest: Counter[str] = Counter()
        """The length of the longest text seen in the columns "model" and "class"."""
        self.sort = "model"
        self.reverse = False
        self.filter = Filter()
        self._keys: list[Key] = []
        self._key_of: dict[str, Key] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def path_at(self, index: int) -> str:
        """The path of the row at `index` of the shown order. Raises IndexError."""
        known = self._known
        if self.reverse and 0 <= index < known:
            index = known - 1 - index
        path: str = self._keys[index][-1]
        return path

    def at(self, index: int) -> Row:
        """The row at `index` of the shown order. Raises IndexError."""
        return self.by_path[self.path_at(index)]

    def index(self, path: str) -> int | None:
        """Where a path is shown, None where the filter hides it."""
        key = self._key_of.get(path)
        if key is None:
            return None
        index, known = bisect_left(self._keys, key), self._known
        return known - 1 - index if self.reverse and index < known else index

    def window(self, start: int, stop: int) -> Iterator[Row]:
        """The shown rows from `start` up to `stop`."""
        return (self.at(index) for index in range(max(0, start), min(stop, len(self))))

    @property
    def _known(self) -> int:
        return bisect_left(self._keys, (1,)) if self.reverse else 0

    def put(self, row: Row) -> None:
        """Add or replace one row and keep the order."""
        old = self.by_path.get(row.path)
        if old is not None:
            self.counts[old.status.word] -= 1
        self.by_path[row.path] = row
        self.counts[row.status.word] += 1
        self._measure(row)
        key = self._key(row) if self.filter.keeps(row) else None
        if key != self._key_of.get(row.path):
            self._unlist(row.path)
            if key is not None:
                insort(self._keys, key)
                self._key_of[row.path] = key

    def drop(self, path: str) -> None:
        """Forget one row."""
        row = self.by_path.pop(path, None)
        if row is not None:
            self.counts[row.status.word] -= 1
            self._unlist(path)

    async def replace_all(self, rows: Iterable[Row]) -> None:
        """Take over a full listing: few differences one by one, many by sorting anew, yielding in between."""
        pace = _Pace()
        fresh: dict[str, Row] = {}
        changed: list[Row] = []
        for row in rows:
            fresh[row.path] = row
            if self.by_path.get(row.path) != row:
                changed.append(row)
            await pace.step()
        gone = [path for path in self.by_path if path not in fresh]
        if len(changed) + len(gone) <= max(64, len(self._keys) // 50):
            for path in gone:
                self.drop(path)
            for row in changed:
                self.put(row)
                await pace.step()
            return
        counts: Counter[str] = Counter()
        for row in fresh.values():
            counts[row.status.word] += 1
            self._measure(row)
            await pace.step()
        self.by_path, self.counts = fresh, counts
        await self.arrange()

    async def arrange(self, sort: str | None = None, reverse: bool | None = None, wanted: Filter | None = None) -> None:
        """Sort and filter anew; the order shown stays as it was until the new one is complete."""
        self_sort, chosen = sort or self.sort, self.filter if wanted is None else wanted
        value = SORTS[self_sort]
        pace = _Pace()
        runs: list[list[Key]] = [[]]
        for row in list(self.by_path.values()):
            if chosen.keeps(row):
                runs[-1].append(_key(value(row), row.path))
                if len(runs[-1]) == 2048:
                    runs.append([])
            await pace.step()
        keys = await _merged(runs, pace)
        key_of: dict[str, Key] = {}
        for key in keys:
            key_of[key[-1]] = key
            await pace.step()
        self.sort, self.filter = self_sort, chosen
        self.reverse = self.reverse if reverse is None else reverse
        self._keys, self._key_of = keys, key_of

    def _measure(self, row: Row) -> None:
        widest = self.widest
        widest["model"] = max(widest["model"], len(row.path))
        widest["class"] = max(widest["class"], len(text.class_words(row.artifact)))

    def _key(self, row: Row) -> Key:
        return _key(SORTS[self.sort](row), row.path)

    def _unlist(self, path: str) -> None:
        key = self._key_of.pop(path, None)
        if key is not None:
            del self._keys[bisect_left(self._keys, key)]


class _Pace:
    """Gives the event loop a turn whenever a slice of time is used up."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE_SECONDS
        self._steps = 0

    async def step(self, *, weigh: bool = False) -> None:
        self._steps += 1
        if (weigh or self._steps % 128 == 0) and time.perf_counter() > self._until:
            await asyncio.sleep(0)
            self._until = time.perf_counter() + SLICE_SECONDS


def _key(value: Any, path: str) -> Key:
    return (1, path) if value is None else (0, value, path)


async def _merged(runs: Sequence[list[Key]], pace: _Pace) -> list[Key]:
    """One sorted list of many: each run is sorted, then neighbours are joined (linear for two sorted runs)."""
    ordered = []
    for run in runs:
        ordered.append(sorted(run))
        await pace.step(weigh=True)
    while len(ordered) > 1:
        joined = []
        for index in range(0, len(ordered), 2):
            joined.append(sorted([key for run in ordered[index : index + 2] for key in run]))
            await pace.step(weigh=True)
        ordered = joined
    return ordered[0]
