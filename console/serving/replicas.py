"""More workers of one content, for more throughput: started alike, asked in turn, restarted when they die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from console.errors import ConsoleError, OperationError, UsageError
from console.serving.loader import ModelLoader, Started
from console.serving.slot import Slot
from console.worker.model import Worker
from console.worker.process import ChildProcess

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

    def __init__(self, starter: ModelLoader, on_end: OnEnd, tell: Tell) -> None:
        self._starter = starter
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
            started = await self._starter.start(path, slot.view.at, None, lambda _phase, _done, one: slot.begun(one))
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
    await worker.child.quiet(DRAIN_S)
    await worker.end()
