"""Refusals of what others asked: the first of a kind on record at once, those like it counted by the minute.

A flood of wrong tokens costs the disk a few lines a minute, whatever it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from console.access.actor import acting_as
from console.errors import ConsoleError
from console.events import Bus
from console.records import Json

MINUTE = 60.0
_MOST_KINDS = 16
"""Kinds of refusals that a minute tells apart; the rest counts as one."""
_MOST_PEERS = 5
_LONGEST = 200
_REST = ("", "")


class Record(Protocol):
    """A way to put a line on record."""

    def __call__(self, action: str, path: str, digest: str | None, result: str, **detail: Json) -> Awaitable[None]:
        """One line, durably. Raises OperationError."""


@dataclass(slots=True)
class _Counted:
    """Refusals of one kind that followed the one on record."""

    path: str
    why: str
    count: int = 0
    peers: set[str] = field(default_factory=set)


class Refusals:
    """Puts refusals on record by way of `record`, and tells of them on the bus. Those of what was asked (`what`) by
    one (`who`) are a kind."""

    def __init__(self, record: Record, bus: Bus, every: float = MINUTE) -> None:
        self._record = record
        self._bus = bus
        self._every = every
        self._kinds: dict[tuple[str, str], _Counted] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def tell(self, what: str, path: str, why: str, who: str, peer: str = "") -> None:
        """One refusal; on record when this returns where it is the first of its kind in this minute. Raises
        OperationError."""
        key = (what, who)
        if key not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            key = _REST
        counted = self._kinds.get(key)
        if counted is not None:
            counted.count += 1
            if peer and len(counted.peers) < _MOST_PEERS:
                counted.peers.add(peer[:_LONGEST])
            return
        self._kinds[key] = _Counted(path[:_LONGEST], why[:_LONGEST])
        self._start()
        at = f" at {peer[:_LONGEST]}" if peer else ""
        self._told(f"{who or 'somebody'}{at} was refused: {why[:_LONGEST]}")
        await self._record(what, path[:_LONGEST], None, f"refused: {why[:_LONGEST]}", **_asked_by(who, peer))

    async def flush(self) -> None:
        """Put the counts of this minute on record; the next refusal of each kind is the first again. Never raises."""
        self._stop()
        kinds, self._kinds = self._kinds, {}
        with acting_as(None):
            for (what, who), counted in kinds.items():
                if counted.count:
                    await self._put(what or "refused", who or "somebody", counted)

    async def _put(self, what: str, who: str, counted: _Counted) -> None:
        text = f"{counted.count} more of {who} within a minute: {counted.why}"
        self._told(f"refused {text}")
        detail: dict[str, Json] = {**_asked_by(who, ""), "count": counted.count, "peers": [*counted.peers]}
        try:
            await self._record(what, counted.path, None, f"refused: {text}", **detail)
        except ConsoleError as error:
            self._told(f"it cannot be put on record: {error.message}")

    async def close(self) -> None:
        """The same, at the end."""
        await self.flush()
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    def _told(self, text: str) -> None:
        self._bus.emit("access.refused", "", text, severity="attention")

    def _start(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every, self._minute_over)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _minute_over(self) -> None:
        self._timer = None
        self._writing = asyncio.ensure_future(self.flush())


def _asked_by(who: str, peer: str) -> dict[str, Json]:
    return {"asked_by": who, **({"peer": peer[:_LONGEST]} if peer else {})}
