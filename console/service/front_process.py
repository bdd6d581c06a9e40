"""The HTTP front as a process: started with its sockets, watched, started again when it dies, ended when all is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import console
from console.config import Settings
from console.engine import codec
from console.engine.server import EngineServer
from console.errors import InputError, OperationError, UsageError
from console.os_errors import why
from console.records.front import FrontOrder, FrontReport, FrontSettings, Listener
from console.records.service import ServeOptions
from console.service.listening import Listening, close_all
from console.worker.child_user import FIRST_UID, LAST_UID
from console.worker.exit_status import Exit

_SOURCE = Path(console.__file__).parents[1]
_WAITS_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before it is started again, by how often it died in a row."""
_STEADY_S = 60.0
"""One that lived so long did not die at its start."""
_START_S = 120.0
"""How long a front may take to accept on a machine that does much else; without it there is no service."""
_MOST = 1 << 20


class FrontProcess:
    """The front of one engine. `settings` is what a new one is told, but for the descriptor of its line to the engine;
    `say` hears what happens to it."""

    def __init__(
        self,
        server: EngineServer,
        sockets: tuple[Listening, ...],
        settings: FrontSettings,
        say: Callable[[str, str], None],
    ) -> None:
        self.settings = settings
        self._sockets = sockets
        self._server = server
        self._say = say
        self._offered: dict[str, str] = {}
        """Keys of certificates that are not known to be in use yet."""
        self._ending = False
        self._child: FrontChild | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, where there is one."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start it, and keep it going from then on. Raises OperationError where it cannot be started."""
        child = await self._started()
        self._keeping = asyncio.ensure_future(self._keep_going(child))

    def renew(self, certificate: str, key: str) -> None:
        """Use another certificate for new connections, if the front finds that it can."""
        self._offered[certificate] = key
        if self._child is not None:
            self._child.send(FrontOrder("certificate", certificate, key))

    def _renewed(self, certificate: str) -> None:
        """Have the next front begin with what this one uses."""
        if key := self._offered.get(certificate):
            self.settings = replace(self.settings, certificate=certificate, key=key)
            self._offered.clear()

    async def close(self, drain_s: float) -> None:
        """Have it accept no more and answer what it was asked, within so many seconds; then it is gone."""
        self._ending = True
        close_all(self._sockets)
        if self._child is not None:
            self._child.send(FrontOrder("drain"))
            await self._child.end(drain_s)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _started(self) -> FrontChild:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server.adopt(ours, front=True)
            listeners = (one.fd for one in self.settings.listeners)
            child = self._child = FrontChild.start((theirs.fileno(), *listeners), self._say)
            child.on_renewed = self._renewed
            child.send(replace(self.settings, engine=theirs.fileno()))
        await child.ready(_START_S)
        return child

    async def _keep_going(self, child: FrontChild) -> None:
        """Start another one whenever one dies, ever later where they die at once."""
        deaths = 0
        while True:
            began = time.monotonic()
            words = await child.over
            if self._ending:
                return
            deaths = 0 if time.monotonic() - began > _STEADY_S else deaths
            self._say(f"the HTTP front ended: {words}; another one starts in {_wait(deaths):g} s", "failure")
            child, deaths = await self._another(deaths)

    async def _another(self, deaths: int) -> tuple[FrontChild, int]:
        while True:
            await asyncio.sleep(_wait(deaths))
            deaths += 1
            try:
                child = await self._started()
            except (OperationError, OSError) as error:
                self._say(f"{error}; it is tried again in {_wait(deaths):g} s", "failure")
            else:
                self._say(f"the HTTP front answers again, as process {child.pid}", "ok")
                return child, deaths


