"""One engine for one command: opened without background work, closed whatever happens; and what happens in it, told."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager
from pathlib import Path

from backends.core.directories import is_artifact
from console import awake, ending, event_loop
from console.cli.output import Output
from console.engine.api import Door, EngineApi
from console.errors import InputError, NeedsReviewError
from console.records import Event, EventKind, WorkerView

Command = Callable[[argparse.Namespace, Output], Awaitable[int]]


@asynccontextmanager
async def opened(
    door: Door,
    path: str,
    *,
    records: bool | None = None,
    watch: bool = False,
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> AsyncIterator[Opened]:
    """The engine of the store that `path` belongs to, as the door opens it. Raises InputError, UsageError."""
    engine, place = await door.open(path, records=records, watch=watch, on_failure=on_failure)
    try:
        status = await engine.status()
        for text in status.settled:
            Output().say(text)
        yield Opened(engine, Path(status.root), place)
    finally:
        await engine.close()


class Opened:
    """An open store, and the path in it that the command was given ("" = the store itself)."""

    def __init__(self, engine: EngineApi, root: Path, path: str) -> None:
        self.engine = engine
        self.root = root
        self.path = path

    @property
    def artifact(self) -> str:
        """The path of one artifact. Raises InputError for a directory."""
        if not self.path or not is_artifact(self.root / self.path):
            raise InputError(f"{self.root / self.path} is a directory", hint="name one artifact in it")
        return self.path

    async def load(self, arguments: argparse.Namespace, output: Output) -> WorkerView:
        """Load the artifact and say what is wrong with its answers.

        Raises NeedsReviewError with the words to type, AccessDeniedError, InputError, OperationError.
        """
        try:
            view = await self.engine.models.load(self.artifact, at=arguments.at, accept=arguments.accept)
            output.warn(view.warnings)
            return view
        except NeedsReviewError as error:
            raise NeedsReviewError(
                error.message,
                hint='read what `model-console inspect` says of it; then add --accept "why you trust it"',
                failure=error.failure,
            ) from None


@asynccontextmanager
async def narrated(store: Opened, output: Output, kinds: Container[EventKind]) -> AsyncIterator[None]:
    """Say what happens meanwhile, as far as it is of these kinds, and all of it before the end."""
    engine, told = store.engine, (await store.engine.events()).last

    def tell(event: Event) -> None:
        nonlocal told
        if event.number > told:
            told = event.number
            if event.kind in kinds:
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
        with ending.heard(f"command {arguments.command}", lambda _number: loop.call_soon_threadsafe(task.cancel)):
            return await command(arguments, output)

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        if failed:
            raise failed[0] from None
        raise KeyboardInterrupt from None
