"""Loader of models: from an artifact to a worker that answers for it (snapshot, judge, admit, start, load)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from backends.core.inspection import outermost
from console.access.admission import Admission
from console.errors import AccessDeniedError, ConflictError, ConsoleError, OperationError, UsageError
from console.files.snapshot import SEAL_LIMIT, Snapshot, digest_of
from console.inspection.libraries import may_compile, versions_of
from console.inspection.service import Judged
from console.records import FileIdentity, Inspection, Judgement, Verdict
from console.serving.forecast import Forecaster
from console.worker.answers import Loaded
from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.process import ChildProcess


class Digesting:
    """The digests that are being taken; `close` gives up those that are not done."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[str], threading.Event] = {}

    def begin(self, content: Snapshot) -> asyncio.Task[str]:
        """Take the digest of judged bytes, which may be closed meanwhile.

        It raises ConflictError when the file changed, InputError when it cannot be read, OperationError when given up.
        """
        skeleton = os.dup(content.skeleton) if content.skeleton >= 0 else -1
        own = replace(content, fd=os.dup(content.fd), skeleton=skeleton, decompressed_fd=-1)
        stop = threading.Event()
        task = asyncio.create_task(self._take(own, stop))
        self._running[task] = stop
        task.add_done_callback(self._running.pop)
        return task

    async def _take(self, content: Snapshot, stop: threading.Event) -> str:
        with content:
            return await asyncio.to_thread(digest_of, content, cancelled=stop.is_set)

    async def of_worker(self, task: asyncio.Task[str], child: ChildProcess) -> str | None:
        """The digest of what a worker holds, None when it ended first; it is ended when its file changed."""
        stop = self._running.get(task)
        if stop is not None:
            child.on_end.append(lambda _: stop.set())
        try:
            return await asyncio.shield(task)
        except OperationError:
            return None
        except ConsoleError as error:
            child.kill("changed", f"was ended, since what it loaded is not known: {error.message}")
            return None

    def give_up(self, task: asyncio.Task[str]) -> None:
        """Nobody wants this one any more."""
        stop = self._running.get(task)
        if stop is not None:
            stop.set()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        """Give up what is running and wait until it is over."""
        for stop in self._running.values():
            stop.set()
        await asyncio.gather(*self._running, return_exceptions=True)


Records = Callable[[str, str, str | None, str], Awaitable[None]]
"""Writes one line of the audit log: action, path, digest, result."""


class Contents(Protocol):
    """Where the bytes to load come from."""

    async def snapshot(self, path: str, *, to_load: bool = False) -> Judged:
        """Freeze what is at `path` and judge just that; the caller closes it. Raises InputError, ConflictError."""
        ...


OnPhase = Callable[[str, dict[str, float], Worker | None], None]
"""Hears as each phase of a start begins: its name, the milliseconds of those that have ended, the worker."""


@dataclass(frozen=True, slots=True)
class Started:
    """A worker with its model, and the content it holds.

    The `digest` of a large file may not be known yet: then `later` gives it, or None when the worker ended first.
    `encrypted` = the file is encrypted at rest; `at` = the place of the model in it.
    """

    worker: Worker
    loaded: Loaded
    digest: str | None
    identity: FileIdentity
    judgement: Judgement
    later: asyncio.Task[str | None] | None = None
    encrypted: bool = False
    at: str = ""


