"""The engine of its own that a console is attached to: told in the header, lost and found again, left to itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, NoReturn, Self, cast

from textual.worker import WorkerFailed

from console.errors import ConsoleError, EngineGoneError
from console.ui import text

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.records import EngineFacts
    from console.ui.running import ConsoleApp

AGAIN_SECONDS = 1.0
"""How often an engine that is gone is looked for."""
_GONE = "the engine is gone; it is tried again every second"


class _GoneEngine:
    """An engine that is gone: whatever it is asked raises EngineGoneError at once."""

    def __getattr__(self, name: str) -> Self:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __call__(self, *_given: object, **_named: object) -> Self:
        """Whatever was asked."""
        return self

    def __await__(self) -> Generator[None, None, NoReturn]:
        yield from ()
        raise EngineGoneError(_GONE)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NoReturn:
        raise EngineGoneError(_GONE)


class Attachment:
    """The line to an engine. `again` attaches anew and raises ConsoleError while there is none to attach to; without it
    the engine is in this process and is never lost."""

    def __init__(self, app: ConsoleApp, again: Callable[[], Awaitable[EngineApi]] | None) -> None:
        self._app = app
        self._again = again
        self.lost = False
        """Whether the engine is gone, and looked for."""
        self.gone = cast("EngineApi", _GoneEngine())
        """What stands for the engine meanwhile."""

    @property
    def facts(self) -> EngineFacts | None:
        """The process that is attached to; None where the engine is in this one."""
        return self._app.mirror.status.engine if self._app.is_open else None

    @property
    def refusal(self) -> str | None:
        """Why nothing can be asked of the engine now; None where it can."""
        return _GONE if self.lost else None

    def explains(self, error: Exception) -> bool:
        """Whether an error that nobody caught is that of an engine that is gone, which is told elsewhere."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        return self._again is not None and isinstance(cause, EngineGoneError)

    async def regain(self, error: EngineGoneError) -> EngineApi:
        """Wait until there is an engine again. Raises the error where it was never one of its own."""
        if self._again is None:
            raise error
        self.lost = True
        self._app.refresh_frames()
        while True:
            try:
                engine = await self._again()
            except (ConsoleError, OSError):
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self.lost = False
            return engine

    def farewell(self) -> str:
        """The sentence for whoever leaves an engine that goes on; empty where it ends with the console."""
        facts, mirror = self.facts, self._app.mirror
        if facts is None or self.lost:
            return ""
        running = sum(job.ended is None for job in mirror.jobs)
        loaded = sum(view.state == "ready" for view in mirror.workers.values())
        waiting = sum(mirror.pending(path) is not None for path in self._app.rows.by_path)
        parts = (
            f"{text.count(loaded, 'model')} loaded" if loaded else "",
            f"{text.count(running, 'job')} running" if running else "",
            f"{text.count(waiting, 'candidate')} waiting for a word" if waiting else "",
        )
        told = ", ".join(part for part in parts if part)
        return f"engine {facts.pid} goes on{f' with {told}' if told else ''}"
