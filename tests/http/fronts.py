"""Fronts for tests: the real process before an engine of the test's, and its connections in the test's own process."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from console.engine import codec
from console.engine.api import EngineApi
from console.engine.callers import nobody
from console.engine.server import EngineServer
from console.errors import UnauthenticatedError
from console.http.application import Application
from console.http.callers import Callers, FrontEngine
from console.http.connection import Connection
from console.http.connections import Connections
from console.http.limits import Held, Limits
from console.http.routing import Route, Router
from console.records import FrontOrder, FrontReport, FrontSettings, Listener, Permissions, Principal, StoreStatus
from tests.http.standin import Standin

NOBODY = FrontSettings(-1, ())
LOCAL = Listener(-1)


@dataclass(slots=True)
class RunningFront:
    """A front process; `ports` are those of its listeners, `reports` what it has said."""

    process: asyncio.subprocess.Process
    ports: list[int]
    reports: asyncio.Queue[FrontReport]
    writer: asyncio.StreamWriter
    server: EngineServer
    ready: FrontReport

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.ports[0]

    def order(self, order: FrontOrder) -> None:
        """Tell it something."""
        self.writer.write(_frame(order))


@asynccontextmanager
async def running_front(
    engine: Any,
    *,
    settings: FrontSettings = NOBODY,
    listeners: tuple[Listener, ...] = (LOCAL,),
    principals: Callable[[str], Principal | None] = nobody,
) -> AsyncIterator[RunningFront]:
    """The real front, with a free port of 127.0.0.1 for each listener, before an engine or a part of one."""
    server = EngineServer(cast(EngineApi, engine), root="/", principals=principals)
    sockets = [_listening() for _ in listeners]
    ours, theirs = socket.socketpair()
    line, front_line = socket.socketpair()
    for one in (theirs, front_line, *sockets):
        one.set_inheritable(True)
    server.adopt(ours, front=True)
    command = [sys.executable, "-m", "console.http.front", str(front_line.fileno())]
    fds = [one.fileno() for one in (theirs, front_line, *sockets)]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, pass_fds=fds)
    ports = [one.getsockname()[1] for one in sockets]
    placed = tuple(replace(one, fd=sock.fileno()) for one, sock in zip(listeners, sockets, strict=True))
    told = _frame(replace(settings, engine=theirs.fileno(), listeners=placed))
    for one in (theirs, front_line, *sockets):
        one.close()
    reader, writer = await asyncio.open_connection(sock=line)
    writer.write(told)
    reports: asyncio.Queue[FrontReport] = asyncio.Queue()
    hearing = asyncio.create_task(_hear(reader, reports))
    try:
        ready = await reports.get()
        yield RunningFront(process, ports, reports, writer, server, ready)
    finally:
        writer.close()
        await process.wait()
        hearing.cancel()
        await server.close()


def callers_of(engine: Any, now: Callable[[], float], *, anonymous: bool = False) -> Callers:
    """Those who ask an engine, or a part of one."""
    return Callers(cast(FrontEngine, engine), now, anonymous=anonymous)


@asynccontextmanager
async def listening_here(
    routes: Iterable[Route], engine: Any, *, limits: Limits | None = None
) -> AsyncIterator[tuple[int, Connections]]:
    """Connections of this process at a free port, which routes of the test answer."""
    limits = limits or Limits()
    loop = asyncio.get_running_loop()
    callers = callers_of(engine, loop.time)
    router = Router(routes)
    held = Held(limits.bodies)
    connections = Connections(Application(router, router, callers, limits, held), limits, held)
    server = await loop.create_server(lambda: Connection(connections, LOCAL), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        server.close()
        connections.abort()
        await server.wait_closed()


class Tokens:
    """Tokens of a test by their secrets; `told` are refusals."""

    def __init__(self, **principals: Principal) -> None:
        self.principals = principals
        self.asked = 0
        self.told: asyncio.Queue[tuple[str, str, str, str, str]] = asyncio.Queue()

    async def principal(self, secret: str, peer: str = "") -> Principal:
        self.asked += 1
        if not secret:
            return Principal("anonymous", "infer", handle="")
        if secret not in self.principals:
            raise UnauthenticatedError("this token is not known here")
        return self.principals[secret]

    async def refused(self, what: str, model: str, why: str, who: str, peer: str = "") -> None:
        self.told.put_nowait((what, model, why, who, peer))


class Engine:
    """As much of an engine as handlers of a test ask; it serves the models of `standin`."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.tokens = tokens or Tokens()
        self.serving = Standin()
        self.monitor = Monitor()
        self.acted_for: list[str] = []

    async def status(self) -> StoreStatus:
        return StoreStatus("/", Permissions("view"))

    def acting_for(self, handle: str) -> Engine:
        self.acted_for.append(handle)
        return self


class Monitor:
    """The figures of a test."""

    async def exposition(self, openmetrics: bool = False) -> str:
        return "# EOF\n" if openmetrics else "up 1\n"


async def exchange(port: int, sent: bytes, *, end: bool = False) -> bytes:
    """All that is answered to these bytes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        if end:
            writer.write_eof()
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    length = 0 if head_only else int(headers.get("content-length", 0))
    return int(head[0].split()[1]), headers, await reader.readexactly(length)


def statuses(data: bytes) -> list[int]:
    """The statuses of responses that came one after another."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def error_of(body: bytes) -> dict[str, Any]:
    """The JSON of an error."""
    return cast("dict[str, Any]", json.loads(body))


def _listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sock.setblocking(False)
    return sock


def _frame(word: FrontSettings | FrontOrder) -> bytes:
    data = codec.encode(word)
    return len(data).to_bytes(4, "big") + data


async def _hear(reader: asyncio.StreamReader, reports: asyncio.Queue[FrontReport]) -> None:
    try:
        while True:
            length = int.from_bytes(await reader.readexactly(4), "big")
            reports.put_nowait(codec.decode(await reader.readexactly(length), FrontReport))
    except (EOFError, OSError):
        return
