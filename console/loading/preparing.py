"""The artifact an operator looks at is judged before they load it: then a load has only the bytes' digest to take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from console.errors import ConsoleError
from console.loading.facts import Judged
from console.loading.kept_opened import KeptOpened
from console.loading.shelf import Shelf
from console.records import FileIdentity, Verdict

__all__ = ["Preparing"]

REST_S = 0.15
"""Whoever moves on within this time only passed by."""
LIMIT = 16 << 20
"""Larger files are left alone: to read them is more than a look."""

Seals = Callable[[str], Awaitable[Judged]]
"""Freezes the bytes at a path and judges just those; the caller closes them. Raises ConsoleError."""


class Preparing:
    """Has one artifact at a time sealed and judged, which leaves what its inspector told (see `Remembered`) and, as
    long as it is looked at, what it opened.

    It decides nothing: a load seals and judges anew. What is not safe is not prepared, since it needs a word first.
    """

    def __init__(self, shelf: Shelf, seals: Seals, kept: KeptOpened) -> None:
        self._shelf = shelf
        self._seals = seals
        self._kept = kept
        self._about: tuple[str, FileIdentity | None] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def look_at(self, path: str) -> None:
        """The operator stands on this one now."""
        row = self._shelf.get(path)
        if row is None or row.verdict is not Verdict.SAFE or row.settling or row.sealed or row.size > LIMIT:
            self._give_up()
        elif self._about != (path, row.identity):
            self._give_up()
            self._about = path, row.identity
            self._waiting = asyncio.get_running_loop().create_task(self._prepare(path))
            self._tasks.add(self._waiting)
            self._waiting.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Prepare nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.drop()

    async def _prepare(self, path: str) -> None:
        about = self._about
        await asyncio.sleep(REST_S)
        self._waiting = None
        with suppress(ConsoleError), (await self._seals(path)).bytes as content:
            if self._about == about:
                self._kept.put(content)

    def _give_up(self) -> None:
        """Forget one that was only passed by; one that is being judged goes on."""
        self._about = None
        self._kept.drop()
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
