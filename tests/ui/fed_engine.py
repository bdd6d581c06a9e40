"""The engine that a feeder stands for, typed as the real one is: each room asks the feeder by its own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from console.engine.api import EngineApi
from console.engine.change_log import ChangeLog
from console.errors import EngineGoneError, UsageError
from console.records import Changes, Event, Job, Json, Layer, MissedEvents, NewToken, Principal, StoreStatus, Token
from tests.ui.fed_rooms import FedArtifacts, FedData, FedInference, FedModels, FedMonitor, FedRoom
from tests.ui.fed_serving import FedServing
from tests.ui.fed_updates import FedAcceleration, FedSecurity, FedUpdates
from tests.ui.feeder import Feeder

__all__ = ["FedEngine", "fed"]


class FedDoctor(FedRoom):
    """The doctor's findings."""

    async def examine(self) -> dict[str, Json]:
        return await self._feeder.examine()

    async def remedies(self, layers: dict[str, Layer]) -> dict[str, str]:
        return self._feeder.remedies(layers)


class FedTokens(FedRoom):
    """Nobody asks a feeder over HTTP."""

    async def list(self) -> tuple[Token, ...]:
        return ()

    async def add(
        self,
        name: str,
        *,
        role: str = "infer",
        models: tuple[str, ...] = (),
        rate: float = 0.0,
        expires: float | None = None,
    ) -> NewToken:
        raise UsageError("a feeder has no tokens")

    async def revoke(self, name: str) -> Token:
        raise UsageError("a feeder has no tokens")

    async def principal(self, secret: str, peer: str = "") -> Principal:
        raise UsageError("a feeder has no tokens")

    async def refused(self, what: str, model: str, why: str, who: str, peer: str = "") -> None:
        raise UsageError("a feeder has no tokens")


class FedJobs(FedRoom):
    """Jobs."""

    async def list(self) -> tuple[Job, ...]:
        return self._feeder.known_jobs(0)

    async def follow(self, job: int) -> AsyncIterator[Job]:
        for one in self._feeder.known_jobs(0):
            if one.id == job:
                yield one

    async def cancel(self, job: int) -> Job:
        return self._feeder.cancel_job(job)


class FedEngine:
    """An EngineApi over a feeder; once it is `gone` nothing more comes of it."""

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder
        self.gone = asyncio.Event()
        self._log = ChangeLog(feeder)
        self.artifacts = FedArtifacts(feeder)
        self.models = FedModels(feeder)
        self.data = FedData(feeder)
        self.inference = FedInference(feeder)
        self.serving = FedServing(feeder)
        self.monitor = FedMonitor(feeder)
        self.updates = FedUpdates(feeder)
        self.acceleration = FedAcceleration(feeder)
        self.security = FedSecurity(feeder)
        self.jobs = FedJobs(feeder)
        self.doctor = FedDoctor(feeder)
        self.tokens = FedTokens(feeder)

    async def status(self) -> StoreStatus:
        return self._feeder.known_status()

    async def events(self, after: int = 0) -> MissedEvents:
        return self._feeder.bus.missed(after)

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        for event in self._feeder.bus.missed(after).events:
            yield event
        raise UsageError("a feeder is not followed")

    async def changes(self, after: int = -1, *, wait: bool = True, gather: float = 0.0) -> Changes:
        if wait and after >= 0:
            happened, gone = asyncio.ensure_future(self._log.happened(after)), asyncio.ensure_future(self.gone.wait())
            try:
                await asyncio.wait((happened, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                happened.cancel()
                gone.cancel()
            await asyncio.sleep(gather)
        if self.gone.is_set():
            raise EngineGoneError("the engine is gone")
        return self._log.since(after)

    async def begin(self) -> None:
        self._feeder.begin()

    async def close(self) -> None:
        await self._feeder.close()


def fed(feeder: Feeder, begun: Callable[[], object] = lambda: None) -> Callable[..., Awaitable[EngineApi]]:
    """The opener of a feeder's engine for an application."""

    async def opener(_on_failure: Callable[[Exception], None]) -> EngineApi:
        begun()
        return FedEngine(feeder)

    return opener
