"""One directory of a store: which of its files are artifacts, by their names, their stat and their first bytes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.core.containers import TAIL, is_zip
from console.files import opening
from console.files.directories import members_at, row_of_directory
from console.files.filename_rules import (
    is_answered,
    is_hidden,
    is_named_as_model,
    is_named_as_text,
    is_told_model,
    may_be_opened,
)
from console.os_errors import is_of_the_machine
from console.recipes import recipe
from console.records import Artifact, FileIdentity


@dataclass(frozen=True, slots=True)
class Changes:
    """Differences between two looks at the disk. `removed` holds paths."""

    added: tuple[Artifact, ...] = ()
    changed: tuple[Artifact, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def rows(self) -> dict[str, Artifact | None]:
        """Path to its new row, None for one that is gone."""
        now: dict[str, Artifact | None] = {row.path: row for row in (*self.added, *self.changed)}
        now.update(dict.fromkeys(self.removed))
        return now


def same_on_disk(old: Artifact, new: Artifact) -> bool:
    """Whether two rows tell the same of the file itself, whatever else is known of them."""
    return (
        old.identity == new.identity
        and old.problem == new.problem
        and old.link == new.link
        and old.recipe == new.recipe
        and old.settling == new.settling
    )


def joined(parts: Iterable[Changes]) -> Changes:
    """Differences of several directories as one; what went from one and came to another has changed."""
    added: dict[str, Artifact] = {}
    changed: list[Artifact] = []
    removed: dict[str, None] = {}
    for part in parts:
        added.update((row.path, row) for row in part.added)
        changed += part.changed
        removed.update(dict.fromkeys(part.removed))
    moved = [path for path in removed if path in added]
    changed += [added.pop(path) for path in moved]
    for path in moved:
        del removed[path]
    return Changes(tuple(added.values()), tuple(changed), tuple(removed))


def diff(old: Mapping[str, Artifact], new: Mapping[str, Artifact]) -> Changes:
    """The changes that turn `old` into `new`."""
    added, changed = [], []
    for path, row in new.items():
        before = old.get(path)
        if before is None:
            added.append(row)
        elif before is not row and not same_on_disk(before, row):
            changed.append(row)
    return Changes(tuple(added), tuple(changed), tuple(path for path in old if path not in new))


HEAD = 4096
GONE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(slots=True)
class Directory:
    """Content of one directory at one look. `marks` are files known to hold no model; `recipes` maps a recipe's path to
    its identity and the data files it names; `inner` are paths of files in directories beneath that are members of
    the artifact which this directory is; `links` tells whether any row is a link."""

    rows: dict[str, Artifact] = field(default_factory=dict)
    marks: dict[str, FileIdentity] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    recipes: dict[str, tuple[FileIdentity, frozenset[str]]] = field(default_factory=dict)
    inner: frozenset[str] = frozenset()
    links: bool = False


class Lister:
    """Lists the directories beneath the store's root, which is open as `root` and whose path is `prefix`.

    `sniff` tells from the first bytes of a file whether a model may be in it.
    """

    def __init__(self, root: int, prefix: str, sniff: Callable[[bytes], bool]) -> None:
        self._root = root
        self._prefix = prefix
        self._sniff = sniff

    def look(self, directory: str, old: Directory) -> Directory:
        """List one directory; `old` is what was known of it, so that untouched files are not opened again.

        Raises OSError when the directory itself cannot be listed.
        """
        with os.scandir(self._prefix + directory) as entries:
            return self._sort(directory, entries, old)

    def _sort(self, directory: str, entries: Iterator[os.DirEntry[str]], old: Directory) -> Directory:
        found, files, children, names = Directory(), [], [], set[str]()
        beneath = directory + "/" if directory else ""
        for entry in entries:
            name = entry.name
            if is_hidden(name):
                continue
            names.add(name)
            if entry.is_dir(follow_symlinks=False):
                children.append(beneath + name)
            elif name.endswith(recipe.RECIPE_SUFFIX):
                self._read_recipe(entry, beneath + name, old, found)
            elif may_be_opened(name):
                files.append(entry)
        found.children = tuple(sorted(children))
        members = self._add_whole(directory, names, old, found) if directory else ()
        for entry in files:
            if not is_answered(entry.name, names) and entry.name not in members:
                self._add(entry, beneath, old, found)
        return found

    def _add_whole(self, directory: str, names: set[str], old: Directory, found: Directory) -> tuple[str, ...]:
        """Add the row of the directory itself where it is an artifact; the names of its members."""
        members = members_at(self._prefix + directory, names)
        row = whole_row(self._prefix + directory, directory, members)
        if row is None:
            return ()
        found.inner = frozenset(f"{directory}/{name}" for name in members if "/" in name)
        before = old.rows.get(directory)
        same = before is not None and (before.identity, before.problem) == (row.identity, row.problem)
        if before is not None and same:
            row = before if before.recipe == row.recipe else replace(before, recipe=row.recipe)
        found.rows[directory] = row
        return members

    def recipes_of(self, directory: str) -> Directory:
        """The recipes of one directory and nothing else of it. Raises OSError."""
        found, beneath = Directory(), directory + "/" if directory else ""
        with os.scandir(self._prefix + directory) as entries:
            for entry in entries:
                if entry.name.endswith(recipe.RECIPE_SUFFIX) and not is_hidden(entry.name):
                    self._read_recipe(entry, beneath + entry.name, Directory(), found)
        return found

    def _read_recipe(self, entry: os.DirEntry[str], path: str, old: Directory, found: Directory) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        if not stat.S_ISREG(status.st_mode):
            return
        identity = opening.identity_of(status)
        known = old.recipes.get(path)
        if known is None or known[0] != identity:
            named = recipe.data_paths(Path(self._prefix + path))
            inside = frozenset(one[len(self._prefix) :] for one in named if one.startswith(self._prefix))
            known = (identity, inside)
        found.recipes[path] = known

    def _add(self, entry: os.DirEntry[str], beneath: str, old: Directory, found: Directory) -> None:
        path = beneath + entry.name
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            if error.errno not in GONE:
                found.rows[path] = Artifact(path, 0, 0.0, problem=opening.words_of(error))
            return
        beside = self._recipe_of(entry.name, beneath, found) if found.recipes else None
        if stat.S_ISLNK(status.st_mode):
            row = self._linked(path, status, old.rows.get(path), beside)
            if row is not None:
                found.rows[path], found.links = row, True
            return
        row = old.rows.get(path)
        if row is not None and row.identity == opening.identity_of(status):
            found.rows[row.path] = row if row.recipe == beside else replace(row, recipe=beside)
            return
        mark = old.marks.get(path)
        if mark is not None and mark == opening.identity_of(status):
            found.marks[path] = mark
            return
        identity = opening.identity_of(status)
        problem = opening.problem_of(status, path)
        if problem is None:
            verdict = self._look_inside(path)
            problem = verdict if isinstance(verdict, str) else None
            worth = verdict is True
            known = verdict is not None
        else:
            worth, known = False, True
        if worth or is_named_as_model(entry.name):
            found.rows[path] = Artifact(
                path, status.st_size, status.st_mtime, identity=identity, problem=problem, recipe=beside
            )
        elif known:
            found.marks[path] = identity

    def _linked(self, path: str, status: os.stat_result, old: Artifact | None, beside: str | None) -> Artifact | None:
        """The row of a link, None where neither its name nor what it leads to promises a model."""
        fd = -1
        try:
            led, fd = opening.follow_link(self._root, path)
            row = replace(row_of_link(path, status, led), recipe=beside)
            if old is not None and (old.identity, old.link, old.problem) == (row.identity, row.link, row.problem):
                return old if old.recipe == beside else replace(old, recipe=beside)
            named = is_named_as_model(os.path.basename(path)) or is_named_as_model(os.path.basename(led.place))
            return row if named or (fd >= 0 and self._sniffs(path)(_first_bytes(fd))) else None
        except OSError as error:
            return old or link_not_looked_at(path, error)
        finally:
            if fd >= 0:
                os.close(fd)

    def _recipe_of(self, name: str, beneath: str, found: Directory) -> str | None:
        return next((one for name in recipe.recipe_names(name) if (one := beneath + name) in found.recipes), None)

    def _sniffs(self, path: str) -> Callable[[bytes], bool]:
        """The judge of a file's first bytes: under a name that much else has, it has to be told by them for certain."""
        return is_told_model if is_named_as_text(os.path.basename(path)) else self._sniff

    def _look_inside(self, path: str) -> bool | str | None:
        """Whether a model may be in the file, or why it cannot be told; None where the machine cannot look now."""
        try:
            fd = opening.open_beneath(self._root, path)
            try:
                return self._sniffs(path)(_first_bytes(fd))
            finally:
                os.close(fd)
        except OSError as error:
            return None if is_of_the_machine(error) else opening.words_of(error)


