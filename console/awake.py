"""Time in which this process was awake: while it is stopped (Ctrl-Z, SIGSTOP), the world goes on without it.

Deadlines and rates count this time. By the wall they would pass meanwhile, and a worker whose answer lies ready would
be called overdue by a process that has only slept over it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Awake:
    """A clock that stands while the process does.

    Nobody is told that he will be stopped, but all are told that they go on (SIGCONT): what has passed since the event
    loop looked at its clock last is taken for the time stopped. That is too much by the time it was idle before, a
    second at most, by which deadlines come later.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._lost = 0.0

    def now(self) -> float:
        """Seconds awake; the zero means nothing."""
        return self._clock() - self._lost

    def look(self) -> float:
        """The same, for the event loop alone: what it did not look at is lost when the process goes on."""
        self._looked = self._clock()
        return self._looked - self._lost

    def went_on(self, *_: object) -> None:
        """The process goes on after it was stopped, perhaps: a handler for SIGCONT."""
        self._lost += max(0.0, self._clock() - self._looked)
        self._looked = self._clock()


_AWAKE = Awake()
now, went_on = _AWAKE.now, _AWAKE.went_on


def follow(loop: asyncio.AbstractEventLoop) -> None:
    """Have all timers of an event loop go by it."""
    loop.time = _AWAKE.look  # type: ignore[method-assign]
