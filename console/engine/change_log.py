"""Changes of an engine since a client last asked: which artifacts, by the number of the last event of each."""

from __future__ import annotations

import asyncio
from typing import Protocol

from console.events import Bus
from console.records import (
    Artifact,
    Changes,
    Comparison,
    Event,
    EventKind,
    Failure,
    Job,
    ProbeState,
    StoreStatus,
    TrafficState,
    UpdateProgress,
    UpdateStatus,
    WorkerState,
    WorkerView,
)

_MOST = 10_000
"""Artifacts whose last event is known; who has missed more gets everything."""
_WHOLE_STORE = frozenset(
    {
        EventKind.STORE_SCANNING,
        EventKind.STORE_SCANNED,
        EventKind.STORE_ONLINE,
        EventKind.STORE_OFFLINE,
        EventKind.STORE_MOVED,
    }
)
_OVER = (WorkerState.ENDED, WorkerState.ERROR)


class ChangeSource(Protocol):
    """An engine that changes, as far as it is read here."""

    bus: Bus

    def known_status(self) -> StoreStatus:
        """How the store stands."""
        ...

    def known_rows(self) -> tuple[Artifact, ...]:
        """All rows, in order of path."""
        ...

    def known_row(self, path: str) -> Artifact | None:
        """One row."""
        ...

    def known_workers(self) -> dict[str, WorkerView]:
        """Workers that are loaded, loading or dead, by path."""
        ...

    def known_probe(self, path: str) -> ProbeState | None:
        """The probe of one path that runs, or ran last."""
        ...

    def known_traffic(self, path: str) -> TrafficState | None:
        """The requests of other programs to one path."""
        ...

    def known_update(self, path: str) -> tuple[UpdateProgress | None, Comparison | None]:
        """Where an update of one path stands, and the candidate that waits."""
        ...

    def known_failures(self, since: int) -> tuple[Failure, ...]:
        """Those that came, or came again, with the event of this number or later."""
        ...

    def known_jobs(self, since: int) -> tuple[Job, ...]:
        """Those that changed with the event of this number or later."""
        ...


class ChangeLog:
    """Numbers by artifact, never the events themselves: a client that is slow or away holds nothing back."""

    def __init__(self, source: ChangeSource) -> None:
        self._source = source
        self._touched: dict[str, int] = {}
        self._everything = 0
        """The number of the last event after which nothing but everything is told."""
        self._news = asyncio.Event()
        self._unsubscribe = source.bus.subscribe(self._hear)

    def close(self) -> None:
        """Hear of nothing more."""
        self._unsubscribe()

    async def happened(self, after: int) -> None:
        """Wait until something happens after the event with this number."""
        while self._source.bus.last == after:
            await self._news.wait()

    def since(self, after: int) -> Changes:
        """Everything that changed after the event with this number; a number that is still to come is nobody's."""
        source, last = self._source, self._source.bus.last
        everything = not self._everything <= after <= last
        after = after if 0 <= after <= last else 0
        touched = self._after(after)
        rows, removed = self._rows(touched, everything)
        views = source.known_workers()
        workers = tuple(one for one in views.values() if everything or one.path in touched or one.state not in _OVER)
        probed = {one.path for one in workers} | touched
        probes = {path: state for path in probed if (state := source.known_probe(path)) is not None}
        traffic = {path: asked for path in probed if (asked := source.known_traffic(path)) is not None}
        missed = source.bus.missed(after)
        return Changes(
            last,
            source.known_status(),
            missed.events,
            missed.lost,
            everything,
            rows,
            removed,
            workers,
            tuple(path for path in touched if path not in views),
            probes,
            tuple(UpdateStatus(path, *source.known_update(path)) for path in touched),
            source.known_failures(after),
            source.known_jobs(after + 1),
            traffic,
        )

    def _rows(self, touched: set[str], everything: bool) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        if everything:
            return self._source.known_rows(), ()
        found = {path: self._source.known_row(path) for path in touched}
        return tuple(row for row in found.values() if row is not None), tuple(
            p for p, row in found.items() if row is None
        )

    def _after(self, after: int) -> set[str]:
        """The artifacts that something happened to after the event with this number."""
        found: set[str] = set()
        for path, number in reversed(self._touched.items()):
            if number <= after:
                break
            found.add(path)
        return found

    def _hear(self, event: Event) -> None:
        if event.kind in _WHOLE_STORE:
            self._everything = event.number
        elif event.subject:
            self._touched.pop(event.subject, None)
            self._touched[event.subject] = event.number
            if len(self._touched) > _MOST:
                self._everything = max(self._everything, self._touched.pop(next(iter(self._touched))))
        self._news.set()
        self._news = asyncio.Event()