def _first_bytes(fd: int) -> bytes:
    """The first bytes of an open file, and the last ones of a zip archive, which name its members. Raises OSError."""
    head = os.pread(fd, HEAD, 0)
    size = os.fstat(fd).st_size if is_zip(head) else 0
    return head + os.pread(fd, min(TAIL, size - HEAD), max(HEAD, size - TAIL)) if size > HEAD else head


def row_of_link(path: str, link: os.stat_result, led: opening.Led) -> Artifact:
    """The row of a link: with the size and identity of what it leads to, or its own where it is not followed."""
    status = led.status or link
    problem = led.problem or opening.problem_of(status, led.place)
    identity = opening.identity_of(status)
    return Artifact(path, status.st_size, status.st_mtime, identity=identity, problem=problem, link=led.place)


def link_not_looked_at(path: str, error: OSError) -> Artifact:
    """The row of a link that could not be followed now; where that is the machine's fault, nothing is said of it."""
    return Artifact(path, 0, 0.0, problem=None if is_of_the_machine(error) else opening.words_of(error), link="")


def whole_row(place: str | Path, path: str, members: Collection[str]) -> Artifact | None:
    """The row of a directory that is an artifact of these members, with the recipe that lies beside it; None where it
    has none. Raises OSError."""
    row = row_of_directory(place, path, members)
    beside = None if row is None else recipe.recipe_path(Path(place))
    if row is None or beside is None:
        return row
    return replace(row, recipe=os.path.join(os.path.dirname(path), beside.name))


def row_of(root: Path, path: str) -> Artifact:
    """The row of one path, without a scan. Raises InputError when nothing is there."""
    whole = root / path
    try:
        status = os.lstat(whole)
        members = members_at(whole, os.listdir(whole)) if stat.S_ISDIR(status.st_mode) else ()
        row = whole_row(whole, path, members)
    except OSError as error:
        raise opening.cannot_read(path, error) from None
    if row is not None:
        return row
    beside = recipe.recipe_path(whole)
    if stat.S_ISLNK(status.st_mode):
        return replace(
            _row_of_one_link(root, path, status), recipe=None if beside is None else os.path.relpath(beside, root)
        )
    return Artifact(
        path,
        status.st_size,
        status.st_mtime,
        identity=opening.identity_of(status),
        problem=opening.problem_of(status, path),
        recipe=None if beside is None else os.path.relpath(beside, root),
    )


def _row_of_one_link(root: Path, path: str, status: os.stat_result) -> Artifact:
    base = opening.open_root(root)
    try:
        led, fd = opening.follow_link(base, path)
        if fd >= 0:
            os.close(fd)
        return row_of_link(path, status, led)
    except OSError as error:
        raise opening.cannot_read(path, error) from None
    finally:
        os.close(base)
