"""Many deadlines on one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadlines:
    """Calls `overdue(number)` for each number whose seconds are over.

    One timer is armed for the earliest deadline and looks again when it rings, so that a request that is answered in
    time, as nearly all are, costs two entries in a dict and no timer of its own.
    """

    def __init__(self, overdue: Callable[[int], None]) -> None:
        self._overdue = overdue
        self._loop = asyncio.get_running_loop()
        self._due: dict[int, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, number: int, seconds: float) -> None:
        """Watch this number from now on."""
        due = self._due[number] = self._loop.time() + seconds
        if self._timer is None or due < self._timer.when():
            self._arm(due)

    def drop(self, number: int) -> None:
        """It was answered."""
        self._due.pop(number, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        self._timer = None
        late = [number for number, due in self._due.items() if due <= now]
        for number in late:
            del self._due[number]
        if self._due:
            self._arm(min(self._due.values()))
        for number in late:
            self._overdue(number)
