"""The stream of events: one bus, many listeners, the last few hundred kept for whoever comes later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from console.records import Event

Listener = Callable[[Event], None]


class Bus:
    """Hands every event to every listener at once, on the event loop's own thread.

    Events of the kinds in `passing` are not kept: a survey of a large store has one for each file, and what an operator
    looks for would be lost among them.
    """

    def __init__(
        self, keep: int = 500, passing: frozenset[str] = frozenset({"artifact.inspected", "artifact.uninspected"})
    ) -> None:
        self._listeners: list[Listener] = []
        self._recent: deque[Event] = deque(maxlen=keep)
        self._passing = passing

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns the way to stop that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def emit(self, kind: str, subject: str, text: str, *, severity: str = "info", **data: Any) -> Event:
        """Publish one event. `severity` is "info", "ok", "attention" or "failure"."""
        event = Event(kind, time.time(), subject, text, severity, data)
        if kind not in self._passing:
            self._recent.append(event)
        for listener in tuple(self._listeners):
            listener(event)
        return event

    def recent(self) -> tuple[Event, ...]:
        """The events still kept, oldest first."""
        return tuple(self._recent)
