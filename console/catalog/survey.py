"""The background look at what nobody has inspected yet: first what is on the screen, then the rest."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from console.catalog.artifact_rows import ArtifactRows
from console.errors import ConsoleError, InputError
from console.records import Artifact, Report

_DAY = 86_400.0
_OLDEST_DAYS = 4_000
_LARGEST = 2**40
AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""After so long, ever longer, what the machine kept from being inspected is tried again."""


class Survey:
    """Feeds rows without a verdict to `inspect`, `width` at a time, and sleeps while there are none. What the machine
    kept from being inspected is tried again after a while.

    What is on the screen comes first. The rest of the store is listed anew only when one walk through it has ended and
    the rows have changed since, so that a large store costs one pass and not one pass a file: what was changed lately
    before what is old, and within a day the small before the large.
    """

    def __init__(self, rows: ArtifactRows, inspect: Callable[[str], Awaitable[Report]], *, width: int = 1) -> None:
        self._rows = rows
        self._inspect = inspect
        self._width = width
        self._visible: deque[str] = deque()
        self._rest: deque[str] = deque()
        self._listed_at = -1
        self._under_way: set[str] = set()
        self._failed: dict[str, Artifact] = {}
        self._put_off: set[str] = set()
        self._in_vain = 0
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many of the store's rows wait for their inspection."""
        return len(self._rest) + len(self._under_way)

    def look_at(self, paths: Sequence[str]) -> None:
        """These rows are on the screen: inspect them before the others."""
        self._visible = deque(paths)
        self._wake.set()

    def wake(self) -> None:
        """The rows have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.drain()
            self._wake.clear()
            if self._put_off:
                await self._pause()
            elif self._listed_at == self._rows.revision:
                await self._wake.wait()

    async def _pause(self) -> None:
        """Wait for a change, or until what was put off is due again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_SECONDS[min(self._in_vain, len(AGAIN_SECONDS) - 1)]):
                await self._wake.wait()
                return
        self._in_vain += 1
        self._put_off.clear()
        self._listed_at = -1

    async def drain(self) -> None:
        """Inspect everything that waits, then return."""
        while self._visible or self._rest or await self._list():
            async with asyncio.TaskGroup() as group:
                for _ in range(self._width):
                    group.create_task(self._work())

    async def _list(self) -> bool:
        if self._listed_at == self._rows.revision:
            return False
        self._listed_at = self._rows.revision
        rows = [row for row in self._rows.rows() if self._needs(row)]
        self._rest.extend(await asyncio.to_thread(_by_priority, rows, time.time()))
        return bool(self._rest)

    async def _work(self) -> None:
        while (row := self._next()) is not None:
            self._under_way.add(row.path)
            try:
                await self._one(row)
            finally:
                self._under_way.discard(row.path)

    def _next(self) -> Artifact | None:
        while self._visible or self._rest:
            path = (self._visible or self._rest).popleft()
            row = self._rows.get(path)
            if row is not None and path not in self._under_way and self._needs(row):
                return row
        return None

    def _needs(self, row: Artifact) -> bool:
        known = row.verdict is not None or row.settling or row.path in self._put_off
        return not known and self._failed.get(row.path) != row

    async def _one(self, row: Artifact) -> None:
        try:
            report = await self._inspect(row.path)
        except ConsoleError as error:
            self._not_inspected(row, error)
            return
        if report.judgement.verdict is None:
            self._put_off.add(row.path)
            return
        self._in_vain = 0
        current = self._rows.get(row.path)
        if current is not None and current.verdict is None and current.identity == row.identity:
            self._failed[row.path] = current

    def _not_inspected(self, row: Artifact, error: ConsoleError) -> None:
        """No inspection came about: the row says why, and is tried again where that was not the file's fault."""
        current = self._rows.get(row.path)
        if current is not None and current.identity == row.identity:
            self._rows.put([replace(current, why=f"not inspected, because {error.message}")])
            current = self._rows.get(row.path)
        if not isinstance(error, InputError):
            self._put_off.add(row.path)
        elif current is not None:
            self._failed[row.path] = current


def _by_priority(rows: list[Artifact], now: float) -> list[str]:
    """Paths in the order they are worth a look; one number a row, since numbers sort fastest."""

    def rank(row: Artifact) -> float:
        days = min(max(0.0, now - row.modified) // _DAY, _OLDEST_DAYS)
        return days * _LARGEST + min(row.size, _LARGEST - 1)

    return [row.path for row in sorted(rows, key=rank)]
