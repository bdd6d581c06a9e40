"""One look through a whole directory: everything that may be a model, inspected in parallel, told in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from console.errors import BadInput, ConsoleError
from console.loading.facts import described
from console.records import Artifact, Judgement, Reason, Report, Verdict
from console.store.listing import rows_beneath


async def sweep(
    root: Path, top: str, inspect: Callable[[Artifact], Awaitable[Report]], ahead: int
) -> AsyncIterator[Report]:
    """The reports of what lies beneath `top`, a directory of the store at `root`, at most `ahead` of them under way.

    A file that cannot be read is a report too. Raises BadInput when `top` itself cannot be listed.
    """
    listing = rows_beneath(root, top)
    waiting: deque[asyncio.Future[Report]] = deque()
    try:
        async for row in _rows(listing):
            waiting.append(asyncio.ensure_future(_one(row, inspect)))
            if len(waiting) >= ahead:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _rows(listing: Iterator[list[Artifact]]) -> AsyncIterator[Artifact]:
    while (rows := await asyncio.to_thread(next, listing, None)) is not None:
        for row in rows:
            yield row


async def _one(row: Artifact, inspect: Callable[[Artifact], Awaitable[Report]]) -> Report:
    judgement = Judgement(Verdict.UNSUPPORTED, (Reason("unreadable", f"{row.path} {row.problem}"),))
    if row.problem is None:
        try:
            return await inspect(row)
        except ConsoleError as error:
            judgement = Judgement(Verdict.DAMAGED, (Reason(error.code, error.message),))
            if not isinstance(error, BadInput):
                judgement = Judgement(None, (Reason("not-inspected", f"not inspected, because {error.message}"),))
    return Report(described(row, None, judgement), None, judgement)
