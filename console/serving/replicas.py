"""Replicas: the workers of one loaded artifact, more of them for more throughput, and what the screens see of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from console.errors import ConsoleError, OperationError, UsageError
from console.records import DataFile, FileIdentity, ReadOptions, Target, WorkerState, WorkerView
from console.serving.loader import ModelLoader, Started
from console.worker.model import Worker
from console.worker.process import ChildProcess

BACKOFF_S = (0.0, 1.0, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Waits before the first, second … restart of a worker that died."""

GIVE_UP_AFTER = 5
"""Deaths of one content in a row after which it is left alone."""

HEALTHY_S = 60.0
"""A worker that lived this long was not started in vain: its death counts as a first one."""


TableKey = tuple[str, Target | None, ReadOptions, int | None]
"""A data file, its target, how it is read, and how many rows of it (None = all)."""


@dataclass(frozen=True, slots=True)
class Table:
    """A data file open in the worker: its handle there, and what it is; `file.path` is as the caller named it."""

    handle: int
    file: DataFile


@dataclass(eq=False)
class Slot:
    """The worker of one path, and `more` of the same content where copies are wanted.

    `wanted` is true from load to unload; `lock` lets one change at a time through.
    """

    view: WorkerView
    worker: Worker | None = None
    more: list[Worker] = field(default_factory=list)
    copies: int = 1
    identity: FileIdentity | None = None
    wanted: bool = True
    asking: int = 0
    deaths: int = 0
    tables: WeakKeyDictionary[Worker, dict[TableKey, Table]] = field(default_factory=WeakKeyDictionary)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    restart: asyncio.Task[None] | None = None
    heard: Callable[[Worker], object] | None = None
    """Is told of each worker that is started, before it has done anything."""
    started: WeakSet[Worker] = field(default_factory=WeakSet)
    """Every worker that was started for it, those included that still load or that finish what they were asked."""

    @property
    def answers(self) -> bool:
        """Whether a request can be sent now."""
        return self.worker is not None and self.worker.child.alive and self.view.state is WorkerState.READY

    @property
    def workers(self) -> list[Worker]:
        """All that hold the content, the first one first."""
        return [] if self.worker is None else [self.worker, *self.more]

    def least_busy(self) -> Worker | None:
        """The worker that answers the fewest questions now, the first of several such."""
        alive = [one for one in self.workers if one.child.alive]
        return min(alive, key=lambda one: one.asked, default=self.worker)

    def tables_of(self, worker: Worker) -> dict[TableKey, Table]:
        """The data files open in this worker, by file, target and how they are read."""
        return self.tables.setdefault(worker, {})

    def show(self, **changes: Any) -> WorkerView:
        """Change what is seen; a new state begins now."""
        if "state" in changes and changes["state"] is not self.view.state:
            changes.setdefault("since", time.time())
        self.view = replace(self.view, **changes)
        return self.view

    def count_death(self) -> float | None:
        """Note that the worker died; the seconds to wait before the next start, or None when it is to be left alone."""
        if time.time() - self.view.since > HEALTHY_S:
            self.deaths = 0
        self.deaths += 1
        if self.deaths > GIVE_UP_AFTER:
            return None
        return BACKOFF_S[min(self.deaths - 1, len(BACKOFF_S) - 1)]

    def begun(self, worker: Worker | None) -> None:
        """Take down the worker of a start that goes on. Where nobody wants it any more, end it.

        Raises OperationError before there is a worker.
        """
        if worker is not None and worker not in self.started:
            self.started.add(worker)
            if self.heard is not None:
                self.heard(worker)
        if not self.wanted and worker is None:
            raise OperationError(f"{self.view.path} was unloaded while it was loading")
        if not self.wanted:
            self.kill()

    def kill(self) -> None:
        """End every worker of it now, whatever it does; what it was asked fails with `unloaded`."""
        for worker in self.started:
            worker.child.kill("unloaded", "was unloaded")

    def retire(self) -> None:
        """Nobody wants it any more: no restart."""
        self.wanted = False
        if self.restart is not None:
            self.restart.cancel()


COPIES_CAP = 16
DRAIN_S = 10.0
"""How long the requests of a worker that is to leave may take to end."""