class FrontChild:
    """One process of the front; `over` tells its end in words."""

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket, say: Callable[[str, str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.pid = process.pid
        self.over: asyncio.Future[str] = loop.create_future()
        self.on_renewed: Callable[[str], None] = lambda _certificate: None
        self._process = process
        self._say = say
        self._pidfd = os.pidfd_open(process.pid)
        self._ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._pidfd, self._ended)
        self._writer: asyncio.StreamWriter | None = None
        self._unsent: list[bytes] = []
        self._talking = asyncio.ensure_future(self._talk(line))

    @classmethod
    def start(cls, keep: tuple[int, ...], say: Callable[[str, str], None]) -> FrontChild:
        """Start one that inherits these descriptors. Raises OSError.

        On the main thread, with whose end the front is killed.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = _spawn(theirs.fileno(), keep)
        ours.setblocking(False)
        return cls(process, ours, say)

    def send(self, word: FrontSettings | FrontOrder) -> None:
        """Tell it something."""
        data = codec.encode(word)
        frame = len(data).to_bytes(4, "big") + data
        if self._writer is None:
            self._unsent.append(frame)
        else:
            self._writer.write(frame)

    async def ready(self, within_s: float) -> None:
        """Wait until it accepts. Raises OperationError where it does not; it is ended then."""
        await asyncio.wait((self._ready, self.over), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        refused = self._ready.exception() if self._ready.done() else None
        if self._ready.done() and refused is None:
            return
        why = self.over.result() if self.over.done() else f"it is not ready after {within_s:g} s"
        await self.end(0.0)
        raise OperationError(f"the HTTP front does not start: {refused or why}")

    async def end(self, within_s: float) -> None:
        """Wait for its end, and bring it about when that takes longer."""
        if within_s and not self.over.done():
            await asyncio.wait((self.over,), timeout=within_s)
        if not self.over.done():
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await asyncio.wait((self.over,))
        self._talking.cancel()
        await asyncio.gather(self._talking, return_exceptions=True)

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = self._process.wait()
        self.over.set_result((Exit(signal=-code) if code < 0 else Exit(code=code)).words)

    async def _talk(self, line: socket.socket) -> None:
        """Hear its reports, to the end of the line."""
        reader, self._writer = await asyncio.open_connection(sock=line, limit=_MOST)
        try:
            self._writer.writelines(self._unsent)
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                if length > _MOST:
                    raise ValueError(length)
                self._hear(codec.decode(await reader.readexactly(length), FrontReport))
        except (OSError, EOFError, ValueError):
            return
        finally:
            self._writer.close()

    def _hear(self, report: FrontReport) -> None:
        if report.report == "warning":
            self._say(f"HTTP front: {report.message}", "attention")
        elif report.report == "renewed":
            self.on_renewed(report.message)
        elif not self._ready.done() and report.report == "ready":
            self._ready.set_result(None)
        elif not self._ready.done() and report.report == "refused":
            self._ready.set_exception(OperationError(report.message))


def _wait(deaths: int) -> float:
    return _WAITS_S[min(deaths, len(_WAITS_S) - 1)]


def _spawn(line: int, keep: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "console.http.front", str(line)],
        cwd=_SOURCE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(line, *keep),
        start_new_session=True,
    )


def front_settings(
    sockets: tuple[Listening, ...], certificate: tuple[str, str], settings: Settings, options: ServeOptions
) -> FrontSettings:
    """Settings of a front, but for the descriptor of its line to the engine."""
    tls = bool(options.certificate)
    user = FIRST_UID + os.getpid() % (LAST_UID - FIRST_UID) if os.geteuid() == 0 else None
    return FrontSettings(
        -1,
        tuple(Listener(one.socket.fileno(), local=one.local, tls=tls, metrics=one.metrics) for one in sockets),
        *certificate,
        uid=user,
        gid=user,
        anonymous=options.anonymous,
        drain_s=settings.drain_s,
    )


def read_certificate(options: ServeOptions) -> tuple[str, str]:
    """The certificate and its key, in PEM; nothing where none are named. Raises UsageError, InputError."""
    if bool(options.certificate) != bool(options.key):
        raise UsageError("TLS takes both a certificate and its key", hint="--tls-cert FILE --tls-key FILE")
    return (_read(options.certificate), _read(options.key)) if options.certificate else ("", "")


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(_MOST)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not PEM") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {why(error)}") from None
