"""Which files of a directory tree are artifacts: one stat a file, one look at the first bytes of a new one."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.registry import may_hold_model
from console.errors import BadInput, ConsoleError
from console.records import Artifact, FileIdentity
from console.store import recipe, sealed
from console.store.changes import Changes, diff, same_on_disk
from console.store.kinds import is_hidden, is_named_as_model, may_be_opened

__all__ = ["Catalog", "Changes", "StoreOffline", "diff", "same_on_disk"]

Cancelled = Callable[[], bool]

HEAD = 4096
_BATCH_ROWS = 512
_BATCH_SECONDS = 0.05
_GONE = (errno.ENOENT, errno.ENOTDIR)


class StoreOffline(ConsoleError):
    """The store's directory is not there, or not the one it was; what is known of it stays as it is."""

    code = "store-offline"
    exit_code = 4


@dataclass(slots=True)
class _Directory:
    """What one look at a directory found. `marks` are files known to hold no model; `recipes` maps a recipe's path to
    its identity and the data files it names."""

    rows: dict[str, Artifact] = field(default_factory=dict)
    marks: dict[str, FileIdentity] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    recipes: dict[str, tuple[FileIdentity, frozenset[str]]] = field(default_factory=dict)


_NOTHING = _Directory()


class Catalog:
    """The artifacts beneath one root. One thread at a time looks at the disk; `rows` and `learn` may be used by any.

    A look is committed as a whole or not at all: where the root vanished in between it raises StoreOffline and what
    was known stays.
    """

    def __init__(self, root: Path, *, sniff: Callable[[bytes], bool] = may_hold_model) -> None:
        self.root = root
        self._sniff = sniff
        self._prefix = os.fspath(root).rstrip("/") + "/"
        self._known: dict[str, _Directory] = {}
        self._root_identity: tuple[int, int] | None = None
        self._root_fd = -1
        self._lock = threading.Lock()

    # what is known

    def rows(self) -> dict[str, Artifact]:
        """A snapshot: path to row."""
        with self._lock:
            return {path: row for directory in self._known.values() for path, row in directory.rows.items()}

    def row(self, path: str) -> Artifact | None:
        """The row of one artifact."""
        with self._lock:
            return self._known.get(os.path.dirname(path), _NOTHING).rows.get(path)

    def marks(self) -> dict[str, FileIdentity]:
        """A snapshot of the files known to hold no model."""
        with self._lock:
            return {path: one for directory in self._known.values() for path, one in directory.marks.items()}

    def directories(self) -> int:
        """How many directories the last scan saw."""
        return len(self._known)

    def seed(self, rows: Iterable[Artifact], marks: Mapping[str, FileIdentity]) -> None:
        """Start from what an index remembers, so that untouched files need no second look inside."""
        known: dict[str, _Directory] = {}
        for row in rows:
            known.setdefault(os.path.dirname(row.path), _Directory()).rows[row.path] = row
        for path, identity in marks.items():
            known.setdefault(os.path.dirname(path), _Directory()).marks[path] = identity
        with self._lock:
            self._known = known

    def learn(self, row: Artifact) -> bool:
        """Keep what an inspection found of a file; false when the file is another one by now."""
        with self._lock:
            directory = self._known.get(os.path.dirname(row.path), _NOTHING)
            old = directory.rows.get(row.path)
            if old is None or old.identity != row.identity:
                return False
            directory.rows[row.path] = replace(row, settling=old.settling, problem=old.problem, recipe=old.recipe)
            return True

    def flag(self, path: str, *, settling: bool) -> Artifact | None:
        """Mark a row as being written to or at rest; the new row, None where nothing had to change."""
        with self._lock:
            rows = self._known.get(os.path.dirname(path), _NOTHING).rows
            old = rows.get(path)
            if old is None or old.settling == settling:
                return None
            row = rows[path] = replace(old, settling=settling)
            return row

    @property
    def root_identity(self) -> tuple[int, int] | None:
        """Device and inode of the directory that is the store, None before the first look."""
        return self._root_identity

    # looking at the disk

    def scan(self, cancelled: Cancelled = lambda: False) -> Generator[list[Artifact], None, Changes]:
        """Look at the whole tree; yields rows as they are found and returns what changed. Raises StoreOffline.

        When `cancelled` says so, the look ends early and nothing is committed.
        """
        with self._at_root():
            fresh: dict[str, _Directory] = {}
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

    def rescan(self, directories: Iterable[str]) -> Changes:
        """Look again at single directories ("" = the root): new ones beneath them too. Raises StoreOffline."""
        with self._at_root():
            fresh: dict[str, _Directory] = {}
            gone: set[str] = set()
            for directory in sorted({self._existing(directory) for directory in directories}):
                if directory in fresh:
                    continue
                old = self._known.get(directory, _NOTHING)
                fresh[directory] = self._look(directory)
                for child in fresh[directory].children:
                    if child not in self._known:
                        for _ in self._walk(child, fresh, lambda: False):
                            pass
                gone.update(self._beneath(set(old.children) - set(fresh[directory].children)))
            self._settle_data(fresh, set(fresh) | gone)
            return self._commit(fresh, set(fresh) | gone)

    def _existing(self, directory: str) -> str:
        """The directory itself, or the nearest one above it that is known and still there: what is new is found from
        above, so that every known directory is its parent's child."""
        while directory and (directory not in self._known or not os.path.isdir(self._prefix + directory)):
            directory = os.path.dirname(directory)
        return directory

    def _beneath(self, tops: set[str]) -> set[str]:
        return (
            {path for path in self._known for top in tops if path == top or path.startswith(top + "/")}
            if tops
            else set()
        )

    @contextmanager
    def _at_root(self) -> Iterator[None]:
        """The time of one look: the root checked, and held open no longer than that, since it may be unmounted."""
        self.check_root()
        try:
            self._root_fd = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._offline(error) from None
        try:
            yield
        finally:
            os.close(self._root_fd)
            self._root_fd = -1

    def _commit(self, fresh: dict[str, _Directory], replaced: set[str]) -> Changes:
        self.check_root()
        with self._lock:
            old = {
                path: row for name in replaced if name in self._known for path, row in self._known[name].rows.items()
            }
            new = {path: row for directory in fresh.values() for path, row in directory.rows.items()}
            for name in replaced - set(fresh):
                self._known.pop(name, None)
            self._known.update(fresh)
        return diff(old, new)

    def _walk(self, top: str, fresh: dict[str, _Directory], cancelled: Cancelled) -> Iterator[list[Artifact]]:
        waiting, due = [top], time.monotonic() + _BATCH_SECONDS
        batch: list[Artifact] = []
        while waiting and not cancelled():
            directory = waiting.pop()
            found = fresh[directory] = self._look(directory)
            waiting.extend(reversed(found.children))
            batch.extend(found.rows.values())
            if batch and (len(batch) >= _BATCH_ROWS or time.monotonic() > due):
                yield batch
                batch, due = [], time.monotonic() + _BATCH_SECONDS
        if batch:
            yield batch

    def _look(self, directory: str) -> _Directory:
        old = self._known.get(directory, _NOTHING)
        try:
            with os.scandir(self._prefix + directory) as entries:
                return self._sort(directory, entries, old)
        except OSError as error:
            if not directory:
                raise self._offline(error) from None
            if error.errno in _GONE:
                return _Directory()
            if error.errno not in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG):
                return old
            problem = f"directory {sealed.words_of(error)}"
            return _Directory({directory: Artifact(directory, 0, 0.0, problem=problem)})

    def _sort(self, directory: str, entries: Iterator[os.DirEntry[str]], old: _Directory) -> _Directory:
        found, files, children = _Directory(), [], []
        beneath = directory + "/" if directory else ""
        for entry in entries:
            name = entry.name
            if is_hidden(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                children.append(beneath + name)
            elif name.endswith(recipe.RECIPE_SUFFIX):
                self._read_recipe(entry, beneath + name, old, found)
            elif may_be_opened(name):
                files.append(entry)
        found.children = tuple(sorted(children))
        for entry in files:
            self._add(entry, beneath, old, found)
        return found

    def _read_recipe(self, entry: os.DirEntry[str], path: str, old: _Directory, found: _Directory) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        if not stat.S_ISREG(status.st_mode):
            return
        identity = sealed.identity_of(status)
        known = old.recipes.get(path)
        if known is None or known[0] != identity:
            named = recipe.data_paths(Path(self._prefix + path))
            inside = frozenset(one[len(self._prefix) :] for one in named if one.startswith(self._prefix))
            known = (identity, inside)
        found.recipes[path] = known

    def _add(self, entry: os.DirEntry[str], beneath: str, old: _Directory, found: _Directory) -> None:
        path = beneath + entry.name
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            if error.errno not in _GONE:
                found.rows[path] = Artifact(path, 0, 0.0, problem=sealed.words_of(error))
            return
        beside = self._recipe_of(entry.name, beneath, found) if found.recipes else None
        row = old.rows.get(path)
        if row is not None and _is_same(row.identity, status):
            found.rows[path] = row if row.recipe == beside else replace(row, recipe=beside)
            return
        mark = old.marks.get(path)
        if mark is not None and _is_same(mark, status):
            found.marks[path] = mark
            return
        identity = sealed.identity_of(status)
        problem = sealed.problem_of(status)
        if problem is None:
            verdict = self._look_inside(path)
            problem = None if isinstance(verdict, bool) else verdict
            worth = verdict is True
        else:
            worth = False
        if worth or (problem is not None and is_named_as_model(entry.name)):
            found.rows[path] = Artifact(
                path, status.st_size, status.st_mtime, identity=identity, problem=problem, recipe=beside
            )
        else:
            found.marks[path] = identity

    def _recipe_of(self, name: str, beneath: str, found: _Directory) -> str | None:
        return next((one for name in recipe.recipe_names(name) if (one := beneath + name) in found.recipes), None)

    def _look_inside(self, path: str) -> bool | str:
        """Whether a model may be in the file, or why it cannot be told."""
        try:
            fd = sealed.open_beneath(self._root_fd, path)
        except OSError as error:
            return sealed.words_of(error)
        try:
            return self._sniff(os.pread(fd, HEAD, 0))
        except OSError as error:
            return sealed.words_of(error)
        finally:
            os.close(fd)

    def _settle_data(self, fresh: dict[str, _Directory], replaced: set[str]) -> None:
        """Take out the files that a recipe anywhere names as data, and bring back those that none names any more."""
        before = {path for one in self._known.values() for _, named in one.recipes.values() for path in named}
        kept = {
            path
            for name, one in self._known.items()
            if name not in replaced
            for _, named in one.recipes.values()
            for path in named
        }
        now = kept | {path for one in fresh.values() for _, named in one.recipes.values() for path in named}
        for path in before - now:
            directory = os.path.dirname(path)
            if directory not in fresh and directory in self._known:
                fresh[directory] = self._look(directory)
        for path in now:
            directory = os.path.dirname(path)
            if directory not in fresh and path in self._known.get(directory, _NOTHING).rows:
                fresh[directory] = self._look(directory)
            if directory in fresh:
                fresh[directory].rows.pop(path, None)

    # the root

    def check_root(self) -> None:
        """Make sure that the store is there and the one it was. Raises StoreOffline.

        Another directory in its place is taken for the store as soon as something is in it: an empty one is what
        an unmounted file system leaves behind.
        """
        try:
            status = os.stat(self.root)
            if not stat.S_ISDIR(status.st_mode):
                raise StoreOffline(f"the store {self.root} is no longer a directory")
            identity = (status.st_dev, status.st_ino)
            if self._root_identity not in (None, identity) and not os.listdir(self.root):
                raise StoreOffline(
                    f"the store {self.root} was replaced by an empty directory", hint="is it still mounted?"
                )
        except OSError as error:
            raise self._offline(error) from None
        if self._root_fd < 0:
            self._root_identity = identity
        elif identity != self._root_identity:
            raise StoreOffline(f"the store {self.root} was replaced while it was being read")

    def _offline(self, error: OSError) -> StoreOffline:
        hint = "is it still mounted, or was it renamed?"
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = "this user may not read it"
        return StoreOffline(f"the store {self.root} cannot be reached: {error.strerror}", hint=hint)


def _is_same(identity: FileIdentity | None, status: os.stat_result) -> bool:
    return (
        identity is not None
        and identity.modified_ns == status.st_mtime_ns
        and identity.changed_ns == status.st_ctime_ns
        and identity.size == status.st_size
        and identity.inode == status.st_ino
        and identity.device == status.st_dev
    )


def row_of(root: Path, path: str) -> Artifact:
    """The row of one path, without a scan. Raises BadInput when nothing is there."""
    whole = root / path
    try:
        status = os.lstat(whole)
    except OSError as error:
        raise BadInput(f"{path} {sealed.words_of(error)}") from None
    beside = recipe.recipe_path(whole)
    return Artifact(
        path,
        status.st_size,
        status.st_mtime,
        identity=sealed.identity_of(status),
        problem=sealed.problem_of(status),
        recipe=None if beside is None else os.path.relpath(beside, root),
    )
