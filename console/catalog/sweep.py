"""One look through a whole directory: everything that may be a model, inspected in parallel, told in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from console.catalog.scanning import Tally, scan_beneath
from console.config import STORE_DIR
from console.errors import ConsoleError, InputError
from console.files.filename_rules import is_named_as_model
from console.inspection.service import described
from console.records import Artifact, Judgement, Reason, Report, Verdict

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
