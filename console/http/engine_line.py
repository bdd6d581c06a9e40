"""The front's line to the engine that started it: orders come in, reports go out, and its end is the front's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from console.engine import codec
from console.records import FrontOrder, FrontReport, FrontSettings

_MOST = 4 << 20


class EngineLine:
    """A socket with frames of a length and JSON."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._writer: asyncio.StreamWriter | None = None

    def settings(self) -> FrontSettings:
        """The first frame. Raises EOFError, ValueError, OSError."""
        self._sock.settimeout(None)
        found: FrontSettings = codec.decode(self._exactly(_length(self._exactly(4))), FrontSettings)
        return found

    def say(self, report: FrontReport) -> None:
        """Tell the engine something, before `follow` and after."""
        data = codec.encode(report)
        frame = len(data).to_bytes(4, "big") + data
        if self._writer is None:
            self._sock.sendall(frame)
        else:
            self._writer.write(frame)

    async def follow(self, hear: Callable[[FrontOrder], Any]) -> None:
        """Hear orders to the end of the line. Never raises."""
        reader, self._writer = await asyncio.open_connection(sock=self._sock, limit=_MOST)
        try:
            while True:
                length = _length(await reader.readexactly(4))
                hear(codec.decode(await reader.readexactly(length), FrontOrder))
        except (OSError, EOFError, ValueError):
            return

    async def flush(self) -> None:
        """Wait until what was said has left."""
        if self._writer is not None:
            try:
                await self._writer.drain()
            except OSError:
                return

    def close(self) -> None:
        """End the line; `follow` returns."""
        if self._writer is not None:
            self._writer.close()

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._sock.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


def _length(data: bytes) -> int:
    length = int.from_bytes(data, "big")
    if length > _MOST:
        raise ValueError("a frame is too long")
    return length
