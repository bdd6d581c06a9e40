"""Failures of workers and models, kept after the worker is gone."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from console.events import Bus
from console.records import Failure, RequestOutcome

KEEP = 200
REQUEST = "request"
"""The phase of a failure that no child told of: a deadline, a queue that is full."""


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
            self._kept[place] = replace(
                before,
                count=before.count + 1,
                last=failure.when,
                request=failure.request or before.request,
                trace=failure.trace or before.trace,
                version=failure.version or before.version,
            )
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
            request=numbered.request,
            trace=numbered.trace,
        )
        return numbered

    def add_request(self, outcome: RequestOutcome) -> None:
        """Name a request that failed beside the failure that a child told of it; where none did, it is one itself."""
        path, kept = outcome.path, self._kept
        newest = next((place for place in range(len(kept) - 1, -1, -1) if kept[place].artifact == path), None)
        told = None if newest is None else kept[newest]
        if newest is None or told is None or told.phase == REQUEST or not told.message.endswith(outcome.message):
            failure = Failure(0, outcome.when, path, REQUEST, outcome.error, outcome.message)
            self.add(replace(failure, request=outcome.id, trace=outcome.trace, version=outcome.version))
        else:
            kept[newest] = replace(told, request=outcome.id, trace=outcome.trace, version=outcome.version)
            self._changed[told.id] = self._bus.last

    @property
    def count(self) -> int:
        """How many there were, those included that are not kept any more."""
        return self._next - 1

    def all(self) -> tuple[Failure, ...]:
        """Those still kept, newest last."""
        return tuple(self._kept)

    def since(self, number: int) -> tuple[Failure, ...]:
        """Those that came, or came again, with the event of this number or later."""
        return tuple(one for one in self._kept if self._changed[one.id] >= number)


def _kind(failure: Failure) -> tuple[object, ...]:
    return failure.phase, failure.code, failure.type, failure.message, failure.exit, failure.digest
