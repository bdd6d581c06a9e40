"""Keeps the rows in step with the engine: events wake it, bursts are taken together, and it sleeps in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from console.records import Event, WorkerState
from console.ui.rows import Row

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

GATHER_SECONDS = 0.05
"""How long events are gathered before the screens hear of them."""
LIVE_SECONDS = 0.5
"""How often measured values of loaded models are read again."""

_WHOLE_STORE = ("store.scanning", "store.scanned", "store.online", "store.offline")


class Follower:
    """The one task that changes `app.rows`."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._wake = asyncio.Event()
        self.filtered = asyncio.Event()
        """Whether the rows that are shown are those of the filter that was asked for last."""
        self.filtered.set()
        self._events: list[Event] = []
        self._touched: set[str] = set()
        self._order: dict[str, Any] | None = None
        self._everything = False
        self._live: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe = app.engine.bus.subscribe(self._heard)

    def start(self) -> None:
        """Follow from now on."""
        self._task = asyncio.create_task(self._run(), name="follow the engine")
        self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Listen no more."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()

    def touch(self, path: str) -> None:
        """Look at one row again."""
        self._touched.add(path)
        self._wake.set()

    def arrange(self, **order: Any) -> None:
        """Sort or filter anew: `sort`, `reverse`, `wanted` as `Rows.arrange` takes them."""
        self._order = {**(self._order or {}), **order}
        self._app.rows.asked = self._app.rows.asked._replace(**order)
        if "wanted" in order:
            self.filtered.clear()
        self._wake.set()

    async def catch_up(self) -> None:
        """Take over everything the engine knows."""
        engine, rows = self._app.engine, self._app.rows
        workers = engine.models.views()
        self._live = {path for path, worker in workers.items() if worker.state is not WorkerState.ENDED}
        await rows.replace_all(
            self._row(artifact.path) or Row(artifact) if artifact.path in self._live else Row(artifact)
            for artifact in engine.artifacts.rows()
        )

    def _heard(self, event: Event) -> None:
        self._events.append(event)
        if event.kind in _WHOLE_STORE:
            self._everything = True
        elif event.subject:
            self._touched.add(event.subject)
            if event.kind.startswith("worker."):
                self._app.operations.pending.pop(event.subject, None)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._woken()
            events, self._events = tuple(self._events), []
            touched, self._touched = self._touched, set()
            order, self._order = self._order, None
            everything, self._everything = self._everything, False
            if everything:
                await self.catch_up()
            for path in touched | self._live:
                self._refresh(path)
            if order is not None:
                await self._arrange(order)
            self._app.spread(events)
            if self._order is None:
                self.filtered.set()

    async def _arrange(self, order: dict[str, Any]) -> None:
        """Sort or filter anew; what is typed meanwhile counts at once, not after an order nobody waits for."""
        done = await self._app.rows.arrange(**order, outdated=lambda: self._order is not None)
        if not done:
            self._order = {**order, **(self._order or {})}
            self._wake.set()

    async def _woken(self) -> None:
        """Sleep until something happens; measured values are a reason while something is loaded and looked at."""
        try:
            async with asyncio.timeout(LIVE_SECONDS if self._live else None):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        if self._order is None:
            await asyncio.sleep(GATHER_SECONDS)

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
        engine = self._app.engine
        artifact = engine.artifacts.row(path)
        if artifact is None:
            return None
        worker = engine.models.view(path)
        probe = engine.live.probe(path) if worker is not None else None
        return Row(artifact, worker, probe, self._app.operations.pending.get(path, ""))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and isinstance(error, Exception):
            self._app.failed_by_itself(error)