class ModelLoader:
    """Starts workers. `python` names the interpreter a path's recipe asks for, None for the console's own, or raises
    AccessDeniedError; `admission` decides what is let in. Files of more than `seal_limit` bytes are loaded from where
    they are."""

    def __init__(
        self,
        contents: Contents,
        launcher: Launcher,
        admission: Admission,
        record: Records,
        python: Callable[[str], str | None],
        deadline_s: float,
        seal_limit: int = SEAL_LIMIT,
    ) -> None:
        self.forecaster = Forecaster(launcher, python, seal_limit)
        self._contents = contents
        self._launcher = launcher
        self.admission = admission
        self._record = record
        self._python = python
        self.deadline_s = deadline_s
        self._digesting = Digesting()
        self._telling: set[asyncio.Task[str | None]] = set()

    async def start(
        self,
        path: str,
        at: str,
        accept: str | None,
        on_phase: OnPhase = lambda *_: None,
        *,
        anyway: bool = True,
    ) -> Started:
        """Start a worker for what the file holds now, also `anyway` where that will not fit into memory.

        Raises NeedsReviewError, NeedsMemoryError, AccessDeniedError, InputError, OperationError.
        """
        began = time.perf_counter()
        on_phase("judge", {}, None)
        await self.admission.refresh()
        judged = await self._contents.snapshot(path, to_load=True)
        with judged.bytes:
            try:
                await self.admission.admit(path, judged, accept)
                if not anyway:
                    size, verdict = judged.bytes.size, judged.judgement.verdict
                    await asyncio.to_thread(self.forecaster.require_room, path, judged.inspection, size, verdict)
                await self._record("load", path, judged.bytes.digest, "intent")
                phases = {"judge": (time.perf_counter() - began) * 1e3}
                started = await self._start(path, judged, at, phases, on_phase)
            except ConsoleError as error:
                result = (
                    error.message
                    if isinstance(error, AccessDeniedError)
                    else f"{error.code}: {judged.judgement.verdict}"
                )
                await self._record("load", path, judged.bytes.digest, result)
                raise
        if started.later is None:
            await self._record("load", path, started.digest, "loaded")
        return started

    async def _start(self, path: str, judged: Judged, at: str, phases: dict[str, float], on_phase: OnPhase) -> Started:
        """`start_judged`, with the digest taken beside it where it is not known yet."""
        if judged.bytes.digest is not None:
            return await self.start_judged(path, judged, at, phases, on_phase)
        taking = self._digesting.begin(judged.bytes)
        try:
            started = await self.start_judged(path, judged, at, phases, on_phase)
        except BaseException:
            self._digesting.give_up(taking)
            raise
        later = asyncio.create_task(self._told(path, taking, started))
        self._telling.add(later)
        later.add_done_callback(self._telling.discard)
        return replace(started, later=later)

    async def _told(self, path: str, taking: asyncio.Task[str], started: Started) -> str | None:
        digest = await self._digesting.of_worker(taking, started.worker.child)
        await self._record("load", path, digest, "loaded" if digest else "loaded; ended before its digest was known")
        return digest

    async def close(self) -> None:
        """Give up the digests that are not known yet."""
        await self._digesting.close()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def start_judged(
        self, path: str, judged: Judged, at: str, phases: dict[str, float], on_phase: OnPhase = lambda *_: None
    ) -> Started:
        """Start a worker for bytes that were judged and admitted already; they stay the caller's to close."""
        inspection = judged.inspection
        assert inspection is not None
        at = at or place_in(path, inspection)
        fresh = judged.judgement.verdict is not Verdict.SAFE
        python = self._python(path)
        began = time.perf_counter()
        on_phase("start", phases, None)
        content = judged.bytes
        opened = content.decompressed_fd >= 0
        memory, *file = (content.decompressed_fd,) if opened else content.load_fds
        plan = replace(self._launcher.sandbox, compiles=may_compile(inspection))
        worker = await Worker.start(self._launcher, path, fresh=fresh, python=python, sandbox=plan)
        phases = {**phases, "start": (time.perf_counter() - began) * 1e3}
        try:
            notes = self.admission.layers(path, judged.judgement, worker.child.layers)
            loaded = await worker.load(
                memory,
                inspection.format,
                at,
                file=file[0] if file else None,
                plan=content.plan,
                opened=opened,
                versions=versions_of(inspection, python),
                deadline=self.deadline_s,
                on_phase=lambda phase, finished: on_phase(phase, {**phases, **finished}, worker),
            )
        except ConsoleError as error:
            await worker.end()
            raise _with_facts(error, judged) from None
        except BaseException:
            worker.child.kill()
            raise
        loaded = replace(loaded, phases={**phases, **loaded.phases}, notes=(*notes, *loaded.notes))
        return Started(
            worker,
            loaded,
            content.digest,
            content.identity,
            judged.judgement,
            encrypted=content.encrypted,
            at=at,
        )


def place_in(path: str, inspection: Inspection) -> str:
    """The place of the model to run: the root, or the only model in a file that is a dict or tuple around one.

    Raises UsageError that lists the places when the file holds several.
    """
    tops = outermost(inspection.models)
    known = [one for one in tops if one.version is not None] or tops
    if len(known) > 1:
        places = ", ".join(one.at for one in known[:8])
        raise UsageError(f"{path} holds {len(known)} models: {places}", hint="choose one of them (--at PLACE)")
    return known[0].at if known else ""


def _with_facts(error: ConsoleError, judged: Judged) -> ConsoleError:
    """The error with the content it is about, and with what became of that meanwhile."""
    if judged.bytes.shrank:
        why = f"{judged.bytes.name} shrank underneath its worker, so its numbers are gone"
        return ConflictError(why, failure=error.failure, hint="load it again when it is at rest")
    if error.failure is not None:
        error.failure = replace(error.failure, digest=judged.bytes.digest)
    return error
