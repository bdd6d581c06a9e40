"""Long work on the event loop in small parts, between which keys have their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = 256
"""Items that are gone through at a stretch: some tenths of a millisecond."""


async def cooperative(items: Iterable[T]) -> AsyncIterator[T]:
    """The same items, giving way now and then to whatever else waits for the event loop."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
