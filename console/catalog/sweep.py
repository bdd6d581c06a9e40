"""One look through a whole directory: everything that may be a model, inspected in parallel, told in order."""

from __future__ import annotations

import asyncio
import os
import stat
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.core.containers import IMAGE, TAIL, is_image, zip_record
from backends.core.registry import is_worth_opening
from console.catalog.listing import HEAD, link_not_looked_at, row_of_link, whole_row
from console.config import STORE_DIR
from console.errors import ConsoleError, InputError
from console.files import opening
from console.files.directories import members_at
from console.files.filename_rules import is_answered, is_named_as_model, is_sealed
from console.inspection.service import described
from console.os_errors import is_of_the_machine
from console.recipes import recipe
from console.records import Artifact, Judgement, Reason, Report, Verdict

_TOGETHER = 256
"""Files between two looks at what was found."""


@dataclass(slots=True)
class Tally:
    """The files of a scan that are no artifacts: `no_model` were read, `special` are never opened, by their kind."""

    no_model: int = 0
    special: Counter[str] = field(default_factory=Counter)


def scan_beneath(root: Path, top: str, tally: Tally) -> Iterator[list[Artifact]]:
    """Possible models beneath `top`, a directory of the store at `root`, a few at a time, in order of path.

    Hidden files and directories count, the console's own included. What cannot be read has a `problem`. Raises
    InputError when `top` cannot be listed.
    """
    base = opening.open_root(root)
    prefix = os.fspath(root).rstrip("/") + "/"
    try:
        waiting, inner = [top], set[str]()
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
            members = members_at(prefix + directory, names) if directory else ()
            whole = whole_row(prefix + directory, directory, members)
            if whole is not None:
                yield [whole]
            waiting.extend(beneath + name for name in reversed(names) if kinds[name])
            recipes = frozenset(name for name in names if name.endswith(recipe.RECIPE_SUFFIX))
            looks = _Looks(base, prefix, beneath, recipes, frozenset(names), tally)
            inner.update(beneath + name for name in members)
            files = [name for name in names if not kinds[name] and beneath + name not in inner]
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
        problem = opening.problem_of(status, name)
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


_NO_MODEL = ("unsupported", "no-model")
"""The reasons of a file that was read and holds no model."""


class Sweep:
    """The reports of what lies beneath `top`, a directory of the store at `root`, at most `ahead` of them under way.

    A file that cannot be read is a report too; one that holds no model, and whose name promises none, is counted in
    `tally`, which is whole once the reports have ended. Reading them raises InputError when `top` cannot be listed.
    """

    def __init__(self, root: Path, top: str, inspect: Callable[[Artifact], Awaitable[Report]], ahead: int) -> None:
        self.tally = Tally()
        self._listing = scan_beneath(root, top, self.tally)
        self._inspect = inspect
        self._ahead = ahead

    async def __aiter__(self) -> AsyncIterator[Report]:
        waiting: deque[asyncio.Future[Report]] = deque()
        try:
            async for row in _rows(self._listing):
                waiting.append(asyncio.ensure_future(self._one(row)))
                if len(waiting) >= self._ahead and not self._counted(report := await waiting.popleft()):
                    yield report
            while waiting:
                if not self._counted(report := await waiting.popleft()):
                    yield report
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _counted(self, report: Report) -> bool:
        """Whether a file is no artifact but one more that holds no model."""
        reasons, path = report.judgement.reasons, report.artifact.path
        if report.judgement.verdict is not Verdict.UNSUPPORTED or not reasons:
            return False
        own = path.startswith(f"{STORE_DIR}/") and reasons[0].code in _NO_MODEL
        if not own and (reasons[0].code not in _NO_MODEL or is_named_as_model(path)):
            return False
        self.tally.no_model += 1
        return True

    async def _one(self, row: Artifact) -> Report:
        judgement = Judgement(Verdict.UNSUPPORTED, (Reason("unreadable", f"{row.path} {row.problem}"),))
        if row.problem is None:
            try:
                return await self._inspect(row)
            except InputError as error:
                judgement = Judgement(Verdict.UNSUPPORTED, (Reason("unreadable", error.message),))
            except ConsoleError as error:
                judgement = Judgement(None, (Reason("not-inspected", f"not inspected, because {error.message}"),))
        return Report(described(row, None, judgement), None, judgement)


async def _rows(listing: Iterator[list[Artifact]]) -> AsyncIterator[Artifact]:
    while (rows := await asyncio.to_thread(next, listing, None)) is not None:
        for row in rows:
            yield row
