"""The engine of a store in this process: its rooms behind the API that clients see. It decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from console.config import Settings
from console.engine.change_log import ChangeLog
from console.engine.local_data import LocalData
from console.engine.local_inference import LocalInference, LocalMonitor
from console.engine.local_rooms import (
    LocalAcceleration,
    LocalArtifacts,
    LocalModels,
    LocalSecurity,
    LocalUpdates,
)
from console.engine.rooms import Engine
from console.records import Changes, Event, Json, Layer, MissedEvents, StoreStatus

_MOST_WAITING = 10_000
"""Events that wait for a client."""


class LocalEngine:
    """An EngineApi over the rooms of one store. Make it with `open`, end it with `close`."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms
        self._log = ChangeLog(rooms)
        self.artifacts = LocalArtifacts(rooms)
        self.models = LocalModels(rooms)
        self.data = LocalData(rooms)
        self.inference = LocalInference(rooms)
        self.monitor = LocalMonitor(rooms)
        self.updates = LocalUpdates(rooms)
        self.acceleration = LocalAcceleration(rooms)
        self.security = LocalSecurity(rooms)
        self.doctor = LocalDoctor(rooms)

    @classmethod
    async def open(
        cls,
        root: Path,
        settings: Settings,
        *,
        read_only: bool = False,
        watch: bool = True,
        records: bool = True,
        begin: bool = True,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> LocalEngine:
        """Open the store at `root` as `Engine.open` does; `on_failure` hears of what nobody expected in the background.

        Raises InputError for a policy that cannot be read, AccessDeniedError where this user has no role in the store.
        """
        rooms = await Engine.open(root, settings, read_only=read_only, watch=watch, records=records, begin=False)
        rooms.on_failure = on_failure
        engine = cls(rooms)
        if watch and begin:
            rooms.begin()
        return engine

    async def status(self) -> StoreStatus:
        """How the store stands."""
        return self._rooms.status()

    async def events(self, after: int = 0) -> MissedEvents:
        """The events that are kept of those after a number, at once."""
        return self._rooms.bus.missed(after)

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """The kept events after a number, then each as it happens."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        missed = self._rooms.bus.missed(after).events

        def hear(event: Event) -> None:
            if queue.qsize() < _MOST_WAITING:
                queue.put_nowait(event)

        stop = self._rooms.bus.subscribe(hear)
        try:
            for event in missed:
                yield event
            while True:
                yield await queue.get()
        finally:
            stop()

    async def changes(self, after: int = -1, *, wait: bool = True, gather: float = 0.0) -> Changes:
        """What has changed since the event with this number (-1: everything there is)."""
        if wait and after >= 0:
            await self._log.happened(after)
            await asyncio.sleep(gather)
        return self._log.since(after)

    async def begin(self) -> None:
        """Start what runs in the background; a second call does nothing."""
        self._rooms.begin()

    async def close(self) -> None:
        """End everything that was started; never raises."""
        self._log.close()
        await self._rooms.close()


class LocalDoctor:
    """What to look at when something is odd; made, and its modules imported, when it is first asked."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms

    async def examine(self) -> dict[str, Json]:
        """Versions, sandbox layers with their evidence, limits, paths, and the policy, by topic."""
        return await self._rooms.doctor.examine()

    async def remedies(self, layers: dict[str, Layer]) -> dict[str, str]:
        """What would give each layer that is missing, by its name."""
        return self._rooms.doctor.remedies(layers)
