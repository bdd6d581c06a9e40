"""The engine of a store as a service: it listens, loads again what was loaded before, and ends in order."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from console import event_loop
from console.config import Settings, load_settings
from console.engine.local import Engine
from console.engine.server import EngineServer
from console.errors import ConsoleError
from console.files.roots import owner_name
from console.records import ANYBODY, EngineFacts, Event, JobState
from console.records.service import ServeOptions
from console.service.front_process import FrontProcess, front_settings, read_certificate
from console.service.listening import Listening, close_all, listen_all
from console.service.log import Log
from console.service.notify import Notifier
from console.service.restore import Kept, Loaded, Remembered, is_gone, load_again, loaded_of, warmed
from console.service.runtime import EngineLock, group_id, socket_of, taken

T = TypeVar("T")
_CLOSE_S = 10.0
"""Seconds for the end of all workers."""
_LOGGED = ("engine.", "failure.", "history.", "serving.", "store.", "trust.", "update.", "worker.")
_UNTOLD = ("worker.phase", "update.progress", "store.scanning", "trust.layers")
"""Kinds of events that tell of single steps."""


def serve(root: Path, settings: Settings, options: ServeOptions) -> int:
    """Serve the store at `root` until this process is told to end; the exit code.

    Raises UsageError for options that cannot be followed, OperationError where another engine serves it, and what
    opening the store raises.
    """
    group = group_id(options.group or settings.engine_group)
    socket, certificate = socket_of(root, options.socket), read_certificate(options)
    with taken(root, socket, started=time.time(), group=group) as lock:
        sockets, log = listen_all(options), Log()
        scheme = "https" if options.certificate else "http"
        lock.tell(http=tuple(f"{scheme}://{one.address}" for one in sockets if not one.metrics))
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            service = Service(root, settings, options, lock, log)
            return asyncio.run(service.run(socket, group, sockets, certificate))
        finally:
            close_all(sockets)
            log.close()


_name_of = cache(owner_name)
_SWITCH_SECONDS = 0.0005
"""How long a thread that reads the disk may keep a request waiting for the interpreter, a tenth of the usual."""


class Service:
    """One store in service, from `run` to its end."""

    def __init__(self, root: Path, settings: Settings, options: ServeOptions, lock: EngineLock, log: Log) -> None:
        self._root = root
        self._settings = settings
        self._options = options
        self._lock = lock
        self._log = log
        self._notifier = Notifier()
        self._kept = Kept(root, log.say)
        self._owed: dict[str, Loaded] = {}
        """Models that were loaded before and could not be loaded yet."""
        self._loading = True
        self._ready = asyncio.Event()
        self._told_to_end = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._front: FrontProcess | None = None
        self._stop_hearing: Callable[[], None] = lambda: None
        self._engine: Engine
        self._server: EngineServer

    async def run(self, socket: Path, group: int, sockets: tuple[Listening, ...], certificate: tuple[str, str]) -> int:
        """Serve until a signal comes; the exit code. Raises what opening the store and listening raise."""
        self._hear_signals()
        remembered = await asyncio.to_thread(self._kept.read)
        self._owed = {one.path: one for one in remembered.models}
        self._engine = await Engine.open(
            self._root,
            self._settings,
            read_only=self._read_only(),
            warm_first=True,
            on_failure=self._unforeseen,
        )
        event_loop.hear_of_failures(self._taken_note_of)
        self._engine.facts = self.facts
        self._engine.serving.restore(remembered.serving)
        self._server = self._new_server()
        try:
            await self._server.serve_unix(socket, group=group if group >= 0 else None)
            await asyncio.to_thread(self._lock.tell, listening=True)
            self._stop_hearing = self._engine.bus.subscribe(self._hear)
            loading = self._start(self._load())
            if sockets:
                await self._start_front(sockets, certificate)
            self._log.say(self._words())
            await self._until_told(loading)
        finally:
            await self._end()
        return 0

    def _new_server(self) -> EngineServer:
        tokens = self._engine.tokens
        return EngineServer(
            self._engine,
            root=str(self._engine.root),
            principals=lambda handle: tokens.of(handle) if handle else ANYBODY,
            on_failure=self._unforeseen,
        )

    async def _start_front(self, sockets: tuple[Listening, ...], certificate: tuple[str, str]) -> None:
        settings = front_settings(sockets, certificate, self._settings, self._options)
        self._front = FrontProcess(self._server, sockets, settings, self._log.say)
        await self._front.start()

    def facts(self) -> EngineFacts:
        """How this process stands."""
        lock = self._lock.facts
        users = self._server.users
        names = tuple(sorted(map(_name_of, users)))
        return EngineFacts(lock.pid, lock.started, lock.user, lock.socket, lock.http, names, len(users))

    # its life

    async def _until_told(self, loading: asyncio.Task[None]) -> None:
        """Say that all is ready once that is loaded which is to be; to the signal that ends it."""
        told = self._start(self._told_to_end.wait())
        await asyncio.wait((told, loading), timeout=self._settings.load_deadline_s, return_when=asyncio.FIRST_COMPLETED)
        if loading.done() and (error := loading.exception()) is not None:
            self._unforeseen(error)
        if not told.done():
            gc.freeze()  # what is there by now stays: a collector that looks at all of it holds up every request
            self._notifier.ready(self._words())
            self._ready.set()
        await told

    async def _load(self) -> None:
        began, wanted = time.monotonic(), []
        for one in tuple(self._owed.values()):
            if await asyncio.to_thread(is_gone, self._root, one.path):
                self._log.say(f"{one.path} was loaded before, and is not there any more", "attention")
                self._owed.pop(one.path, None)
            else:
                wanted.append(one)
        count = await load_again(self._engine, wanted, self._log.say)
        await self._engine.serving.begin(partial(warmed, self._engine))
        self._loading = False
        self._keep()
        if wanted:
            took = time.monotonic() - began
            self._log.say(f"{count} of {len(wanted)} models answer again, after {took:.1f} s")

    async def _end(self) -> None:
        """Finish what was asked, unless somebody hurries; then end all workers."""
        self._notifier.stopping("ends")
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        hurry = asyncio.ensure_future(self._hurry.wait())
        drain = asyncio.ensure_future(self._drain(self._settings.drain_s))
        await asyncio.wait((hurry, drain), return_when=asyncio.FIRST_COMPLETED)
        for one in (hurry, drain):
            one.cancel()
        await asyncio.gather(hurry, drain, return_exceptions=True)
        self._stop_hearing()
        await self._kept.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._engine.close(), _CLOSE_S)
        self._notifier.close()

    async def _drain(self, within_s: float) -> None:
        until = time.monotonic() + within_s
        if self._front is not None:
            await self._front.close(within_s)
        await self._server.close(max(0.0, until - time.monotonic()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._jobs_over(), max(0.0, until - time.monotonic()))

    async def _jobs_over(self) -> None:
        """Wait for long work, whoever asked for it."""
        jobs = self._engine.jobs
        for job in await jobs.list():
            if job.state is JobState.RUNNING:
                async for _ in jobs.follow(job.id):
                    pass

    # signals

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _told(self, number: signal.Signals) -> None:
        """End in order; hurry at the second signal, and at the third be gone: workers end with this process."""
        if self._hurry.is_set():
            os._exit(128 + number)
        if self._told_to_end.is_set():
            self._hurry.set()
            return
        self._log.say(f"told to end by {number.name}: what was asked is finished, within {self._settings.drain_s:g} s")
        self._told_to_end.set()

    def _reload_soon(self) -> None:
        self._start(self._reload())

    async def _reload(self) -> None:
        """Read configuration, policy, tokens and certificates again; what cannot be read leaves things as they are.
        Where all is not ready yet, once it is."""
        await self._ready.wait()
        self._notifier.reloading()
        try:
            self._settings = await asyncio.to_thread(load_settings)
            later = self._engine.configure(self._settings)
            await self._engine.book.refresh()
            await self._engine.tokens.reload()
            certificate = await asyncio.to_thread(read_certificate, self._options)
            if self._front is not None and self._options.certificate:
                self._front.renew(*certificate)
        except ConsoleError as error:
            self._log.say(f"the configuration stays as it was: {error}", "failure")
        else:
            rest = f"; {', '.join(later)} will count at the next start" if later else ""
            self._log.say(f"configuration, policy, tokens and certificates were read again{rest}")
        self._notifier.ready(self._words())

    # what happens

    def _hear(self, event: Event) -> None:
        if event.kind.startswith(("worker.", "serving.")):
            self._keep()
        step = event.kind in _UNTOLD or not event.kind.startswith(_LOGGED)
        if event.severity in ("failure", "attention") or not step:
            self._log.say(event.text, event.severity)

    def _keep(self) -> None:
        """Have what is loaded kept for a next start, and what could not be loaded at this one."""
        loaded = {one.path: one for one in loaded_of(self._engine.models.views().values())}
        if self._loading:
            loaded |= self._owed
        else:
            self._owed = {path: one for path, one in self._owed.items() if path not in loaded}
        models = tuple(sorted({**self._owed, **loaded}.values()))
        self._kept.keep(Remembered(models, self._engine.serving.kept()))

    def _unforeseen(self, error: BaseException) -> None:
        self._log.say(f"a defect of model-console itself: {type(error).__name__}: {error}", "failure")

    def _taken_note_of(self, error: Exception) -> bool:
        self._unforeseen(error)
        return True

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Have it done in the background, as long as the service is not over."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _read_only(self) -> bool:
        return self._options.read_only or self._settings.read_only

    def _words(self) -> str:
        """The store, where to ask, and how to attach."""
        ask = f"ask {' and '.join(self._lock.facts.http)}; " if self._lock.facts.http else ""
        return f"serving {self._root}: {ask}attach with model-console {self._root} (process {os.getpid()})"
