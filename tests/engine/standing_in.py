"""An engine of which each method does what a test says, and its server at a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from console.engine.api import EngineApi
from console.engine.remote import RemoteEngine
from console.engine.server import EngineServer
from tests.engine.surface import rooms


class StandIn:
    """Rooms whose methods are those that were put under their names, "room.method"."""

    def __init__(self, **does: Callable[..., Any]) -> None:
        self.does: dict[str, Callable[..., Any]] = {name.replace("__", "."): one for name, one in does.items()}

    def __getattr__(self, name: str) -> Any:
        return _Room(self.does, f"{name}.") if name in rooms() else self.does[name]


@dataclass
class _Room:
    does: dict[str, Callable[..., Any]]
    before: str

    def __getattr__(self, name: str) -> Any:
        return self.does[self.before + name]


@dataclass
class Endless:
    """A stream that goes on until it is ended: `given` counts its items."""

    item: Any
    given: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, **_: Any) -> AsyncIterator[Any]:
        try:
            while True:
                self.given += 1
                yield self.item
        finally:
            self.ended.set()


@dataclass
class Stuck:
    """A call that is answered once the test says so."""

    answer: Any = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, *_: Any, **__: Any) -> Any:
        self.begun.set()
        try:
            await self.go_on.wait()
            return self.answer
        finally:
            self.ended.set()


@asynccontextmanager
async def served(
    engine: StandIn, path: Path, *, group: str | int | None = None, **options: Any
) -> AsyncIterator[EngineServer]:
    """A server at a path."""
    server = EngineServer(cast(EngineApi, engine), **{"root": str(path.parent), **options})
    await server.serve_unix(path, group)
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def attached(path: Path, **options: Any) -> AsyncIterator[RemoteEngine]:
    """A client of it."""
    remote = await RemoteEngine.connect(path, **options)
    try:
        yield remote
    finally:
        await remote.close()
