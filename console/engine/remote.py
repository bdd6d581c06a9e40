"""An engine in another process, as an EngineApi: what is called here is done there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from console.engine import protocol
from console.engine.api import EngineApi
from console.engine.protocol import Hello
from console.engine.remote_line import END, GONE, Line
from console.engine.unix_socket import connected, peer_of
from console.errors import AccessDeniedError, ConsoleError, EngineGoneError, OperationError
from console.records import Changes

__all__ = ["RemoteEngine"]

_WAIT_S = 2.0
"""How long a call waits for an engine that comes back."""
_RETRY_S = 0.05
_MOST_VIEWS = 1000

if TYPE_CHECKING:
    _Api = EngineApi
else:
    _Api = object


class RemoteEngine(_Api):
    """The engine at the other end of a connection; its rooms are made when they are asked for.

    It connects again by itself where it knows a path. A call that was under way when the line ended raises
    EngineGoneError.
    """

    def __init__(self, dial: Callable[[], socket.socket], store: Path | None, again: bool) -> None:
        self._dial, self._store, self._again = dial, store, again
        self._line: Line | None = None
        self._dialling: asyncio.Future[Line] | None = None
        self._closed = False
        self._views: dict[str, EngineApi] = {}
        self._numbered_by = ""
        """The life of an engine that the numbers of events are of."""

    @classmethod
    async def connect(cls, path: Path, *, store: Path | None = None) -> Self:
        """The engine that listens at a path, of this store if one is given.

        Raises EngineGoneError where nobody answers, AccessDeniedError for one of another user, OperationError for one
        of another release.
        """
        remote = cls(lambda: _dialled(path, store), store, True)
        await remote._ready(0.0)
        return remote

    @classmethod
    def on(cls, sock: socket.socket) -> Self:
        """The engine at the other end of a connection that is there already; once that has ended it is gone."""
        return cls(_once(sock), None, False)

    @property
    def hello(self) -> Hello | None:
        """How the engine introduced itself; None while there is no line."""
        return None if self._line is None else self._line.hello

    def acting_for(self, handle: str) -> EngineApi:
        """The same engine, asked for the principal of this handle."""
        view = self._views.get(handle)
        if view is None:
            if len(self._views) >= _MOST_VIEWS:
                self._views.clear()
            view = self._views[handle] = cast(EngineApi, _Room(self, "", handle))
        return view

    async def changes(self, after: int = -1, *, wait: bool = True, gather: float = 0.0) -> Changes:
        """Everything that has changed since the event with this number, which another life of the engine did not
        give."""
        line = await self._ready(_WAIT_S)
        if line.hello.instance != self._numbered_by:
            after = -1
        method = protocol.method("changes")
        found = cast(Changes, await line.ask(method, method.takes(after, wait=wait, gather=gather), ""))
        self._numbered_by = line.hello.instance
        return found

    async def close(self) -> None:
        """End the connection; the engine goes on."""
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
        line, self._line = self._line, None
        if line is not None:
            line.close()
            await line.lost
        elif not self._again:
            with suppress(OSError):
                self._dial().close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self.__dict__[name] = _attribute(self, "", name, "")
        return found

    async def _ready(self, wait_s: float) -> Line:
        line = self._line
        if line is not None and not line.lost.done():
            return line
        if self._closed or (line is not None and not self._again):
            raise EngineGoneError(GONE)
        if self._dialling is None:
            self._dialling = asyncio.ensure_future(self._dial_within(wait_s if self._again else 0.0))
            self._dialling.add_done_callback(self._take_line)
        try:
            return await asyncio.shield(self._dialling)
        except asyncio.CancelledError:
            if self._closed:
                raise EngineGoneError(GONE) from None
            raise

    def _take_line(self, dialling: asyncio.Future[Line]) -> None:
        self._dialling = None
        if dialling.cancelled() or dialling.exception() is not None:
            return
        self._line = dialling.result()
        if self._closed:
            self._line.close()

    async def _dial_within(self, wait_s: float) -> Line:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            try:
                return await self._greeted()
            except EngineGoneError:
                if loop.time() >= until:
                    raise
            except OSError as error:
                if loop.time() >= until:
                    raise EngineGoneError(GONE, hint="`model-console serve STORE` starts one") from error
            await asyncio.sleep(_RETRY_S)

    async def _greeted(self) -> Line:
        line = await Line.over(self._dial(), "" if self._store is None else str(self._store))
        if self._store is not None and not await asyncio.to_thread(_is_same, self._store, line.hello.root):
            line.abort()
            raise OperationError(f"the engine there serves {line.hello.root}, and not {self._store}")
        return line


class _Room:
    """One room of a remote engine, or the engine itself for one principal; its methods are made when they are asked
    for."""

    def __init__(self, remote: RemoteEngine, room: str, handle: str) -> None:
        self._remote, self._room, self._handle = remote, room, handle

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self.__dict__[name] = _attribute(self._remote, self._room, name, self._handle)
        return found


def _attribute(remote: RemoteEngine, room: str, name: str, handle: str) -> Any:
    if not room and name in protocol.rooms():
        return _Room(remote, name, handle)
    try:
        method = protocol.method(f"{room}.{name}".lstrip("."))
    except ConsoleError:
        raise AttributeError(name) from None
    return (_stream if method.streams else _call)(remote, method.name, handle)


def _call(remote: RemoteEngine, name: str, handle: str) -> Any:
    method = protocol.method(name)
    takes = method.takes

    async def call(*given: Any, **named: Any) -> Any:
        arguments = takes(*given, **named)
        line = remote._line
        if line is None or line.lost.done():
            line = await remote._ready(_WAIT_S)
        return await line.ask(method, arguments, handle)

    return call


def _stream(remote: RemoteEngine, name: str, handle: str) -> Any:
    method = protocol.method(name)

    async def stream(*given: Any, **named: Any) -> AsyncIterator[Any]:
        line = await remote._ready(_WAIT_S)
        reading = line.stream(method, method.takes(*given, **named), handle)
        try:
            while (item := await reading.next()) is not END:
                yield item
        finally:
            line.let_go(reading.id)

    return stream


def _dialled(path: Path, store: Path | None) -> socket.socket:
    """A connection to an engine of this user, of root or of the store's owner. Raises OSError, AccessDeniedError."""
    try:
        sock = connected(path)
    except PermissionError:
        hint = "its group is that of the engine's settings; `id` tells yours"
        raise AccessDeniedError(f"you may not ask the engine at {path}", hint=hint) from None
    peer = peer_of(sock)
    trusted = {os.geteuid(), 0} | (set() if store is None else {os.stat(store).st_uid})
    if peer.uid in trusted:
        return sock
    sock.close()
    raise AccessDeniedError(
        f"whoever answers at {path} is user {peer.uid}: neither you, nor root, nor the owner of the store",
        hint="ask that user to end the process, or name the store's own socket with --socket",
    )


def _is_same(store: Path, root: str) -> bool:
    try:
        return os.path.samefile(store, root)
    except OSError:
        return str(store) == root


def _once(sock: socket.socket) -> Callable[[], socket.socket]:
    """A connection that can be had once. Raises ConnectionResetError from then on."""
    left = [sock]

    def dial() -> socket.socket:
        if not left:
            raise ConnectionResetError
        return left.pop()

    return dial
