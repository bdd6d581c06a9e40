"""A client's copy of what it reads all the time: it waits for the engine, and the screens wait for nothing.

It is fed with what the engine says has changed, by whoever follows the engine; measurements and the facts of single
artifacts are fetched for those that somebody looks at.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from console.engine.api import EngineApi
from console.engine.series import Series
from console.errors import EngineGoneError
from console.records import (
    Artifact,
    Changes,
    Comparison,
    Event,
    Explanation,
    Failure,
    Job,
    KnownFacts,
    MemoryForecast,
    Permissions,
    ProbeState,
    Report,
    StoreStatus,
    TrafficState,
    UpdateProgress,
    UpdateStatus,
    WorkerView,
)

_MOST_EVENTS = 500
_MOST_FAILURES = 200
_MOST_JOBS = 300
_MOST_FACTS = 64
"""Artifacts whose facts are kept."""


class Mirror:
    """A copy of what an engine knows. Nothing in it changes between two feeds.

    With `read_only` its client may change nothing, whatever the engine would let it.
    """

    def __init__(self, engine: EngineApi, root: str = "", *, read_only: bool = False) -> None:
        self.engine = engine
        self._read_only = read_only
        self.status = StoreStatus(root, Permissions("view"))
        self.rows: dict[str, Artifact] = {}
        """All rows by path."""
        self.workers: dict[str, WorkerView] = {}
        """Workers that are loaded, loading or dead, by path."""
        self.probes: dict[str, ProbeState] = {}
        """The probes that run, or ran last."""
        self.traffic: dict[str, TrafficState] = {}
        """Requests of other programs, by path."""
        self.failures: tuple[Failure, ...] = ()
        """The latest failures, newest last."""
        self.events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        """The latest events, newest last."""
        self.jobs: tuple[Job, ...] = ()
        """The latest jobs, newest first."""
        self._updates: dict[str, UpdateStatus] = {}
        self._facts: dict[str, KnownFacts] = {}
        self._series: dict[str, Series] = {}
        self.last = -1
        """The number of the newest event, -1 before the first feed."""
        self._fed = asyncio.Event()

    # reading

    @property
    def permissions(self) -> Permissions:
        """The rights of this user."""
        return self.status.permissions

    def shortened(self, data: str) -> str:
        """A path of data relative to the store, where it lies in it."""
        return data.removeprefix(os.path.join(self.status.root, ""))

    def last_failure(self, path: str) -> Failure | None:
        """The newest failure of one artifact."""
        return next((one for one in reversed(self.failures) if one.artifact == path), None)

    def progress(self, path: str) -> UpdateProgress | None:
        """Where an update stands, None where none runs."""
        known = self._updates.get(path)
        return None if known is None else known.progress

    def pending(self, path: str) -> Comparison | None:
        """The candidate that waits for a word."""
        known = self._updates.get(path)
        return None if known is None else known.pending

    def report(self, path: str) -> Report | None:
        """The report of an artifact, as it was fetched last."""
        known = self._facts.get(path)
        return None if known is None else known.report

    def explanation(self, path: str) -> Explanation | None:
        """The same in plain words."""
        known = self._facts.get(path)
        return None if known is None else known.explanation

    def forecast(self, path: str) -> MemoryForecast | None:
        """The memory that an artifact will take once it is loaded."""
        known = self._facts.get(path)
        return None if known is None else known.forecast

    def series(self, path: str) -> Series | None:
        """The measurements of an artifact, as they were fetched last."""
        return self._series.get(path)

    def in_order(self) -> list[Artifact]:
        """All rows, in order of path."""
        return sorted(self.rows.values(), key=lambda row: row.path)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what is mirrored is so."""
        while not condition():
            await self._fed.wait()

    # feeding

    def turn_to(self, engine: EngineApi) -> None:
        """Be fed by another engine, from the start; what is mirrored stays until then."""
        self.engine, self.last = engine, -1
        self._facts, self._series, self._updates, self.jobs = {}, {}, {}, ()
        self.events.clear()

    async def follow(self, gather: float = 0.0) -> Changes:
        """Wait until something has changed and take it over, with what changes in the `gather` seconds after that."""
        return self._take(await self.engine.changes(self.last, gather=gather))

    async def catch_up(self) -> Changes:
        """Take over what has changed, without waiting."""
        return self._take(await self.engine.changes(self.last, wait=False))

    async def know(self, path: str) -> KnownFacts:
        """Fetch what is known of an artifact, and how an update of it stands; of an engine that is gone, as it was."""
        try:
            return await self._know(path)
        except EngineGoneError:
            return self._facts.get(path, KnownFacts())

    async def _know(self, path: str) -> KnownFacts:
        self._updates[path] = await self.engine.updates.status(path)
        self._facts.pop(path, None)
        while len(self._facts) >= _MOST_FACTS:
            del self._facts[next(iter(self._facts))]
        facts = self._facts[path] = await self.engine.artifacts.known(path)
        return facts

    async def measure(self, path: str, widths: Iterable[float] = ()) -> Series | None:
        """Fetch what is measured of an artifact, in bins of these widths beside those of a second; of an engine that is
        gone, as it was."""
        try:
            return await self._measure(path, tuple(widths))
        except EngineGoneError:
            return self._series.get(path)

    async def _measure(self, path: str, wanted: tuple[float, ...]) -> Series | None:
        for series in (self._series.get(path) or Series(), Series()):
            chunk = await self.engine.monitor.series(path, series.wanted(wanted))
            if chunk is None:
                self._series.pop(path, None)
                return None
            if series.take(chunk):
                self._series[path] = series
                return series
        return None

    def _take(self, changes: Changes) -> Changes:
        known = self.last if changes.last >= self.last else -1
        changes = replace(changes, events=tuple(one for one in changes.events if one.number > known))
        self.last, self.status = changes.last, self._status(changes.status)
        self.events.extend(changes.events)
        if changes.everything:
            self.rows = {row.path: row for row in changes.rows}
            self.workers, self.probes, self.traffic = {}, {}, {}
        else:
            self.rows.update((row.path, row) for row in changes.rows)
            for path in changes.removed:
                self.rows.pop(path, None)
        self.workers.update((one.path, one) for one in changes.workers)
        for path in changes.ended:
            self.workers.pop(path, None)
        for one in changes.workers:
            self.probes.pop(one.path, None)
        self.probes.update(changes.probes)
        self.traffic.update(changes.traffic)
        self._updates.update((one.path, one) for one in changes.updates)
        if changes.failures:
            failures = {one.id: one for one in (*self.failures, *changes.failures)}
            self.failures = tuple(failures[number] for number in sorted(failures))[-_MOST_FAILURES:]
        if known < 0 or changes.jobs:
            jobs = {one.id: one for one in (*(self.jobs if known >= 0 else ()), *changes.jobs)}
            self.jobs = tuple(jobs[number] for number in sorted(jobs, reverse=True))[:_MOST_JOBS]
        self._fed.set()
        self._fed = asyncio.Event()
        return changes

    def _status(self, status: StoreStatus) -> StoreStatus:
        if not self._read_only or status.permissions.read_only:
            return status
        return replace(status, permissions=replace(status.permissions, why_read_only="it was asked for"))
