"""Supervisor of the loaded models: starts, asks, reloads, restarts and ends their workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from console.access.actor import acting_as
from console.errors import AccessDeniedError, ConsoleError, InputError, NeedsMemoryError, OperationError
from console.events import Bus
from console.records import Failure, Memory, WorkerState, WorkerView
from console.serving.failures import Failures
from console.serving.loader import ModelLoader, Started
from console.serving.replicas import Replicas, Slot
from console.serving.worker_logs import WorkerLogs
from console.worker.failures import new_failure
from console.worker.model import Worker
from console.worker.process import ChildProcess

T = TypeVar("T")


class Supervisor:
    """Workers by path. Every change of what is seen is announced on the bus as `worker.<state>`.

    `availability` says of a path whether the old worker answers until the new one can; without `restarts` a worker
    that died is not started again.
    """

    def __init__(
        self,
        loader: ModelLoader,
        failures: Failures,
        bus: Bus,
        availability: Callable[[str], bool],
        *,
        restarts: bool = True,
    ) -> None:
        self._loader = loader
        self._failures = failures
        self._bus = bus
        self._availability = availability
        self._restarts = restarts
        self.logs = WorkerLogs()
        self._slots: dict[str, Slot] = {}
        self._copies = Replicas(loader, self._ended, lambda *told: self._tell(*told[:3], severity=told[3]))

    # seen from outside

    def views(self) -> dict[str, WorkerView]:
        """The workers that are loaded, loading or dead, by path."""
        return {path: slot.view for path, slot in self._slots.items()}

    def view(self, path: str) -> WorkerView | None:
        """The same of one path."""
        slot = self._slots.get(path)
        return None if slot is None else slot.view

    def slot(self, path: str) -> Slot:
        """The slot of a path whose worker answers. Raises OperationError with the way there."""
        slot = self._slots.get(path)
        if slot is None:
            raise OperationError(f"{path} is not loaded", hint="load it first")
        if not slot.answers:
            raise OperationError(f"{path} cannot answer now: its worker is {slot.view.state}", hint="retry, or wait")
        return slot

    def find(self, path: str) -> Slot | None:
        """The slot of a path, whether it answers or not."""
        return self._slots.get(path)

    def answers(self, path: str) -> bool:
        """Whether a request can be sent now."""
        slot = self._slots.get(path)
        return slot is not None and slot.answers

    async def settled(self, path: str) -> None:
        """Wait while a path is being loaded and nothing answers for it."""
        slot = self._slots.get(path)
        if slot is not None and not slot.answers:
            async with slot.lock:
                pass

    async def ask(self, path: str, question: Callable[[Worker], Awaitable[T]]) -> T:
        """Put a question to the worker of a path; what goes wrong is kept among the failures."""
        slot = self.slot(path)
        worker = slot.least_busy()
        assert worker is not None
        slot.asking += 1
        worker.asked += 1
        try:
            return await question(worker)
        except ConsoleError as error:
            self._keep(slot, error)
            raise
        finally:
            slot.asking -= 1
            worker.asked -= 1

    def keep(self, slot: Slot, error: ConsoleError) -> None:
        """Put what went wrong with a question among the failures."""
        self._keep(slot, error)

    def measured(self, path: str, memory: Memory, cpu: float | None) -> None:
        """Take over one reading of a worker's memory and processor time (percent of one core)."""
        slot = self._slots.get(path)
        if slot is not None and slot.worker is not None:
            slot.show(memory=memory, cpu=cpu)
            if not slot.more:
                slot.worker.child.memory = memory

    def memory_limit(self, path: str) -> int | None:
        """The bytes that the workers of a path may hold together; None where nothing limits them."""
        slot = self._slots.get(path)
        limits = [one.child.memory_limit for one in slot.workers] if slot is not None else []
        return sum(limit or 0 for limit in limits) if limits and all(limits) else None

    def asked(self, path: str) -> int:
        """How many questions the workers of a path have to answer now."""
        slot = self._slots.get(path)
        return 0 if slot is None else sum(one.asked for one in slot.workers)

    # changes

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> WorkerView:
        """Load an artifact, or the model at another place of it, also `anyway` where it will not fit into memory.

        Raises NeedsReviewError, NeedsMemoryError, AccessDeniedError, InputError, OperationError.
        """
        slot = self._slots.get(path)
        if slot is not None and slot.answers and slot.view.at == at:
            return slot.view
        if slot is None:
            view = WorkerView(path, WorkerState.LOADING, time.time(), at=at, phase="judge")
            slot = self._slots[path] = Slot(view, heard=lambda worker: self.logs.follow(path, worker.child))
        try:
            return await self._replace(slot, at, accept, beside=False, anyway=anyway)
        except (AccessDeniedError, InputError, NeedsMemoryError) as error:
            if slot.worker is None and self._slots.get(path) is slot and _is_refusal(slot, error):
                del self._slots[path]
                self._tell(slot, "worker.ended", f"{path} was not loaded: {error}", severity="attention")
            raise

    async def reload(self, path: str, *, accept: str | None = None) -> WorkerView:
        """Load what the file holds now; with availability the old worker answers until the new one can."""
        slot = self._slots.get(path)
        if slot is None:
            raise OperationError(f"{path} is not loaded", hint="load it first")
        slot.deaths = 0
        return await self._replace(slot, slot.view.at, accept, beside=self._availability(path))

    async def set_copies(self, path: str, count: int) -> WorkerView:
        """Have this many workers answer for a path. Raises UsageError, OperationError, and what `load` raises."""
        slot = self.slot(path)
        slot.deaths = 0
        await self._copies.set(slot, count)
        return slot.view

    async def unload(self, path: str) -> None:
        """End the workers of a path at once, whatever they do; nothing happens where there are none.

        What they were asked fails with `unloaded`, which is nobody's failure and is not kept.
        """
        slot = self._slots.get(path)
        if slot is None:
            return
        slot.retire()
        slot.kill()
        if slot.worker is not None:
            slot.show(state=WorkerState.DRAINING)
            self._tell(slot, "worker.draining", f"{path} is being unloaded")
        await asyncio.gather(*(worker.end() for worker in slot.started))
        if self._slots.get(path) is slot:
            del self._slots[path]
        slot.show(state=WorkerState.ENDED, pid=None, pids=())
        self._tell(slot, "worker.ended", f"{path} was unloaded")

    async def close(self) -> None:
        """End every worker."""
        slots, self._slots = list(self._slots.values()), {}
        for slot in slots:
            slot.retire()
            slot.kill()
        await asyncio.gather(*(worker.end() for slot in slots for worker in slot.started))
        await self._copies.close()

    # loading

    async def _replace(
        self, slot: Slot, at: str, accept: str | None, *, beside: bool, anyway: bool = True
    ) -> WorkerView:
        async with slot.lock:
            beside = beside and slot.answers
            if beside:
                slot.show(phase="reloading")
                self._tell(slot, "worker.phase", f"{slot.view.path}: the new content loads beside the old")
            else:
                await self._end_old(slot)
                slot.show(state=WorkerState.LOADING, at=at, phase="judge", phases={}, pid=None, retry_at=None)
                self._tell(slot, "worker.loading", f"{slot.view.path} is loading")
            try:
                started = await self._loader.start(
                    slot.view.path, at, accept, lambda *step: self._step(slot, *step, beside=beside), anyway=anyway
                )
            except ConsoleError as error:
                if not slot.wanted:
                    raise OperationError(f"{slot.view.path} was unloaded while it was loading") from None
                self._not_loaded(slot, error, beside)
                raise
            if not slot.wanted:
                await started.worker.end()
                raise OperationError(f"{slot.view.path} was unloaded while it was loading")
            return self._take_over(slot, started, at)

    def _step(self, slot: Slot, phase: str, finished: dict[str, float], worker: Worker | None, *, beside: bool) -> None:
        slot.begun(worker)
        if beside:
            return
        state = WorkerState.WARMING if phase == "warm" else WorkerState.LOADING
        slot.show(state=state, phase=phase, phases=finished)
        if worker is not None:
            child = worker.child
            slot.show(pid=child.pid, layers=dict(child.layers), selftest=dict(child.selftest))
        self._tell(slot, "worker.phase", f"{slot.view.path}: {phase}")

    async def _end_old(self, slot: Slot) -> None:
        if slot.worker is not None:
            old, slot.worker = slot.worker, None
            self._copies.dismiss(slot)
            await old.end()

    def _take_over(self, slot: Slot, started: Started, at: str) -> WorkerView:
        """The new worker answers from now on; the old one, if there is one, finishes what it was asked and ends."""
        old, slot.worker = slot.worker, started.worker
        if old is not None:
            slot.more.append(old)
        self._copies.dismiss(slot)
        slot.identity = started.identity
        started.worker.child.on_end.append(lambda child: self._ended(slot, child))
        loaded = started.loaded
        slot.show(
            state=WorkerState.READY,
            since=time.time(),
            at=at,
            pid=started.worker.child.pid,
            pids=(started.worker.child.pid,),
            digest=started.digest,
            phase="",
            phases=loaded.phases,
            methods=loaded.methods,
            signature=loaded.signature,
            layers=dict(started.worker.child.layers),
            selftest=dict(started.worker.child.selftest),
            memory=None,
            retry_at=None,
            notes=loaded.notes,
            warnings=loaded.warnings,
        )
        self._tell(slot, "worker.ready", f"{slot.view.path} is ready", severity="ok")
        self._copies.refill(slot)
        if started.later is not None:
            started.later.add_done_callback(lambda later: self._digested(slot, started, later))
        return slot.view

    def _digested(self, slot: Slot, started: Started, later: asyncio.Task[str | None]) -> None:
        """The digest of a large file is known, some time after its worker was ready."""
        if not later.cancelled() and slot.worker is started.worker and later.exception() is None:
            slot.show(digest=later.result())
            self._tell(slot, "worker.phase", f"{slot.view.path}: its digest is known")

    def _not_loaded(self, slot: Slot, error: ConsoleError, beside: bool) -> None:
        """The new content failed: the old worker keeps answering where there is one, else the slot shows the error."""
        path = slot.view.path
        kept = self._keep(slot, error)
        if kept is None and slot.worker is None:
            slot.show(state=WorkerState.ERROR, phase="", notes=(str(error),))
        elif beside and slot.answers:
            slot.show(phase="", notes=(f"reload failed, the old content still answers: {error}",))
            self._tell(slot, "worker.error", f"{path}: reload failed, the old still answers", severity="failure")
        else:
            slot.show(state=WorkerState.ERROR, phase="", pid=None)
            self._tell(slot, "worker.error", f"{path} could not be loaded: {error}", severity="failure")

    # death

    def _ended(self, slot: Slot, child: ChildProcess) -> None:
        """A worker is gone that nobody ended: keep why, and start it again after a while, unless that was too often."""
        if not slot.wanted or all(one.child is not child for one in slot.workers):
            return
        others = self._copies.lost(slot, child)
        failure = child.death_failure("idle", None)
        if not slot.asking:
            self._keep(slot, OperationError(failure.message, failure=failure))
        wait = slot.count_death() if self._restarts else None
        text = f"{slot.view.path}: {failure.message}"
        slot.show(restarts=slot.deaths)
        if others:
            self._copy_ended(slot, text, wait)
            return
        slot.worker = None
        slot.show(state=WorkerState.ERROR, pid=None, pids=(), memory=None, cpu=None)
        if wait is None:
            slot.show(retry_at=None, notes=(f"it died {slot.deaths} times in a row and is left alone until you retry",))
            self._tell(slot, "worker.abandoned", f"{text}; it is left alone until you retry", severity="failure")
            return
        slot.show(retry_at=time.time() + wait)
        again = f"in {wait:g} s" if wait else "at once"
        self._tell(slot, "worker.error", f"{text}; it starts again {again}", severity="failure")
        with acting_as(None):
            slot.restart = asyncio.ensure_future(self._start_again(slot, wait))

    def _copy_ended(self, slot: Slot, text: str, wait: float | None) -> None:
        """The others answer on; the one that died comes back after a while, unless that was too often."""
        if wait is None:
            slot.copies = len(slot.workers)
            self._copies.show(slot)
            self._tell(slot, "worker.copies", f"{text}; it is not started again", severity="failure")
        else:
            slot.show(retry_at=time.time() + wait)
            self._tell(slot, "worker.copies", f"{text}; another one starts in {wait:g} s", severity="failure")
            self._copies.refill(slot, wait)

    async def _start_again(self, slot: Slot, wait: float) -> None:
        await asyncio.sleep(wait)
        if slot.wanted and slot.worker is None:
            try:
                await self._replace(slot, slot.view.at, None, beside=False)
            except ConsoleError:
                slot.show(retry_at=None)

    def _keep(self, slot: Slot, error: ConsoleError) -> Failure | None:
        """Put an error among the failures, unless it is a refusal or the operator's doing: no failure of anything."""
        if _is_refusal(slot, error) or error.code == "unloaded":
            return None
        failure = error.failure
        if failure is None:
            failure = new_failure(slot.view.path, slot.view.phase or "load", error.code, error.message, hint=error.hint)
        kept = self._failures.add(replace(failure, artifact=slot.view.path, digest=failure.digest or slot.view.digest))
        slot.show(last_failure=kept.id)
        return kept

    def _tell(self, slot: Slot, kind: str, text: str, *, severity: str = "info") -> None:
        self._bus.emit(kind, slot.view.path, text, severity=severity)


def _is_refusal(slot: Slot, error: ConsoleError) -> bool:
    """Whether trust says no, memory is short, or the file holds nothing to load and never did: no failure of
    anything."""
    if isinstance(error, InputError):
        return slot.identity is None and error.failure is None
    return isinstance(error, (AccessDeniedError, NeedsMemoryError))
