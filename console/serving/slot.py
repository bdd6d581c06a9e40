"""One loaded artifact: the worker that answers for it, and what the screens see of that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from console.errors import OperationError
from console.records import DataFile, FileIdentity, ReadOptions, Target, WorkerState, WorkerView
from console.worker.model import Worker

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
