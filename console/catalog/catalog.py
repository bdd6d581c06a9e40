"""Catalog of the artifacts in a directory tree: one stat a file, one look at the first bytes of a new one."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from console.catalog.listing import GONE, Changes, Directory, Lister, diff, joined
from console.files import opening
from console.files.filename_rules import may_be_artifact
from console.files.root_guard import Root
from console.records import Artifact, FileIdentity

Cancelled = Callable[[], bool]

_BATCH_ROWS = 512
_BATCH_SECONDS = 0.05


_NOTHING = Directory()


class Catalog:
    """The artifacts beneath one root. One thread at a time looks at the disk; `rows` and `learn` may be used by any.

    A look is committed as a whole or not at all: where the root vanished in between it raises StoreOffline and what
    was known stays. `given` is the path that the root was given as, by way of links.
    """

    def __init__(
        self, root: Path, *, given: Path | None = None, sniff: Callable[[bytes], bool] = may_be_artifact
    ) -> None:
        self.root = root
        self.given = given or root
        self._root = Root(root, given)
        self._sniff = sniff
        self._prefix = os.fspath(root).rstrip("/") + "/"
        self._known: dict[str, Directory] = {}
        self._lister = Lister(-1, self._prefix, sniff)
        self._walked: dict[str, Directory] = {}
        self._learned: dict[str, Artifact] = {}
        self._lock = threading.Lock()

    # what is known

    def rows(self) -> dict[str, Artifact]:
        """A snapshot: path to row."""
        with self._lock:
            return {path: row for directory in self._known.values() for path, row in directory.rows.items()}

    def row(self, path: str) -> Artifact | None:
        """The row of one artifact, or of a directory that cannot be read."""
        with self._lock:
            return self._rows_with(path).get(path)

    def home(self, path: str) -> str:
        """The directory in which the row of a path stands: that of a directory stands in its own."""
        return path if path in self._known.get(path, _NOTHING).rows else os.path.dirname(path)

    def _rows_with(self, path: str) -> dict[str, Artifact]:
        return self._known.get(self.home(path), _NOTHING).rows

    def marks(self) -> dict[str, FileIdentity]:
        """A snapshot of the files known to hold no model."""
        with self._lock:
            return {path: one for directory in self._known.values() for path, one in directory.marks.items()}

    def directories(self) -> int:
        """How many directories the last scan saw."""
        return len(self._known)

    def linking(self) -> tuple[str, ...]:
        """The directories in which rows are links."""
        with self._lock:
            return tuple(name for name, directory in self._known.items() if directory.links)

    def seed(self, rows: Iterable[Artifact], marks: Mapping[str, FileIdentity]) -> None:
        """Start from what an index remembers, so that untouched files need no second look inside; page by page,
        before the first look."""
        with self._lock:
            for row in rows:
                self._of(_home(row)).rows[row.path] = row
            for path, identity in marks.items():
                self._of(os.path.dirname(path)).marks[path] = identity

    def _of(self, name: str) -> Directory:
        """A directory, made where it is not known."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Directory()
        return found

    def learn(self, row: Artifact) -> bool:
        """Keep what an inspection found of a file; false when the file is another one by now.

        What is learnt during a look is kept beside and joined with what that look finds.
        """
        with self._lock:
            if self._root.looking:
                self._learned[row.path] = row
            rows = self._rows_with(row.path)
            old = rows.get(row.path)
            if old is None:
                return self._root.looking
            if old.identity == row.identity:
                rows[row.path] = _joined(row, old)
            return old.identity == row.identity

    def flag(self, path: str, *, settling: bool) -> Artifact | None:
        """Mark a row as being written to or at rest; the new row, None where nothing had to change."""
        with self._lock:
            rows = self._rows_with(path)
            old = rows.get(path)
            if old is None or old.settling == settling:
                return None
            row = rows[path] = replace(old, settling=settling)
            return row

    @property
    def root_identity(self) -> tuple[int, int] | None:
        """Device and inode of the directory that is the store, None before the first look."""
        return self._root.identity

    def check_root(self) -> None:
        """Make sure that the store is there and the one it was. Raises StoreOffline."""
        self._root.check()

    def follow(self) -> bool:
        """Go where the given path leads now; whether that is elsewhere. What is known is compared with it by the next
        scan. Raises StoreOffline."""
        moved = self._root.follow()
        if moved:
            self.root = self._root.path
            self._prefix = os.fspath(self.root).rstrip("/") + "/"
        return moved

    # looking at the disk

    def scan(self, cancelled: Cancelled = lambda: False) -> Generator[list[Artifact], None, Changes]:
        """Look at the whole tree; yields rows as they are found and returns what changed. Raises StoreOffline.

        When `cancelled` says so, the look ends early and nothing is committed.
        """
        with self._at_root():
            fresh = self._walked = {}
            yield from self._walk("", fresh, cancelled)
            if cancelled():
                return Changes()
            self._settle_data(fresh, set(fresh) | set(self._known))
            return self._commit(fresh, set(fresh) | set(self._known))

    def scan_all(self, cancelled: Cancelled = lambda: False) -> Changes:
        """`scan` in one go."""
        batches = self.scan(cancelled)
        while True:
            try:
                next(batches)
            except StopIteration as end:
                changes: Changes = end.value
                return changes

    def scan_beneath(self, top: str) -> Changes:
        """Look at one directory and those beneath it; the recipes above may call what is there data.

        Nothing else of the tree is looked at. Raises StoreOffline.
        """
        with self._at_root():
            above = os.path.dirname(top)
            while True:
                with suppress(OSError):
                    self._known[above] = self._lister.recipes_of(above)
                if not above:
                    break
                above = os.path.dirname(above)
            fresh: dict[str, Directory] = {}
            for _ in self._walk(top, fresh, lambda: False):
                pass
            replaced = set(fresh) | self._beneath({top})
            self._settle_data(fresh, replaced)
            return self._commit(fresh, replaced)

    def rescan(self, directories: Iterable[str]) -> Changes:
        """Look again at single directories ("" = the root): new ones beneath them too, and those that hold links, which
        may lead to what is different there. Raises StoreOffline."""
        with self._at_root():
            fresh: dict[str, Directory] = {}
            gone: set[str] = set()
            again = {self._existing(one) for one in (*directories, *self.linking())}
            for directory in sorted(again.union(*map(self._around, again))):
                if directory in fresh:
                    continue
                old = self._known.get(directory, _NOTHING)
                fresh[directory] = self._look_again(directory)
                for child in fresh[directory].children:
                    if child not in self._known:
                        for _ in self._walk(child, fresh, lambda: False):
                            pass
                gone.update(self._beneath(set(old.children) - set(fresh[directory].children)))
            self._settle_data(fresh, set(fresh) | gone)
            return self._commit(fresh, set(fresh) | gone)

    def glance(self, directories: Iterable[str]) -> Changes:
        """Look again at single directories in the middle of a `scan`, which need not be waited for: between two of its
        batches, by the thread that scans. What is new in them beside files is left to the scan."""
        found: dict[str, tuple[Directory, Directory]] = {}
        for directory in directories:
            old = self._known.get(directory)
            if old is not None:
                found[directory] = old, self._look(directory, old)
        data = _named(self._known.values())
        with self._lock:
            for directory, (old, new) in found.items():
                new.children, new.recipes, new.inner = old.children, old.recipes, old.inner
                for path in data & new.rows.keys():
                    del new.rows[path]
                self._known[directory] = new
                if directory in self._walked:
                    self._walked[directory] = new
        return joined(diff(old.rows, new.rows) for old, new in found.values())

    def _existing(self, directory: str) -> str:
        """The directory itself, or the nearest one above it that is known and still there: what is new is found from
        above, so that every known directory is its parent's child."""
        while directory and (directory not in self._known or not os.path.isdir(self._prefix + directory)):
            directory = os.path.dirname(directory)
        return directory

    def _around(self, directory: str) -> Iterator[str]:
        """The directories above that are artifacts: what lies in this one may be theirs."""
        while directory := os.path.dirname(directory):
            if directory in self._known.get(directory, _NOTHING).rows:
                yield directory

    def _beneath(self, tops: set[str]) -> set[str]:
        return (
            {path for path in self._known for top in tops if path == top or path.startswith(top + "/")}
            if tops
            else set()
        )

    @contextmanager
    def _at_root(self) -> Iterator[None]:
        """The time of one look; what was learnt meanwhile counts no longer than that."""
        try:
            with self._root.held() as root:
                self._lister = Lister(root, self._prefix, self._sniff)
                yield
        finally:
            self._walked = {}
            self._learned.clear()

    def _commit(self, fresh: dict[str, Directory], replaced: set[str]) -> Changes:
        self._root.check()
        with self._lock:
            for path, row in self._learned.items():
                rows = fresh.get(_home(row), _NOTHING).rows
                seen = rows.get(path)
                if seen is not None and seen.identity == row.identity:
                    rows[path] = _joined(row, seen)
            pairs = [(self._known.get(name, _NOTHING).rows, fresh.get(name, _NOTHING).rows) for name in replaced]
            for name in replaced - set(fresh):
                self._known.pop(name, None)
            self._known.update(fresh)
        return joined(diff(old, new) for old, new in pairs)

    def _walk(self, top: str, fresh: dict[str, Directory], cancelled: Cancelled) -> Iterator[list[Artifact]]:
        waiting, due = [top], time.monotonic() + _BATCH_SECONDS
        batch: list[Artifact] = []
        data = _named(self._known.values())
        while waiting and not cancelled():
            directory = waiting.pop()
            found = fresh[directory] = self._look_again(directory)
            waiting.extend(reversed(found.children))
            data |= _named((found,))
            batch.extend(row for path, row in found.rows.items() if path not in data)
            if batch and (len(batch) >= _BATCH_ROWS or time.monotonic() > due):
                yield batch
                batch, due = [], time.monotonic() + _BATCH_SECONDS
        if batch:
            yield batch

    def _look_again(self, directory: str) -> Directory:
        """The contents of a directory now: those known of it where that is the same, since a store has thousands."""
        old = self._known.get(directory)
        found = self._look(directory, old or _NOTHING)
        return old if old == found else found

    def _look(self, directory: str, old: Directory) -> Directory:
        """The contents of a directory now; where the machine cannot list it those known stay, else a row says so."""
        try:
            return self._lister.look(directory, old)
        except OSError as error:
            if not directory:
                raise self._root.offline(error) from None
            if error.errno in GONE:
                return Directory()
            if old != _NOTHING and error.errno not in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG):
                return old
            problem = f"directory {opening.words_of(error)}"
            return Directory({directory: Artifact(directory, 0, 0.0, problem=problem)})

    def _settle_data(self, fresh: dict[str, Directory], replaced: set[str]) -> None:
        """Take out the files that a recipe anywhere names as data, or that are members of an artifact above, and bring
        back those that are neither any more."""
        for child in [child for name, one in fresh.items() for child in self._beside_recipes(name, one)]:
            if child not in fresh:
                fresh[child] = self._look_again(child)
        before = _named(self._known.values())
        kept = _named(one for name, one in self._known.items() if name not in replaced)
        now = kept | _named(fresh.values())
        for path in before - now:
            directory = os.path.dirname(path)
            if directory not in fresh and directory in self._known:
                fresh[directory] = self._look_again(directory)
        for path in now:
            directory = os.path.dirname(path)
            if directory not in fresh and path in self._known.get(directory, _NOTHING).rows:
                fresh[directory] = self._look_again(directory)
            if directory in fresh and path in (rows := fresh[directory].rows):
                fresh[directory] = replace(fresh[directory], rows={one: rows[one] for one in rows if one != path})

    def _beside_recipes(self, name: str, found: Directory) -> Iterable[str]:
        """The artifacts among the directories in one whose recipes have come or gone."""
        if found.recipes.keys() == self._known.get(name, _NOTHING).recipes.keys():
            return ()
        return [child for child in found.children if child in self._known.get(child, _NOTHING).rows]


def _home(row: Artifact) -> str:
    return row.path if row.members else os.path.dirname(row.path)


def _named(directories: Iterable[Directory]) -> set[str]:
    """The files that recipes in these directories name as data, and members of those that are artifacts."""
    known = list(directories)
    named = {path for one in known for _, paths in one.recipes.values() for path in paths}
    return named.union(*(one.inner for one in known if one.inner))


def _joined(facts: Artifact, seen: Artifact) -> Artifact:
    """The facts of an inspection, joined with the last look at the file itself."""
    return replace(facts, settling=seen.settling, problem=seen.problem, recipe=seen.recipe, link=seen.link)
