"""Jobs of an engine: long work that outlives the client that asked for it, and ends early on somebody's word alone."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Protocol, TypeVar

from console.access.actor import who
from console.access.control import AccessControl
from console.engine.codec import error_record
from console.errors import ConsoleError, InputError, OperationError
from console.events import Bus
from console.records import ErrorRecord, Event, EventKind, Job, JobState
from console.records.words import span_words

__all__ = ["Jobs", "Tell"]

R = TypeVar("R")

_ENDED_KEPT = 200
_NAMES = {
    "update": "update",
    "convert": "conversion",
    "accelerate": "ONNX export",
    "sign": "signing",
    "seal": "sealing",
}
"""What each kind is called in a sentence; a kind is the action that its work takes leave for."""
_ALL_OR_NOTHING = ("update", "convert", "accelerate")
_EVENTS = {
    JobState.RUNNING: "job.started",
    JobState.DONE: "job.ended",
    JobState.FAILED: "job.failed",
    JobState.CANCELLED: "job.cancelled",
}


class Tell(Protocol):
    """Hears from a job's work what it does now, and which share of it is done."""

    def __call__(self, note: str, done: float | None = None) -> None:
        """Say so."""
        ...


@dataclass(slots=True)
class _Running:
    """A job that runs. `awaited` while whoever asked for it waits, `ended` once somebody has ended it."""

    job: Job
    task: asyncio.Task[Any]
    awaited: bool = True
    ended: bool = False


class Jobs:
    """The jobs of one engine: those that run, and the latest that ended."""

    def __init__(self, bus: Bus, access: AccessControl) -> None:
        self._bus = bus
        self._access = access
        self._numbers = count(1)
        self._running: dict[int, _Running] = {}
        self._over: deque[Job] = deque(maxlen=_ENDED_KEPT)
        self._changed: dict[int, int] = {}
        """The number of the last event of each job."""
        self._news = asyncio.Event()
        self.on_failure: Callable[[Exception], None] = lambda _: None
        """Hears of what nobody expected in work that nobody waits for any more."""
        bus.subscribe(self._hear)

    async def list(self) -> tuple[Job, ...]:
        """Jobs that run, and the latest that ended, newest first."""
        return self.since(0)

    async def follow(self, job: int) -> AsyncIterator[Job]:
        """A job each time something of it changes, until it has ended. Raises InputError for a number nobody has."""
        told: Job | None = None
        while True:
            news, now = self._news, self._job(job)
            if now != told:
                told = now
                yield now
            if now.state is not JobState.RUNNING:
                return
            await news.wait()

    async def cancel(self, job: int) -> Job:
        """End a job that runs; it as it is then. Raises InputError, AccessDeniedError."""
        known = self._job(job)
        await self._access.authorize(known.kind, known.artifact)
        if job in self._running:
            await self._end(job)
            with suppress(OperationError):
                await self._access.record("cancel", known.artifact, None, f"{known.kind} of {known.who} cancelled")
        return self._job(job)

    def since(self, number: int) -> tuple[Job, ...]:
        """The jobs that changed with the event of this number or later, newest first."""
        jobs = (*self._over, *(one.job for one in self._running.values()))
        found = [job for job in jobs if self._changed.get(job.id, 0) >= number]
        return tuple(sorted(found, key=lambda job: -job.id))

    async def run(
        self, kind: str, artifact: str, work: Callable[[Tell], Awaitable[R]], result: Callable[[R], str]
    ) -> R:
        """Do this work as a job and wait for it; `result` says in a sentence what came of it.

        The work goes on where whoever waits is cancelled. Raises AccessDeniedError, OperationError when somebody ended
        it, and what the work raises.
        """
        await self._access.authorize(kind, artifact)
        number = next(self._numbers)

        def tell(note: str, done: float | None = None) -> None:
            self._progress(number, note, done)

        task = asyncio.ensure_future(_worked(work, tell))
        running = _Running(Job(number, kind, artifact, who(), time.time()), task)
        self._running[number] = running
        task.add_done_callback(lambda _: self._take_end(number, result))
        self._tell(running.job, f"the {_name(kind)} of {artifact or 'the store'} began, for {running.job.who}")
        try:
            await asyncio.wait([task])
        finally:
            running.awaited = False
        if _was_cancelled(running):
            raise _cancelled(running.job)
        return task.result()

    async def end(self, kind: str, artifact: str) -> None:
        """End the jobs of a kind that run for an artifact."""
        for number, running in tuple(self._running.items()):
            if (running.job.kind, running.job.artifact) == (kind, artifact):
                await self._end(number)

    async def close(self) -> None:
        """End all that run."""
        for number in tuple(self._running):
            await self._end(number)

    # inside

    async def _end(self, number: int) -> None:
        running = self._running.get(number)
        if running is not None:
            running.ended = True
            running.task.cancel()
            await asyncio.wait([running.task])

    def _job(self, number: int) -> Job:
        found = next((one for one in self.since(0) if one.id == number), None)
        if found is None:
            raise InputError(f"there is no job {number}", hint="`model-console jobs` lists those there are")
        return found

    def _take_end(self, number: int, result: Callable[[Any], str]) -> None:
        """Keep what became of a job whose work is over, and tell it."""
        running = self._running.pop(number)
        job = _over(running, result)
        self._over.append(job)
        kept = {one.id for one in self._over} | self._running.keys()
        for old in self._changed.keys() - kept:
            del self._changed[old]
        self._tell(job, _last_words(job))
        error = None if running.task.cancelled() else running.task.exception()
        if isinstance(error, Exception) and not isinstance(error, ConsoleError) and not running.awaited:
            self.on_failure(error)

    def _tell(self, job: Job, sentence: str) -> None:
        """Say that a job began or ended; the failure of an update has an event of its own."""
        self._changed[job.id] = self._bus.last + 1
        failed = job.state is JobState.FAILED and job.kind != "update"
        severity = "failure" if failed else "attention" if job.state is JobState.CANCELLED else "info"
        self._bus.emit(_EVENTS[job.state], job.artifact, sentence, severity=severity)
        self._wake()

    def _progress(self, number: int, note: str, done: float | None) -> None:
        running = self._running.get(number)
        if running is not None:
            running.job = replace(running.job, note=note, done=done)
            self._changed[number] = self._bus.last + 1
            self._bus.emit("job.progress", running.job.artifact, f"{running.job.artifact}: {note}")
            self._wake()

    def _hear(self, event: Event) -> None:
        """Updates tell of their progress themselves."""
        if event.kind is not EventKind.UPDATE_PROGRESS:
            return
        for number, running in self._running.items():
            if (running.job.kind, running.job.artifact) == ("update", event.subject):
                done, total = event.data.done, event.data.total
                share = min(1.0, done / total) if done is not None and total else None
                running.job = replace(running.job, note=event.text.removeprefix(f"{event.subject}: "), done=share)
                self._changed[number] = event.number
                self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


