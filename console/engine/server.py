"""An engine served to other processes: consoles and commands over a unix socket, the HTTP front over a pair of them."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.engine.api import EngineApi
from console.engine.callers import Caller, Principals, nobody, user
from console.engine.frames import Caps
from console.engine.server_line import Bounds, ClientLine
from console.engine.unix_socket import Peer, listening, peer_of, widen
from console.errors import ConsoleError

__all__ = ["EngineServer"]

_MOST_OF_A_USER = 64
_GUEST = Bounds()
_FRONT = Bounds(calls=10_000, unread=1 << 28, caps=Caps(body=1 << 29))
_GOODBYE_S = 2.0


class EngineServer:
    """The clients of one engine. Whatever a client does, the engine and the other clients go on."""

    def __init__(
        self,
        engine: EngineApi,
        *,
        root: str = "",
        principals: Principals = nobody,
        on_failure: Callable[[Exception], None] = lambda _: None,
        bounds: Bounds = _GUEST,
    ) -> None:
        """`root` is the store's, that of the engine's status if not given; `principals` knows those that calls of the
        front are made for by their handles; `on_failure` hears of what nobody expected. `bounds` are those of each
        client but the front."""
        self.engine = engine
        self.root = root
        self.instance = secrets.token_hex(8)
        self.ending = False
        self.bounds = bounds
        self._principals, self._on_failure = principals, on_failure
        self._lines: set[ClientLine] = set()
        self._listening: list[tuple[asyncio.Server, Path, tuple[int, int]]] = []
        self._adopting: set[asyncio.Task[None]] = set()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._lines)

    @property
    def users(self) -> tuple[int, ...]:
        """The user of each client that came by the socket."""
        return tuple(line.uid for line in self._lines if line.uid is not None)

    async def serve_unix(self, path: Path, group: str | int | None = None) -> None:
        """Listen at a path, for this user and the members of a group.

        Raises ConflictError where somebody else does, UsageError for a group there is not, OperationError.
        """
        await self._know_root()
        sock = await asyncio.to_thread(listening, path, group)
        made = await asyncio.to_thread(os.stat, path)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Guest(self), sock=sock)
        self._listening.append((server, path, (made.st_dev, made.st_ino)))

    def adopt(self, sock: socket.socket, *, front: bool = True) -> None:
        """Serve whoever holds the other end of a pair: the HTTP front, or (not `front`) a program of this user."""
        caller = Caller(None, self._principals, trusted=False) if front else None
        self._keep(self._adopt(sock, caller, _FRONT if front else self.bounds))

    async def close(self, drain_s: float = 0.0) -> None:
        """Take no more calls, let those that run finish for so long, and end all connections."""
        self.ending = True
        for server, path, identity in self._listening:
            server.close()
            await asyncio.to_thread(_remove, path, identity)
        self._listening.clear()
        running = [task for line in self._lines for task in line.under_way()]
        if running and drain_s > 0:
            await asyncio.wait(running, timeout=drain_s)
        lines = list(self._lines)
        for line in lines:
            line.close()
        if lines:
            await asyncio.wait([line.lost for line in lines], timeout=_GOODBYE_S)
        for line in lines:
            line.abort()
        await asyncio.gather(*(line.lost for line in lines), *self._adopting, return_exceptions=True)

    # for connections

    def failed(self, error: Exception) -> None:
        """Hear of what nobody expected."""
        self._on_failure(error)

    def gone(self, line: ClientLine) -> None:
        """Forget a connection that has ended."""
        self._lines.discard(line)

    def came(self, line: ClientLine, sock: socket.socket) -> None:
        """Take a connection on, and find out who it is of."""
        self._lines.add(line)
        try:
            peer = peer_of(sock)
        except OSError:
            line.abort()
            return
        line.uid = peer.uid
        if self.ending:
            line.refuse("the engine is ending")
        elif sum(one.uid == peer.uid for one in self._lines) > _MOST_OF_A_USER:
            line.refuse(f"{_MOST_OF_A_USER} programs of this user are attached to the engine, and no more are taken")
        else:
            self._keep(self._identify(line, peer), line)

    # inside

    def _keep(self, work: Coroutine[Any, Any, None], line: ClientLine | None = None) -> None:
        def done(task: asyncio.Task[None]) -> None:
            self._adopting.discard(task)
            error = None if task.cancelled() else task.exception()
            if isinstance(error, Exception):
                self._on_failure(error)
            if error is not None and line is not None:
                line.abort()

        task = asyncio.ensure_future(work)
        self._adopting.add(task)
        task.add_done_callback(done)

    async def _identify(self, line: ClientLine, peer: Peer) -> None:
        try:
            line.identified(await user(peer, self._principals, self.engine))
        except Exception as error:
            self._on_failure(error)
            line.abort()

    async def _know_root(self) -> None:
        self.root = self.root or (await self.engine.status()).root

    async def _adopt(self, sock: socket.socket, caller: Caller | None, bounds: Bounds) -> None:
        widen(sock)
        try:
            await self._know_root()
            caller = await user(peer_of(sock), self._principals, self.engine) if caller is None else caller
        except (OSError, ConsoleError) as error:
            sock.close()
            self._on_failure(error)
            return
        line = ClientLine(self, bounds)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: line, sock)
        self._lines.add(line)
        line.identified(caller)


class _Guest(ClientLine):
    """A client that came by the socket."""

    def __init__(self, server: EngineServer) -> None:
        super().__init__(server, server.bounds)
        self._came = server.came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._came(self, transport.get_extra_info("socket"))


def _remove(path: Path, identity: tuple[int, int]) -> None:
    """Remove a socket, unless it is another's meanwhile."""
    with suppress(OSError):
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == identity:
            os.unlink(path)
