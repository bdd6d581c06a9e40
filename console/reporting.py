"""Long work that tells of its progress, as an async iterator of records of which the last has the result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

R = TypeVar("R")


async def reported(work: Callable[[Callable[[R], None]], Awaitable[R]]) -> AsyncIterator[R]:
    """Reports that `work` makes by the function it is given, then its result; it ends when nobody wants more."""
    queue: asyncio.Queue[R | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(queue.put_nowait))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (told := await queue.get()) is not None:
            yield told
        yield await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
