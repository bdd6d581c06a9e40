"""Frames: a head and a body, each behind its length, on a stream of bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from struct import Struct
from typing import cast

__all__ = ["Body", "Caps", "Decoder", "FrameError", "FrameLine", "frame"]

Body = bytes | memoryview

_LENGTHS = Struct(">II")
_VIEWED = 1 << 16
"""Bodies from this size on are views of what was read, and no copies."""
_HIGH, _LOW = 1 << 20, 1 << 18
_GOODBYE_S = 5.0
"""How long an end waits for the other to read what it was sent last."""


class FrameError(ValueError):
    """Bytes that are no frame, or one that is larger than agreed."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The largest head and body that are taken."""

    head: int = 1 << 16
    body: int = 1 << 26


def frame(head: bytes, body: Body = b"") -> bytes:
    """One frame as bytes."""
    return b"".join((_LENGTHS.pack(len(head), len(body)), head, body))


class Decoder:
    """Frames out of bytes as they come, in time linear in their number."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._parts: list[bytes] = []
        self._have = 0
        self._need = _LENGTHS.size

    def feed(self, data: bytes) -> list[tuple[bytes, Body]]:
        """The frames that end in this data. Raises FrameError."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
        frames, at = self._cut(data)
        rest = data[at:]
        self._parts, self._have = ([rest] if rest else []), len(rest)
        return frames

    def _cut(self, data: bytes) -> tuple[list[tuple[bytes, Body]], int]:
        frames: list[tuple[bytes, Body]] = []
        at, end = 0, len(data)
        while True:
            self._need = start = _LENGTHS.size
            if end - at < start:
                return frames, at
            head, body = _LENGTHS.unpack_from(data, at)
            if head > self.caps.head or body > self.caps.body:
                raise FrameError(f"a frame of {head} and {body} bytes is larger than agreed")
            self._need = start + head + body
            if end - at < self._need:
                return frames, at
            middle, at = at + start + head, at + self._need
            content = data[middle:at] if body < _VIEWED else memoryview(data)[middle:at]
            frames.append((data[middle - head : middle], content))


class FrameLine(asyncio.Protocol):
    """One end of a connection. Frames of one turn of the loop leave in one write."""

    def __init__(self, caps: Caps) -> None:
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder(caps)
        self._out: list[Body] = []
        self._room: asyncio.Future[None] | None = None
        """Set once the other end has read enough; None while it does."""
        self.transport: asyncio.Transport | None = None
        self._ending: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done once the connection has ended."""

    def frame_received(self, head: bytes, body: Body) -> None:
        """Take a frame. Raises ValueError for one that means nothing, which ends the connection."""
        raise NotImplementedError

    def broken(self, error: ValueError) -> None:
        """The other end has sent what means nothing."""
        self.abort()

    def send(self, head: bytes, body: Body = b"", *, alone: bool = False) -> None:
        """Send a frame, in order; one that is `alone` in its turn at once."""
        if not (self._out or alone):
            self._loop.call_soon(self.flush)
        self._out += (_LENGTHS.pack(len(head), len(body)), head, body)
        if alone:
            self.flush()

    def flush(self) -> None:
        """Hand what is to be sent to the system."""
        out, self._out = self._out, []
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(out))

    async def writable(self) -> None:
        """Wait while the other end does not read. Raises ConnectionError once the connection has ended."""
        while self._room is not None and not self.lost.done():
            await asyncio.shield(self._room)
        if self.lost.done():
            raise ConnectionResetError

    @property
    def blocked(self) -> bool:
        """Whether the other end reads less than it is sent."""
        return self._room is not None

    def unread(self) -> int:
        """Bytes that the other end has not read."""
        waiting = 0 if self.transport is None else self.transport.get_write_buffer_size()
        return waiting + sum(map(len, self._out))

    def close(self) -> None:
        """End the connection once everything is sent, or nobody reads it."""
        self.flush()
        if self.transport is not None and not self.lost.done():
            self.transport.close()
            self._ending = self._ending or self._loop.call_later(_GOODBYE_S, self.abort)

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH, low=_LOW)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            for head, body in self._decoder.feed(data):
                self.frame_received(head, body)
        except ValueError as error:
            self.broken(error)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.resume_writing()
        if self._ending is not None:
            self._ending.cancel()
        if not self.lost.done():
            self.lost.set_result(None)
