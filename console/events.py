"""The stream of numbered events: one bus, many listeners, the last few hundred kept for whoever comes later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from console.records import Event, EventData, EventKind, MissedEvents

Listener = Callable[[Event], None]


class Bus:
    """Hands every event to every listener at once, on the event loop's own thread.

    Events of the kinds in `passing` are not kept: a survey of a large store has one for each file, a job one for each
    step, and what an operator looks for would be lost among them.
    """

    def __init__(
        self,
        keep: int = 500,
        passing: frozenset[str] = frozenset(
            {EventKind.ARTIFACT_INSPECTED, EventKind.ARTIFACT_UNINSPECTED, EventKind.JOB_PROGRESS}
        ),
    ) -> None:
        self._listeners: list[Listener] = []
        self._recent: deque[Event] = deque(maxlen=keep)
        self._passing = passing
        self.last = 0
        """The number of the newest event."""
        self._dropped = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns the way to stop that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def emit(self, kind: str, subject: str, text: str, *, severity: str = "info", **data: Any) -> Event:
        """Publish one event. `severity` is "info", "ok", "attention" or "failure", `data` the fields of EventData.

        Raises ValueError for a kind that EventKind does not have.
        """
        self.last += 1
        event = Event(EventKind(kind), time.time(), subject, text, severity, EventData(**data), self.last)
        if kind not in self._passing:
            if len(self._recent) == self._recent.maxlen:
                self._dropped = self._recent[0].number
            self._recent.append(event)
        for listener in tuple(self._listeners):
            listener(event)
        return event

    def recent(self) -> tuple[Event, ...]:
        """The events still kept, oldest first."""
        return tuple(self._recent)

    def missed(self, after: int) -> MissedEvents:
        """The events that are kept of those after a number."""
        events = tuple(event for event in self._recent if event.number > after)
        return MissedEvents(events, after < self._dropped, self.last)
