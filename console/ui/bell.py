"""The terminal's bell: once for a new trouble, for who looks elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.records import Event

OWN_DOING_S = 5.0
"""So long after the operator asked for something of a model, what fails there is seen without a bell."""
REST_S = 15.0
"""How long after a bell the same model rings none, whatever else fails; a toast of one kind rests as long."""
BURST_S = 1.0
"""The time in which several failures ring once."""
_NUMBER = re.compile(r"\d[\d.,]*")


class Bell:
    """Tells for which events to ring. `asked` holds when the operator last asked for something of which model."""

    def __init__(self, asked: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = asked
        self._clock = clock
        self._known: dict[str, tuple[float, set[str]]] = {}
        self._rung: dict[str, float] = {}
        self._last = -BURST_S

    def rings(self, events: Iterable[Event]) -> bool:
        """Whether there is trouble among them that is new: not told before since the operator last saw to it. Each of
        them counts as told from now on."""
        return sum(self._is_new(event) for event in events if event.severity == "failure") > 0

    def _is_new(self, event: Event) -> bool:
        now, subject, words = self._clock(), event.subject, _NUMBER.sub("#", event.text)
        asked = self._asked.get(subject, -OWN_DOING_S)
        seen_to, known = self._known.get(subject, (asked, set()))
        if asked != seen_to:
            known = set()
        new = words not in known
        self._known[subject] = asked, known | {words}
        if not new or now - asked < OWN_DOING_S:
            return False
        if now - self._rung.get(subject, now - REST_S) < REST_S or now - self._last < BURST_S:
            return False
        self._rung[subject] = self._last = now
        return True
