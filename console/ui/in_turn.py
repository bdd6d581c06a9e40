"""One operation over many models, a few at a time: how far it got, how it is stopped, what is told at its end."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.errors import AccessDeniedError, ConsoleError, NeedsMemoryError, NeedsReviewError
from console.records import Event, Verdict
from console.ui.cooperative import cooperative
from console.ui.keys import key_for
from console.ui.operations import Operations
from console.ui.tally import Outcome, Tally

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

AT_ONCE = 4
"""Models that are loaded, read or ended at a time."""

_LATE_S = 1.0
"""So long after it happened an event may reach the screens."""

_STOPPED = Outcome("not begun", "stopped", "warning")

One = Callable[[str], Awaitable[Outcome]]
"""Does the operation to one path. Raises ConsoleError."""


@dataclass(eq=False)
class Round:
    """An operation over many: `verb` is what is done to them now, "" while something is asked.

    `stopped` = nothing more of it is to be begun.
    """

    total: int
    verb: str = "looking at"
    done: int = 0
    stopped: bool = False
    tally: Tally = field(default_factory=Tally)

    def __str__(self) -> str:
        behind = "stopping" if self.stopped else f"{key_for('stop')} stops"
        return f"{self.verb} {self.done:,} of {self.total:,}, {behind}" if self.verb else ""


Work = Callable[[Round], Coroutine[Any, Any, object]]


class InTurn:
    """Runs one round over many at a time; over a single model one may run beside it."""

    def __init__(self, app: ConsoleApp, operations: Operations) -> None:
        self._app = app
        self._operations = operations
        self.round: Round | None = None
        """That over many which goes on."""
        self._told: dict[str, tuple[float, float]] = {}

    def start(self, count: int, work: Work) -> None:
        """Begin a round over so many models, unless another one goes on."""
        begun = Round(count)
        if count > 1:
            if self.round is not None:
                self._app.say(self.why_not)
                return
            self.round = begun
            late = time.time() - _LATE_S
            self._told = {path: told for path, told in self._told.items() if told[1] > late}
        self._app.run_worker(self._guarded(begun, work), group="marked")

    async def _guarded(self, begun: Round, work: Work) -> None:
        try:
            await work(begun)
        except ConsoleError as error:
            begun.tally.clear()
            self._app.say_error(error)
        finally:
            if self.round is begun:
                self.round = None
            self._app.touch("")  # no row of its own, but the screens look again
        if len(begun.tally):
            self._app.say(begun.tally.sentence(), begun.tally.severity)

    @property
    def why_not(self) -> str:
        """Why no other round over many can begin now."""
        return f"still {self.round}" if self.round is not None and self.round.verb else "one thing after the other"

    def hushes(self, event: Event) -> bool:
        """Whether an event is part of what is told in one sentence at the end."""
        begun, ended = self._told.get(event.subject, (math.inf, 0.0))
        return begun <= event.when <= ended

    async def sort_out(
        self, action: str, paths: Sequence[str], begun: Round, idle: Callable[[str], Outcome | None] = lambda _: None
    ) -> list[str]:
        """Those for which the action makes sense now; of the others it is told why not, or that they are `idle`."""
        found: list[str] = []
        async for path in cooperative(paths):
            if begun.stopped:
                begun.tally.add(_STOPPED, *found, *paths[begun.done :])
                return []
            if self._operations.possible(action, path):
                found.append(path)
            else:
                why = short(self._operations.why_not(action, path))
                begun.tally.add(idle(path) or Outcome("left out", why, "warning"), path)
            begun.done += 1
        begun.verb = ""
        return found

    async def each(
        self, begun: Round, verb: str, paths: Sequence[str], one: One, *, word: str = "", at_once: int = AT_ONCE
    ) -> None:
        """Do it to each path; a row shows the `word` while it is its turn."""
        waiting = deque(paths)
        begun.verb, begun.total, begun.done = verb, len(paths), 0

        async def work() -> None:
            while waiting and not begun.stopped:
                path = waiting.popleft()
                begun.tally.add(await self._one(path, one, word, hushed=begun is self.round), path)
                begun.done += 1
                self._app.touch(path)

        await asyncio.gather(*(work() for _ in range(min(at_once, len(paths)))))
        begun.tally.add(_STOPPED, *waiting)

    async def _one(self, path: str, one: One, word: str, *, hushed: bool) -> Outcome:
        begun = time.time()
        if hushed:
            self._told[path] = begun, math.inf
        if word:
            self._operations.pending[path] = word
            self._app.touch(path)
        try:
            return await one(path)
        except ConsoleError as error:
            return self._failed(path, error)
        finally:
            if word:
                self._operations.settled(path)
            if hushed:
                self._told[path] = begun, time.time()

    def _failed(self, path: str, error: ConsoleError) -> Outcome:
        """The outcome of one of many that failed, in words that are the same for all that it hit."""
        if isinstance(error, NeedsReviewError):
            return Outcome("left out", "under review", "warning", asked_alone())
        if isinstance(error, NeedsMemoryError):
            return Outcome("left out", "too little memory", "warning", asked_alone())
        why = short(error.message.replace(f"{path} ", "it ").replace(path, "it"))
        if isinstance(error, AccessDeniedError):
            artifact = self._app.mirror.rows.get(path)
            verdict = artifact.verdict if artifact is not None else None
            return Outcome("refused", str(verdict) if verdict is Verdict.BLOCKED else why, "warning")
        return Outcome("failed", why, "error", f"{key_for('errors')} tells why" if error.failure is not None else "")


def asked_alone() -> str:
    """The way to a question that is asked about one model at a time."""
    return f"{key_for('load')} on one alone asks about it"


def short(why: str) -> str:
    """A reason without its subject: `blocked` for `it is blocked`."""
    return why.removeprefix("it is ").removeprefix("it ")
