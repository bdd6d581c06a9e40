"""The front process, `python -m console.http.front DESCRIPTOR`: HTTP on inherited sockets, for an engine.

It holds no right to the store: its calls go through a line to the engine, and it ends with that.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys

from console.engine.remote import RemoteEngine
from console.errors import ConsoleError
from console.http import confinement, routes
from console.http.application import Application
from console.http.callers import Callers
from console.http.connection import Connection
from console.http.connections import Connections
from console.http.engine_line import EngineLine
from console.http.handshake import Handshake
from console.http.limits import Held, Limits
from console.http.routing import Router
from console.http.tls import CertificateError, Tls
from console.records import FrontOrder, FrontReport, FrontSettings, Listener

_BACKLOG = 1024
_GC_YOUNG = 5000


class Front:
    """The listening sockets of one engine, and everything that answers behind them."""

    def __init__(self, settings: FrontSettings, line: EngineLine) -> None:
        self._settings, self._line = settings, line
        self._tls = Tls() if settings.certificate else None
        self._engine = RemoteEngine.on(socket.socket(fileno=settings.engine))
        self._servers: list[asyncio.Server] = []
        self._ending: asyncio.Task[None] | None = None
        limits = Limits(body=settings.body, bodies=settings.bodies, connections=settings.connections)
        self._callers = Callers(self._engine, asyncio.get_running_loop().time, anonymous=settings.anonymous)
        held = Held(settings.bodies)
        application = Application(Router(routes.ROUTES), Router(routes.METRICS), self._callers, limits, held)
        self._connections = Connections(application, limits, held)

    async def start(self) -> None:
        """Make everything that a confined process could not, confine it, then accept. Raises CertificateError,
        OSError, ConsoleError."""
        if self._tls is not None:
            self._tls.use(self._settings.certificate, self._settings.key)
        elif any(one.tls for one in self._settings.listeners):
            raise CertificateError("a socket is for TLS, and there is no certificate")
        loop = asyncio.get_running_loop()
        confinement.preload()
        gc.freeze()
        for listener in self._settings.listeners:
            self._servers.append(await self._server(loop, listener))
        layers = confinement.confine(self._settings)
        await self._callers.ask(None, "")
        for server in self._servers:
            await server.start_serving()
        self._line.say(FrontReport("ready", layers=layers))

    async def run(self) -> None:
        """Answer until the engine says that it ends, or is gone."""
        await self._line.follow(self._hear)
        if self._ending is not None:
            await self._ending
        self._connections.abort()

    def _hear(self, order: FrontOrder) -> None:
        if order.order == "drain":
            self._ending = self._ending or asyncio.ensure_future(self._drain())
        elif self._tls is not None:
            try:
                self._tls.use(order.certificate, order.key)
            except CertificateError as error:
                self._line.say(FrontReport("warning", f"{error}; the former certificate stays in use"))
            else:
                self._line.say(FrontReport("renewed", order.certificate))

    async def _drain(self) -> None:
        """Accept no more, answer what was asked, say so, and end."""
        for server in self._servers:
            server.close()
        await self._connections.drain(self._settings.drain_s)
        self._line.say(FrontReport("drained"))
        await self._line.flush()
        self._line.close()

    async def _server(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> asyncio.Server:
        tls, connections = self._tls.context if listener.tls and self._tls is not None else None, self._connections
        return await loop.create_server(
            lambda: Handshake(connections, listener, tls) if tls is not None else Connection(connections, listener),
            sock=socket.socket(fileno=listener.fd),
            backlog=_BACKLOG,
            start_serving=False,
        )


async def serve(line: EngineLine, settings: FrontSettings) -> int:
    """Run a front with these settings; its exit code."""
    try:
        front = Front(settings, line)
        await front.start()
    except (CertificateError, ConsoleError, OSError) as error:
        line.say(FrontReport("refused", str(error)))
        return 1
    await front.run()
    return 0


def main(arguments: list[str]) -> int:
    """The whole life of a front."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.set_threshold(_GC_YOUNG, 20, 50)
    line = EngineLine(socket.socket(fileno=int(arguments[0])))
    try:
        settings = line.settings()
    except (EOFError, OSError, ValueError):
        return 1
    return asyncio.run(serve(line, settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