OnEnd = Callable[[Slot, ChildProcess], None]
Tell = Callable[[Slot, str, str, str], None]
"""Announces: slot, kind of event, sentence, severity."""


class Replicas:
    """Keeps as many workers of a slot as are wanted; the first of them is the slot's own and is started elsewhere.

    All of them hold the content the first one holds: another one needs a reload. `on_end` hears of each that is gone.
    """

    def __init__(self, loader: ModelLoader, on_end: OnEnd, tell: Tell) -> None:
        self._loader = loader
        self._on_end = on_end
        self._tell = tell
        self._leaving: set[asyncio.Task[None]] = set()
        self._filling: set[asyncio.Task[None]] = set()

    async def set(self, slot: Slot, count: int) -> None:
        """Have this many workers. Raises UsageError, OperationError, and what a load raises."""
        if not 1 <= count <= COPIES_CAP:
            raise UsageError(f"{count} copies cannot be: between 1 and {COPIES_CAP} can")
        async with slot.lock:
            slot.copies = count
            while len(slot.more) >= count:
                self._leave(slot.more.pop())
            self.show(slot)
            await self._fill(slot)

    def refill(self, slot: Slot, wait: float = 0.0) -> None:
        """Start what is missing, in the background."""
        if len(slot.workers) < slot.copies:
            _spawn(self._fill_later(slot, wait), self._filling)

    def dismiss(self, slot: Slot) -> None:
        """Let all but the first finish what they were asked, and end."""
        while slot.more:
            self._leave(slot.more.pop())

    def lost(self, slot: Slot, child: ChildProcess) -> bool:
        """Take a dead worker out of the slot; whether others answer on."""
        if slot.worker is not None and slot.worker.child is child and slot.more:
            slot.worker = slot.more.pop(0)
        elif all(one.child is not child for one in slot.more):
            return False
        slot.more = [one for one in slot.more if one.child is not child]
        self.show(slot)
        return True

    def show(self, slot: Slot) -> None:
        """Say who is there."""
        pids = tuple(one.child.pid for one in slot.workers)
        slot.show(pid=pids[0] if pids else None, pids=pids, copies=slot.copies)
        if len(pids) >= slot.copies:
            slot.show(retry_at=None)
        self._tell(slot, "worker.copies", f"{slot.view.path}: {len(pids)} of {slot.copies} copies answer", "info")

    async def close(self) -> None:
        """Start nothing more; wait for those that leave."""
        for task in self._filling:
            task.cancel()
        await asyncio.gather(*self._filling, *self._leaving, return_exceptions=True)

    async def _fill(self, slot: Slot) -> None:
        path = slot.view.path
        while slot.wanted and slot.answers and len(slot.workers) < slot.copies:
            started = await self._loader.start(path, slot.view.at, None, lambda _phase, _done, one: slot.begun(one))
            if not _holds(slot, started):
                await started.worker.end()
                slot.copies = len(slot.workers)
                self.show(slot)
                raise OperationError(
                    f"{path} has changed since it was loaded: no copy of it was started", hint="reload it"
                )
            slot.more.append(started.worker)
            self._watch(slot, started.worker)
            self.show(slot)

    def _watch(self, slot: Slot, worker: Worker) -> None:
        worker.child.on_end.append(lambda child: self._on_end(slot, child))

    async def _fill_later(self, slot: Slot, wait: float) -> None:
        await asyncio.sleep(wait)
        async with slot.lock:
            try:
                await self._fill(slot)
            except ConsoleError as error:
                slot.show(retry_at=None)
                self._tell(slot, "worker.copies", f"{slot.view.path}: a copy did not start: {error}", "failure")

    def _leave(self, worker: Worker) -> None:
        _spawn(drain(worker), self._leaving)


def _spawn(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)


def _holds(slot: Slot, started: Started) -> bool:
    """Whether a slot still answers with the content that was started."""
    return slot.wanted and slot.answers and started.identity == slot.identity


async def drain(worker: Worker) -> None:
    """Let a worker finish what it was asked, for a while, then end it."""
    await drained(worker)
    await worker.end()


async def drained(worker: Worker) -> None:
    """Wait until a worker has finished what it was asked, for a while."""
    await worker.child.quiet(DRAIN_S)
