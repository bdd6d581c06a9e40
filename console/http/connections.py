"""All connections of the front: counted, made room among, timed, drained."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from console.http.errors import Refused
from console.http.limits import Held, Limits
from console.http.messages import Response
from console.http.parsing import Message


class Answerer(Protocol):
    """Whoever answers requests; never raises but when it is cancelled."""

    async def answer(self, message: Message, origin: Origin, peer: str) -> tuple[Response, bytes]:
        """The response and the id of the request."""
        ...

    def refuse(self, refused: Refused) -> tuple[Response, bytes]:
        """The response to what could not be read, and an id."""
        ...


class Origin(Protocol):
    """Where a request came in."""

    @property
    def local(self) -> bool:
        """Whether only this machine reaches that socket."""
        ...

    @property
    def metrics(self) -> bool:
        """Whether it answers for metrics and health alone."""
        ...


class Counted(Protocol):
    """Whatever counts as a connection: one, or the handshake before it."""

    @property
    def is_idle(self) -> bool:
        """Whether it may be ended to make room."""
        ...

    def is_slow(self, now: float) -> bool:
        """Whether half of what it should send has come, and the rest is late."""
        ...

    @property
    def since(self) -> float:
        """When it became what it is."""
        ...

    def look(self, now: float) -> None:
        """End what takes too long."""
        ...

    def close(self) -> None:
        """End it once what was written has left."""
        ...

    def make_room(self) -> None:
        """End it for another one, and say so where that can be said."""
        ...

    def abort(self) -> None:
        """End it now."""
        ...


class Connections:
    """All connections there are; a timer ends those that take too long."""

    def __init__(self, answerer: Answerer, limits: Limits, held: Held) -> None:
        self.answerer = answerer
        self.limits = limits
        self.held = held
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.draining = False
        self._open: dict[Counted, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._timer = self.loop.call_later(limits.tick_s, self._tick)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Counted]:
        return iter(self._open)

    def enter(self, connection: Counted) -> bool:
        """Count a connection in; where they are too many, the slowest with half a request makes room, else the one that
        was idle longest, if there is one."""
        full = len(self._open) >= self.limits.connections
        self._open[connection] = None
        self._empty.clear()
        if not full:
            return True
        others = [one for one in self._open if one is not connection]
        now = self.now()
        if slow := [one for one in others if one.is_slow(now)]:
            min(slow, key=lambda one: one.since).make_room()
            return True
        idle = [one for one in others if one.is_idle]
        if not idle:
            return False
        min(idle, key=lambda one: one.since).close()
        return True

    def leave(self, connection: Counted) -> None:
        """Count it out."""
        self._open.pop(connection, None)
        if not self._open:
            self._empty.set()

    async def drain(self, seconds: float) -> None:
        """End those that are idle now, the others once they are answered, and after these seconds all."""
        self.draining = True
        for connection in [one for one in self._open if one.is_idle]:
            connection.close()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            pass
        self.abort()

    def abort(self) -> None:
        """End all connections and the timer now."""
        self._timer.cancel()
        for connection in list(self._open):
            connection.abort()

    def _tick(self) -> None:
        now = self.now()
        for connection in list(self._open):
            connection.look(now)
        self._timer = self.loop.call_later(self.limits.tick_s, self._tick)
