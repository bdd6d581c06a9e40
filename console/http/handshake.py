"""A TLS handshake: it counts as a connection, and one that stands still makes room for whoever comes."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from console.http.connection import Connection
from console.http.connections import Connections, Origin

_HANDSHAKE_S = 10.0
_GOODBYE_S = 2.0


class Handshake(asyncio.Protocol):
    """A connection of a client until it is encrypted."""

    is_idle = True

    def __init__(self, connections: Connections, origin: Origin, context: ssl.SSLContext) -> None:
        self._all = connections
        self._origin = origin
        self._context = context
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        self._gone = False
        self.since = connections.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._all.enter(self):
            self._all.leave(self)
            self._transport.abort()
            return
        self._transport.pause_reading()
        self._task = self._all.loop.create_task(self._encrypt(self._transport))

    def data_received(self, data: bytes) -> None:
        """Keep what came with the last of the handshake."""
        self._early.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        """The client has gone."""
        self._gone = True
        if self._task is not None:
            self._task.cancel()

    def look(self, now: float) -> None:
        """Nothing: a handshake has a time limit of its own."""

    def is_slow(self, now: float) -> bool:
        """Whether it takes longer than is waited for where there are as many as may be."""
        return now >= self.since + self._all.limits.crowded_s

    def make_room(self) -> None:
        """End it now: nothing can be said before it is encrypted."""
        self.abort()

    def close(self) -> None:
        """End it now."""
        self.abort()

    def abort(self) -> None:
        """End it now."""
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        loop = self._all.loop
        try:
            encrypted = await loop.start_tls(
                transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=_HANDSHAKE_S,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except OSError:
            transport.abort()
            return
        finally:
            self._all.leave(self)
        if encrypted is None or self._gone:
            transport.abort()
            return
        connection = Connection(self._all, self._origin)
        encrypted.set_protocol(connection)
        connection.connection_made(encrypted)
        for data in self._early:
            connection.data_received(data)
