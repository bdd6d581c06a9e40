"""One engine for one command: opened without background work, closed whatever happens."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from console import awake, ending, event_loop
from console.cli.output import Output
from console.config import load_settings
from console.engine.rooms import Engine
from console.errors import BadInput, NeedsReview
from console.records import WorkerView
from console.store.roots import is_store, place_of

Command = Callable[[argparse.Namespace, Output], Awaitable[int]]


@asynccontextmanager
async def opened(path: str, *, records: bool | None = None, watch: bool = False) -> AsyncIterator[Opened]:
    """The engine of the store that `path` belongs to.

    `records` tells whether what is done goes to the store's own files: always, never, or (None) where the store has
    some already. Raises BadInput, Usage.
    """
    place = place_of(path)
    if records is None:
        records = is_store(place.root)
    settings = load_settings()
    engine = await Engine.open(place.root, settings, read_only=settings.read_only, watch=watch, records=records)
    for text in engine.settled:
        Output().say(text)
    try:
        yield Opened(engine, place.path)
    finally:
        await engine.close()


class Opened:
    """An open store, and the path in it that the command was given ("" = the store itself)."""

    def __init__(self, engine: Engine, path: str) -> None:
        self.engine = engine
        self.path = path

    @property
    def artifact(self) -> str:
        """The path of one artifact. Raises BadInput for a directory."""
        if not self.path or (self.engine.root / self.path).is_dir():
            raise BadInput(f"{self.engine.root / self.path} is a directory", hint="name one artifact in it")
        return self.path

    async def load(self, arguments: argparse.Namespace, output: Output) -> WorkerView:
        """Load the artifact and say what is wrong with its answers.

        Raises NeedsReview with the words to type, Refused, BadInput, Failed.
        """
        try:
            view = await self.engine.models.load(self.artifact, at=arguments.at, accept=arguments.accept)
            output.warn(view.warnings)
            return view
        except NeedsReview as error:
            raise NeedsReview(
                error.message,
                hint='read what `model-console inspect` says of it; then add --accept "why you trust it"',
                failure=error.failure,
            ) from None


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
