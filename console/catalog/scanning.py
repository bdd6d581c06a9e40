"""A scan of a directory tree: no file in it is passed over by its name, and what is not looked into is counted."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.core.containers import IMAGE, TAIL, is_image, zip_record
from backends.core.directories import members_of
from backends.core.registry import is_worth_opening
from console.catalog.listing import HEAD, link_not_looked_at, row_of_link
from console.files import opening
from console.files.directories import row_of_directory
from console.files.filename_rules import is_answered, is_named_as_model, is_sealed
from console.os_errors import is_of_the_machine
from console.recipes import recipe
from console.records import Artifact

_TOGETHER = 256
"""Files between two looks at what was found."""


@dataclass(slots=True)
class Tally:
    """The files of a scan that are no artifacts: `no_model` were read, `special` are never opened, by their kind."""

    no_model: int = 0
    special: Counter[str] = field(default_factory=Counter)


def scan_beneath(root: Path, top: str, tally: Tally) -> Iterator[list[Artifact]]:
    """What may be a model beneath `top`, a directory of the store at `root`, a few at a time, in order of path.

    Hidden files and directories count, the console's own included. What cannot be read has a `problem`. Raises
    InputError when `top` cannot be listed.
    """
    base = opening.open_root(root)
    prefix = os.fspath(root).rstrip("/") + "/"
    try:
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            try:
                with os.scandir(prefix + directory) as entries:
                    kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
            except OSError as error:
                if directory == top:
                    raise opening.cannot_read(str(root / top), error) from None
                yield [Artifact(directory, 0, 0.0, problem=f"directory {opening.words_of(error)}")]
                continue
            beneath = directory + "/" if directory else ""
            names = sorted(kinds)
            whole = row_of_directory(prefix + directory, directory, names) if directory else None
            if whole is not None:
                yield [whole]
            waiting.extend(beneath + name for name in reversed(names) if kinds[name])
            recipes = frozenset(name for name in names if name.endswith(recipe.RECIPE_SUFFIX))
            looks = _Looks(base, prefix, beneath, recipes, frozenset(names), tally)
            members = members_of(names) if whole is not None else ()
            files = [name for name in names if not kinds[name] and name not in members]
            for first in range(0, len(files), _TOGETHER):
                found = map(looks.look, files[first : first + _TOGETHER])
                yield [row for row in found if row is not None]
    finally:
        os.close(base)


@dataclass(slots=True)
class _Looks:
    """The files of one directory: its path is `prefix` + `beneath`, and the store is open as `root`."""

    root: int
    prefix: str
    beneath: str
    recipes: frozenset[str]
    names: frozenset[str]
    tally: Tally

    def look(self, name: str) -> Artifact | None:
        """The row of one file, None where it is counted instead."""
        path = self.beneath + name
        try:
            status = os.lstat(self.prefix + path)
        except OSError as error:
            return Artifact(path, 0, 0.0, problem=opening.words_of(error))
        promised = is_named_as_model(name) and not is_answered(name, self.names)
        if stat.S_ISLNK(status.st_mode):
            return self._look_at_link(name, path, status, promised)
        problem = opening.problem_of(status)
        worth: bool | str = False
        if not stat.S_ISREG(status.st_mode):
            if not promised:
                self.tally.special[opening.kind_of(status.st_mode)] += 1
                return None
        elif status.st_size:
            worth = self._look_inside(path)
        if not worth and not promised:
            self.tally.no_model += 1
            return None
        if isinstance(worth, str):
            problem = worth
        identity = opening.identity_of(status)
        beside = self._recipe_of(name)
        return Artifact(path, status.st_size, status.st_mtime, identity=identity, problem=problem, recipe=beside)

    def _recipe_of(self, name: str) -> str | None:
        return next((self.beneath + one for one in recipe.recipe_names(name) if one in self.recipes), None)

    def _look_at_link(self, name: str, path: str, status: os.stat_result, promised: bool) -> Artifact | None:
        """The row of a link; one that promises nothing and leads to no model is counted."""
        fd = -1
        try:
            led, fd = opening.follow_link(self.root, path)
            worth = fd >= 0 and _is_worth(fd)
        except OSError as error:
            return link_not_looked_at(path, error)
        finally:
            if fd >= 0:
                os.close(fd)
        if not (worth or promised or is_named_as_model(os.path.basename(led.place))):
            self.tally.special[opening.kind_of(status.st_mode)] += 1
            return None
        return replace(row_of_link(path, status, led), recipe=self._recipe_of(name))

    def _look_inside(self, path: str) -> bool | str:
        """Whether a model or an archive may be in a file, by its first and last bytes, or why it cannot be told.

        Where the machine cannot look now, it may.
        """
        try:
            fd = opening.open_beneath(self.root, path)
            try:
                return _is_worth(fd)
            finally:
                os.close(fd)
        except OSError as error:
            return is_of_the_machine(error) or opening.words_of(error)


def _is_worth(fd: int) -> bool:
    """Whether a model or an archive may be in an open file. Raises OSError."""
    head = os.pread(fd, HEAD, 0)
    size = os.fstat(fd).st_size
    if is_sealed(head) or is_worth_opening(head, size):
        return True
    if size <= len(head):
        return zip_record(head) is not None
    if is_image(os.pread(fd, IMAGE[1], IMAGE[0])):
        return True
    return zip_record(os.pread(fd, TAIL, max(0, size - TAIL))) is not None
