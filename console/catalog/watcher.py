"""Keeps a catalogue true: change notices say where to look, a periodic comparison with the disk is what counts."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.catalog.catalog import Catalog
from console.catalog.change_notifications import Coverage, Noticing
from console.catalog.listing import Changes
from console.catalog.settling import Settling
from console.files.root_guard import StoreOffline
from console.records import Artifact

_DEBOUNCE = 0.2
_DEBOUNCE_AT_REST = 0.05
_ROOT_EVERY = 1.0
_POLL_EVERY = 10.0
_COST_FACTOR = 30.0
_RESCAN_FACTOR = 4.0
_GLANCES = 32
"""So many directories at most are looked at between two batches of a scan."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Callbacks of a watcher, always called on the event loop's thread.

    `changed` gets every batch of differences, the rows of the first scan included; `scanned` is called after each
    complete comparison; `offline` with the sentence why, `online` when the store is back; `coverage` when it changes;
    `moved` with the directory that the store's path leads to from now on, before what is different there.
    """

    changed: Callable[[Changes], None]
    scanned: Callable[[], None] = lambda: None
    offline: Callable[[str], None] = lambda _: None
    online: Callable[[], None] = lambda: None
    coverage: Callable[[Coverage], None] = lambda _: None
    moved: Callable[[Path], None] = lambda _: None


@dataclass(slots=True)
class _Pending:
    """A directory that wants a look: when, and which of its files were closed or moved in since."""

    due: float
    at_rest: set[str] = field(default_factory=set)


class Watcher:
    """One thread that looks at the disk for a catalogue, and the observer that tells it where.

    `start` begins with a full scan; `stop` ends both and leaves no thread. The catalogue must not be made to look at
    the disk by anybody else in between.
    """

    def __init__(
        self, catalog: Catalog, listener: Listener, loop: asyncio.AbstractEventLoop, *, reconcile_s: float = 30.0
    ) -> None:
        self._catalog = catalog
        self._listener = listener
        self._loop = loop
        self._pace = reconcile_s
        self._thread = threading.Thread(target=self._run, name="store-watcher", daemon=True)
        self._wake = threading.Condition()
        self._pending: dict[str, _Pending] = {}
        self._glanced: dict[str, _Pending] = {}
        self._settling = Settling(catalog)
        self._stopping = False
        self._noticing = Noticing(catalog.given, self._noticed, self.reconcile, self._turned, self._unseen)
        self._offline = ""
        self._root: tuple[int, int] | None = None
        self._reconcile_at = 0.0
        self._root_at = 0.0
        self._not_before = 0.0
        self._slept = _suspended()
        self._coverage = Coverage("polling", 0, 0, "")

    # for the owner

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the observer; waits for both. Harmless when not started or ended already."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    async def aclose(self) -> None:
        """`stop` without holding up the event loop."""
        await asyncio.to_thread(self.stop)

    def reconcile(self) -> None:
        """Compare everything with the disk as soon as possible."""
        with self._wake:
            self._reconcile_at = 0.0
            self._wake.notify()

    def look(self, directory: str) -> None:
        """Look at one directory ("" = the root) as soon as possible, as if its change had been noticed."""
        self._noticed(directory, "", None)

    @property
    def coverage(self) -> Coverage:
        """How changes are noticed at present."""
        return self._coverage

    # the thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._step()
                self._sleep()
        finally:
            self._noticing.stop()

    def _step(self) -> None:
        now = time.monotonic()
        try:
            if now >= min(self._root_at, self._reconcile_at):
                self._root_at = now + _ROOT_EVERY
                self._check_root()
            if self._offline:
                return
            if now >= self._reconcile_at:
                self._reconcile()
            else:
                self._look_where_due(now)
        except StoreOffline as error:
            self._go_offline(error)
        except OSError:
            self._not_before = now + _ROOT_EVERY
            self._reconcile_at = now + _POLL_EVERY

    def _sleep(self) -> None:
        with self._wake:
            due = [self._root_at]
            if not self._offline:
                due.append(self._reconcile_at)
                due.extend(max(one.due, self._not_before) for one in self._pending.values())
                due.append(max(self._settling.next_due(), self._not_before))
            pause = min(due) - time.monotonic()
            if pause > 0 and not self._stopping:
                self._wake.wait(pause)

    def _check_root(self) -> None:
        if self._catalog.follow():
            self._forget_notices()
            self._root = None
            self._tell(self._listener.moved, self._catalog.root)
        self._catalog.check_root()
        if self._offline:
            self._offline = ""
            self._root = None
            self._tell(self._listener.online)
        suspended = _suspended()
        if self._catalog.root_identity != self._root:
            self._noticing.stop()
            self._root = self._catalog.root_identity
            self._reconcile_at = 0.0
        elif suspended - self._slept > 1.0 or self._noticing.died:
            self._reconcile_at = 0.0
        self._slept = suspended

    def _forget_notices(self) -> None:
        self._noticing.stop()
        with self._wake:
            self._pending.clear()
            self._glanced.clear()
        self._settling.clear()

    def _go_offline(self, error: StoreOffline) -> None:
        self._forget_notices()
        if not self._offline:
            self._offline = error.message
            self._tell(self._listener.offline, error.message)

    # the full comparison

    def _reconcile(self) -> None:
        begun = time.monotonic()
        with self._wake:
            self._reconcile_at = float("inf")
            at_rest = _at_rest(self._pending)
        self._scan(at_rest)
        with self._wake:
            self._pending = self._glanced | {name: one for name, one in self._pending.items() if one.due > begun}
            self._glanced = {}
        if not self._noticing.alive and self._noticing.start(self._catalog.root):
            self._scan(set())
        if self._stopping:
            return
        cost = time.monotonic() - begun
        self._measure_coverage()
        pace = self._pace if self._coverage.mode == "events" else min(self._pace, _POLL_EVERY)
        with self._wake:
            later = time.monotonic() + max(pace, _COST_FACTOR * cost) * random.uniform(0.9, 1.1)
            self._reconcile_at = min(self._reconcile_at, later)
        self._tell(self._listener.scanned)

    def _scan(self, at_rest: set[str]) -> None:
        told: dict[str, Artifact] = {}
        batches = self._catalog.scan(lambda: self._stopping)
        while True:
            try:
                batch = next(batches)
            except StopIteration as end:
                changes: Changes = end.value
                break
            fresh = {row.path: row for row in batch if self._catalog.row(row.path) is None}
            told.update(fresh)
            self._emit(Changes(added=tuple(fresh.values())))
            self._glance()
        if self._stopping:
            return
        missing = tuple(path for path in told if self._catalog.row(path) is None)
        changes = self._settling.sort(changes, at_rest)
        added = tuple(row for row in changes.added if told.get(row.path) is not row)
        self._emit(Changes(added, changes.changed, changes.removed + missing))

    # single directories

    def _glance(self) -> None:
        """Tell of what changed in files while a long scan goes on; what else is new there is looked for after it."""
        looked = self._take_due(_GLANCES)
        if looked:
            self._emit(self._settling.sort(self._catalog.glance(looked), _at_rest(looked)))
            self._glanced |= looked

    def _take_due(self, most: int | None = None) -> dict[str, _Pending]:
        now = time.monotonic()
        with self._wake:
            due = [name for name, one in self._pending.items() if one.due <= now]
            return {name: self._pending.pop(name) for name in due[:most]}

    def _look_where_due(self, now: float) -> None:
        if now < self._not_before:
            return
        looked = self._take_due()
        directories = {*looked, *map(self._catalog.home, self._settling.due())}
        if not directories:
            return
        changes = self._catalog.rescan(directories)
        self._not_before = time.monotonic() + _RESCAN_FACTOR * (time.monotonic() - now)
        self._emit(self._settling.sort(changes, _at_rest(looked)))

    # notices

    def _turned(self) -> None:
        """A link on the way to the store was touched."""
        with self._wake:
            self._root_at = 0.0
            self._wake.notify()

    def _noticed(self, directory: str, name: str, at_rest: bool | None) -> None:
        due = time.monotonic() + (_DEBOUNCE_AT_REST if at_rest else _DEBOUNCE)
        with self._wake:
            one = self._pending.get(directory)
            if one is None:
                one = self._pending[directory] = _Pending(due)
            one.due = min(one.due, due)
            if at_rest:
                one.at_rest.add(name)
            elif at_rest is False:
                one.at_rest.discard(name)
            self._wake.notify()

    def _unseen(self, directory: str) -> None:
        """Note a hidden directory: it has no rows, but links that have some may lead there."""
        if self._catalog.linking():
            self._noticed(directory, "", None)

    def _measure_coverage(self) -> None:
        now = self._noticing.coverage(self._catalog.directories())
        if now != self._coverage:
            self._coverage = now
            self._tell(self._listener.coverage, now)

    # telling

    def _emit(self, changes: Changes) -> None:
        if changes:
            self._tell(self._listener.changed, changes)

    def _tell(self, listener: Callable[..., None], *what: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(listener, *what)
        except RuntimeError:
            self._stopping = True


def _at_rest(pending: Mapping[str, _Pending]) -> set[str]:
    """The files that were closed or moved in since."""
    return {os.path.join(name, file) for name, one in pending.items() for file in one.at_rest}


def _suspended() -> float:
    """Seconds this machine has slept since it was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
