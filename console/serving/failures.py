"""Failures of workers and models, kept after the worker is gone."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from console.events import Bus
from console.records import Failure

KEEP = 200


class Failures:
    """The last failures, numbered in the order they came; each is announced on the bus once."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._kept: deque[Failure] = deque(maxlen=KEEP)
        self._next = 1
        self._changed: dict[int, int] = {}

    def add(self, failure: Failure) -> Failure:
        """Number a failure, keep it and tell the listeners; one like the last of its artifact only raises its count."""
        for place in range(len(self._kept) - 1, -1, -1):
            before = self._kept[place]
            if before.artifact != failure.artifact:
                continue
            if _kind(before) != _kind(failure):
                break
            self._kept[place] = replace(before, count=before.count + 1, last=failure.when)
            self._changed[before.id] = self._bus.last
            return self._kept[place]
        numbered = replace(failure, id=self._next)
        self._next += 1
        self._kept.append(numbered)
        self._changed[numbered.id] = self._bus.last + 1
        self._changed.pop(numbered.id - KEEP, None)
        self._bus.emit(
            "failure.added",
            numbered.artifact,
            f"{numbered.artifact}: {numbered.phase} failed: {numbered.message}",
            severity="failure",
            failure=numbered.id,
        )
        return numbered

    def all(self) -> tuple[Failure, ...]:
        """Those still kept, newest last."""
        return tuple(self._kept)

    def since(self, number: int) -> tuple[Failure, ...]:
        """Those that came, or came again, with the event of this number or later."""
        return tuple(one for one in self._kept if self._changed[one.id] >= number)


def _kind(failure: Failure) -> tuple[object, ...]:
    return failure.phase, failure.code, failure.type, failure.message, failure.exit, failure.digest
