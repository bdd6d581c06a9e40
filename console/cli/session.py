"""One engine for one command: opened without background work, closed whatever happens; and what happens in it, told."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Container, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from backends.core.directories import is_artifact
from console import awake, ending, event_loop
from console.cli.output import Output
from console.cli.seen import why_unseen
from console.engine.api import Door, EngineApi
from console.errors import InputError, NeedsReviewError
from console.records import EngineFacts, Event, EventKind, Job, JobState, WorkerState, WorkerView

Command = Callable[[argparse.Namespace, Output], Awaitable[int]]


@asynccontextmanager
async def opened(
    door: Door,
    path: str,
    *,
    records: bool | None = None,
    watch: bool = False,
    attach: bool = True,
    alone: str = "",
    files: Iterable[str | None] = (),
    unless: Callable[[EngineApi, str], Awaitable[str]] | None = None,
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> AsyncIterator[Opened]:
    """The engine of the store that `path` belongs to, as the door opens it: with `attach` the one that serves it.

    It is one in this process, which is told, where `alone` says why, where the one that serves the store cannot do it
    with one of the `files`, or where `unless` tells a reason once it is asked. Raises InputError, UsageError.
    """
    engine, place = await door.open(path, records=records, watch=watch, alone=not attach, on_failure=on_failure)
    try:
        status = await engine.status()
        facts = status.engine
        if facts is not None:
            why = alone or why_unseen(facts, status.root, files) or (await unless(engine, place) if unless else "")
            Output().say(f"beside engine {facts.pid}, since {why}" if why else f"through engine {facts.pid}")
            if why:
                await engine.close()
                engine, place = await door.open(path, records=records, watch=watch, alone=True, on_failure=on_failure)
                status = await engine.status()
        for text in status.settled if status.engine is None else ():
            Output().say(text)
        store = Opened(engine, Path(status.root), place, status.engine)
        try:
            yield store
        finally:
            await store.let_go()
    finally:
        await engine.close()


class Opened:
    """An open store, and the path in it that the command was given ("" = the store itself); `through` is the process
    that serves the store, None where the engine is in this one."""

    def __init__(self, engine: EngineApi, root: Path, path: str, through: EngineFacts | None = None) -> None:
        self.engine = engine
        self.root = root
        self.path = path
        self.through = through
        self._held: AsyncGenerator[WorkerView] | None = None

    @property
    def artifact(self) -> str:
        """The path of one artifact. Raises InputError for a directory."""
        if not self.path or not is_artifact(self.root / self.path):
            raise InputError(f"{self.root / self.path} is a directory", hint="name one artifact in it")
        return self.path

    async def load(self, arguments: argparse.Namespace, output: Output) -> WorkerView:
        """Load the artifact and say what is wrong with its answers; what an engine that serves the store had not
        loaded is unloaded there at the end.

        Raises NeedsReviewError with the words to type, NeedsMemoryError, AccessDeniedError, InputError,
        OperationError.
        """
        try:
            view = await self._loaded(arguments.at, arguments.accept, anyway=arguments.anyway)
            output.warn(view.warnings)
            return view
        except NeedsReviewError as error:
            raise NeedsReviewError(
                error.message,
                hint='read what `model-console inspect` says of it; then add --accept "why you trust it"',
                failure=error.failure,
            ) from None

    async def _loaded(self, at: str, accept: str | None, *, anyway: bool) -> WorkerView:
        models = self.engine.models
        if self.through is None:
            return await models.load(self.artifact, at=at, accept=accept, anyway=anyway)
        held = models.hold(self.artifact, at=at, accept=accept, anyway=anyway)
        self._held = cast("AsyncGenerator[WorkerView]", held)
        return await anext(self._held)

    async def let_go(self) -> None:
        """Hold nothing any more of what was loaded."""
        if self._held is not None:
            await self._held.aclose()


@asynccontextmanager
async def as_job(store: Opened, kind: str, arguments: argparse.Namespace, output: Output) -> AsyncIterator[None]:
    """Long work, which an engine that serves the store ends where the operator ends the command, and goes on with where
    only the line has dropped."""
    try:
        yield
    except asyncio.CancelledError:
        if store.through is not None:
            for job in await store.engine.jobs.list():
                if (job.kind, job.artifact, job.state) == (kind, store.path, JobState.RUNNING):
                    await _leave(store, job, arguments, output)
        raise


async def _leave(store: Opened, job: Job, arguments: argparse.Namespace, output: Output) -> None:
    if arguments.ending.number == signal.SIGHUP:
        output.say(f"job {job.id} goes on: model-console jobs {store.root} --follow {job.id}")
    else:
        await store.engine.jobs.cancel(job.id)


async def at_another_place(engine: EngineApi, path: str, at: str) -> str:
    """Why a model at this place of a file cannot be used without taking another one away; empty where it can."""
    view = await engine.models.settled(path) if path else None
    if view is None or view.state is not WorkerState.READY or view.at == at:
        return ""
    return f"another model of {path} is loaded there, at {view.at or 'its only place'}"


@asynccontextmanager
async def narrated(store: Opened, output: Output, kinds: Container[EventKind]) -> AsyncIterator[None]:
    """Say what happens meanwhile to the artifact or the store, as far as it is of these kinds, and all of it before
    the end."""
    engine, told = store.engine, (await store.engine.events()).last

    def tell(event: Event) -> None:
        nonlocal told
        if event.number > told:
            told = event.number
            if event.kind in kinds and event.subject in ("", store.path):
                output.say(event.text)

    async def follow() -> None:
        async for event in engine.follow(told):
            tell(event)

    task = asyncio.ensure_future(follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for event in (await engine.events(told)).events:
            tell(event)


def run(command: Command, arguments: argparse.Namespace, output: Output) -> int:
    """Run one command on an event loop of its own; SIGTERM and SIGHUP end it like Ctrl-C does, but within seconds."""

    failed: list[Exception] = []

    async def whole() -> int:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        awake.follow(loop)
        signal.signal(signal.SIGCONT, awake.went_on)

        def give_up(error: Exception) -> bool:
            failed.append(error)
            return task.cancel()

        event_loop.hear_of_failures(give_up)
        with ending.heard(
            f"command {arguments.command}", lambda _number: loop.call_soon_threadsafe(task.cancel)
        ) as end:
            arguments.ending = end
            return await command(arguments, output)

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        if failed:
            raise failed[0] from None
        raise KeyboardInterrupt from None
