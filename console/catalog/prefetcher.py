"""Prefetch: the artifact that is selected is inspected before its load, which then has only the digest to take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from console.catalog.artifact_rows import ArtifactRows
from console.errors import ConsoleError
from console.inspection.service import Judged
from console.records import FileIdentity, Verdict

REST_S = 0.15
"""Whoever moves on within this time only passed by."""
LIMIT = 16 << 20
"""Larger files are left alone: to read them is more than a look."""

Seals = Callable[[str], Awaitable[Judged]]
"""Freezes the bytes at a path and judges just those; the caller closes them. Raises ConsoleError."""


class Prefetcher:
    """Has the selected artifact frozen and judged once, which leaves its inspection in the `InspectionCache`.

    It decides nothing: a load freezes and judges anew. What is not safe is not prefetched, since it needs a word first.
    """

    def __init__(self, rows: ArtifactRows, seals: Seals) -> None:
        self._rows = rows
        self._seals = seals
        self._selected: tuple[str, FileIdentity | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def look_at(self, path: str) -> None:
        """Select the artifact at this path; what is being judged goes on."""
        row = self._rows.get(path)
        fits = row is not None and row.verdict is Verdict.SAFE and not (row.settling or row.sealed or row.size > LIMIT)
        selected = (path, row.identity) if row is not None and fits else None
        if selected == self._selected:
            return
        self._selected = selected
        if self._timer is not None:
            self._timer.cancel()
        if selected is not None:
            self._timer = asyncio.get_running_loop().call_later(REST_S, self._begin, path)

    async def close(self) -> None:
        """Prefetch nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, path: str) -> None:
        task = asyncio.get_running_loop().create_task(self._prepare(path))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prepare(self, path: str) -> None:
        with suppress(ConsoleError):
            (await self._seals(path)).bytes.close()
