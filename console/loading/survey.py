"""The background look at what nobody has inspected yet: first what is on the screen, then the rest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from console.errors import ConsoleError
from console.loading.shelf import Shelf
from console.records import Artifact, Report


class Survey:
    """Feeds rows without a verdict to `inspect`, `width` at a time, and sleeps while there are none.

    The rest of the store is walked in the shelf's order, listed anew only when one walk has ended and the shelf has
    changed since, so that a large store costs one pass and not one pass a file.
    """

    def __init__(self, shelf: Shelf, inspect: Callable[[str], Awaitable[Report]], *, width: int = 1) -> None:
        self._shelf = shelf
        self._inspect = inspect
        self._width = width
        self._visible: deque[str] = deque()
        self._rest: deque[str] = deque()
        self._listed_at = -1
        self._failed: dict[str, Artifact] = {}
        self._wake = asyncio.Event()

    def look_at(self, paths: Sequence[str]) -> None:
        """These rows are on the screen: inspect them before the others."""
        self._visible = deque(paths)
        self._wake.set()

    def wake(self) -> None:
        """The shelf has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.drain()
            self._wake.clear()
            if self._listed_at == self._shelf.revision:
                await self._wake.wait()

    async def drain(self) -> None:
        """Inspect everything that waits, then return."""
        while batch := self._batch():
            await asyncio.gather(*(self._one(row) for row in batch))

    def _batch(self) -> list[Artifact]:
        batch: list[Artifact] = []
        while len(batch) < self._width:
            if not self._visible and not self._rest:
                if self._listed_at == self._shelf.revision:
                    break
                self._listed_at = self._shelf.revision
                self._rest.extend(row.path for row in self._shelf.rows() if self._needs(row))
                if not self._rest:
                    break
            path = (self._visible or self._rest).popleft()
            row = self._shelf.get(path)
            if row is not None and self._needs(row) and row not in batch:
                batch.append(row)
        return batch

    def _needs(self, row: Artifact) -> bool:
        return row.verdict is None and not row.settling and self._failed.get(row.path) != row

    async def _one(self, row: Artifact) -> None:
        try:
            await self._inspect(row.path)
        except ConsoleError:
            current = self._shelf.get(row.path)
            if current is not None:
                self._failed[row.path] = current
