"""Keeps the rows in step with the engine: events wake it, bursts are taken together, and it sleeps in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from console.errors import EngineGoneError
from console.records import Artifact, Changes, WorkerState
from console.ui.rows import Row
from console.ui.states import GONE

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

GATHER_SECONDS = 0.05
"""How long events are gathered before the screens hear of them."""
LIVE_SECONDS = 0.5
"""How often measured values of loaded models are read again."""


class Follower:
    """The one task that changes `app.rows`."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._wake = asyncio.Event()
        self.filtered = asyncio.Event()
        """Whether the rows that are shown are those of the filter that was asked for last."""
        self.filtered.set()
        self._touched: set[str] = set()
        self._anew = False
        self._live: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._changes: asyncio.Task[Changes] | None = None

    def start(self) -> None:
        """Follow from now on."""
        self._task = asyncio.create_task(self._run(), name="follow the engine")
        self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Listen no more."""
        for task in (self._task, self._changes):
            if task is not None:
                task.cancel()

    def touch(self, path: str) -> None:
        """Look at one row again."""
        self._touched.add(path)
        self._wake.set()

    def arrange(self, **order: Any) -> None:
        """Sort or filter anew: what is named of an `Order` is another than what was asked for before.

        What is typed while rows are being sorted counts at once, not after an order nobody waits for.
        """
        self._anew = True
        self._app.rows.asked = self._app.rows.asked._replace(**order)
        if "wanted" in order:
            self.filtered.clear()
        self._wake.set()

    async def catch_up(self) -> None:
        """Take over everything the engine knows."""
        await self._app.mirror.catch_up()
        await self._take_all()

    async def _take_all(self) -> None:
        mirror, rows = self._app.mirror, self._app.rows
        self._live = {path for path, worker in mirror.workers.items() if worker.state is not WorkerState.ENDED}
        removed = [row for path in self._live - mirror.rows.keys() if (row := self._row(path)) is not None]
        listed = (
            self._row(path) or Row(artifact) if path in self._live else Row(artifact)
            for path, artifact in mirror.rows.items()
        )
        await rows.replace_all(chain(listed, removed))

    async def _run(self) -> None:
        while True:
            try:
                changes = await self._changed()
            except EngineGoneError as error:
                self._changes = None
                await self._app.find_engine(error)
                changes = [await self._app.mirror.catch_up()]
            events = tuple(event for one in changes for event in one.events)
            for event in events:
                if event.kind.startswith("worker."):
                    self._app.operations.pending.pop(event.subject, None)
            touched, self._touched = self._touched.union(*map(_paths_of, changes)), set()
            anew, self._anew = self._anew, False
            if any(one.everything for one in changes):
                await self._take_all()
            for path in touched | self._live:
                self._refresh(path)
            if anew:
                await self._app.rows.arrange(self._app.rows.asked, outdated=lambda: self._anew)
            await self._app.spread(events)
            if not self._anew:
                self.filtered.set()

    async def _changed(self) -> list[Changes]:
        """The changes, once something happens here or there; measured values are a reason while something is
        loaded. The mirror has each change at once, the screens hear of those that come together."""
        mirror, loop = self._app.mirror, asyncio.get_running_loop()
        woken = asyncio.create_task(self._wake.wait())
        taken = await self._fed(LIVE_SECONDS if self._live else None, woken)
        woken.cancel()
        gathered = loop.time() + (GATHER_SECONDS if not self._anew and (taken or self._wake.is_set()) else 0.0)
        while (left := gathered - loop.time()) > 0:
            taken += await self._fed(left)
        self._wake.clear()
        return taken or [await mirror.catch_up()]

    async def _fed(self, limit: float | None, *others: asyncio.Task[Any]) -> list[Changes]:
        """Feed the mirror with what changes within the limit, unless something else comes first."""
        self._changes = self._changes or asyncio.create_task(self._app.mirror.follow())
        await asyncio.wait((self._changes, *others), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not self._changes.done():
            return []
        changes, self._changes = self._changes.result(), None
        return [changes]

    def _refresh(self, path: str) -> None:
        row = self._row(path)
        rows = self._app.rows
        if row is None:
            rows.drop(path)
            self._live.discard(path)
        else:
            if rows.by_path.get(path) != row:
                rows.put(row)
            alive = row.worker is not None and row.worker.state not in (WorkerState.ENDED, WorkerState.ERROR)
            (self._live.add if alive else self._live.discard)(path)

    def _row(self, path: str) -> Row | None:
        mirror = self._app.mirror
        worker = mirror.workers.get(path)
        artifact = mirror.rows.get(path) or (self._removed(path) if worker is not None else None)
        if artifact is None:
            return None
        probe = mirror.probes.get(path) if worker is not None else None
        traffic = mirror.traffic.get(path) if worker is not None else None
        return Row(artifact, worker, probe, self._app.operations.pending.get(path, ""), traffic)

    def _removed(self, path: str) -> Artifact | None:
        """The last row of a file that is gone while it is loaded."""
        row = self._app.rows.by_path.get(path)
        return None if row is None else replace(row.artifact, problem=GONE, changed=False)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and isinstance(error, Exception):
            self._app.failed_by_itself(error)


def _paths_of(changes: Changes) -> set[str]:
    """The artifacts that something happened to."""
    passed = set(changes.probes).union(changes.removed, changes.ended, (one.path for one in changes.workers))
    return passed if changes.everything else passed.union(row.path for row in changes.rows)