async def _worked(work: Callable[[Tell], Awaitable[R]], tell: Tell) -> R:
    return await work(tell)


def _name(kind: str) -> str:
    return _NAMES.get(kind, kind)


def _cancelled(job: Job) -> OperationError:
    kept = "; nothing was changed" if job.kind in _ALL_OR_NOTHING else ""
    return OperationError(f"the {_name(job.kind)} of {job.artifact or 'the store'} was cancelled{kept}")


def _was_cancelled(running: _Running) -> bool:
    """Whether somebody ended work that is over before it had done what it was asked."""
    return running.task.cancelled() or (running.ended and running.task.exception() is not None)


def _over(running: _Running, result: Callable[[Any], str]) -> Job:
    """A job whose work has just ended, as it stays."""
    job, task = replace(running.job, ended=time.time(), note=""), running.task
    if _was_cancelled(running):
        return replace(job, state=JobState.CANCELLED)
    error = task.exception()
    if error is None:
        return replace(job, state=JobState.DONE, done=1.0, result=result(task.result()))
    if isinstance(error, ConsoleError):
        return replace(job, state=JobState.FAILED, error=replace(error_record(error), failure=None))
    unforeseen = ErrorRecord("OperationError", "unforeseen", f"an unforeseen {type(error).__name__}")
    return replace(job, state=JobState.FAILED, error=unforeseen)


def _last_words(job: Job) -> str:
    """`the update of churn/rf is done after 12 s: its candidate waits, gate passed`."""
    of = f"the {_name(job.kind)} of {job.artifact or 'the store'}"
    after = f"after {span_words((job.ended or job.started) - job.started)}"
    if job.state is JobState.DONE:
        return f"{of} is done {after}: {job.result}"
    if job.state is JobState.CANCELLED:
        return f"{of} was cancelled {after}"
    return f"{of} failed {after}: {job.error.message if job.error is not None else ''}"
