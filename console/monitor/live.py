"""The measurements of everything that is loaded: one recorder an artifact, kept over reloads, and the probes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from console.access.control import AccessControl
from console.errors import OperationError, UsageError
from console.events import Bus
from console.monitor.memory import MemorySampler, Readings, read_once
from console.monitor.probe import Prober
from console.monitor.series import Recorder
from console.records import (
    Event,
    Memory,
    Prediction,
    ProbePlan,
    ProbeState,
    SeriesChunk,
    SeriesPosition,
    Target,
    WorkerView,
)
from console.serving.inference import Inference
from console.serving.supervisor import Supervisor

if TYPE_CHECKING:
    from console.monitor.counts import ProbeCounts
    from console.monitor.exposition import Exposed

_MARKS = {
    "worker.ready": "load",
    "worker.error": "error",
    "update.promoted": "update",
    "history.rolled-back": "rollback",
}

_VERSION = "\0"
"""Begins what the sampler knows a retained version by."""
_DEATHS = ("worker.error", "worker.abandoned")


class Live:
    """Is told what happens by `hear`, so that recorders follow the workers; the fleet hears of each reading.

    `rate` is that of a probe that nobody planned, in calls a second, `sample_hz` that of reading the memory of a model
    that is probed; `exposed` gathers what a scraper is told.
    """

    def __init__(
        self,
        fleet: Supervisor,
        questions: Inference,
        book: AccessControl,
        bus: Bus,
        exposed: Callable[[], Awaitable[Exposed]],
        *,
        rate: float,
        sample_hz: float,
    ) -> None:
        self._fleet = fleet
        self._questions = questions
        self._book = book
        self._bus = bus
        self._exposed = exposed
        self._rate = rate
        self._loop = asyncio.get_running_loop()
        self._sampler = MemorySampler(self._hand_over, fast_s=1 / sample_hz)
        self._recorders: dict[str, Recorder] = {}
        self._probers: dict[str, Prober] = {}
        self._running: dict[str, asyncio.Task[ProbeState]] = {}
        self._versions: Supervisor | None = None

    def measure_versions(self, fleet: Supervisor, bus: Bus) -> None:
        """Read the workers of retained versions too, which have no charts of their own; `bus` tells of them."""
        self._versions = fleet
        bus.subscribe(lambda event: self._hear_version(fleet, event))

    async def series(self, path: str, wanted: tuple[SeriesPosition, ...] = ()) -> SeriesChunk | None:
        """The measurements after these positions; None where nothing was ever loaded. Raises UsageError for a width
        that is not kept."""
        try:
            return self._recorders[path].chunk(wanted) if path in self._recorders else None
        except KeyError as error:
            raise UsageError(f"nothing is measured in steps of {error} seconds") from None

    def recorder(self, path: str) -> Recorder:
        """The measurements of one path, begun where there are none."""
        return self._recorders.setdefault(path, Recorder())

    def probed(self) -> dict[str, ProbeCounts]:
        """Counts of the probes of each path that was probed, as they are now."""
        return {path: one.probed.copy() for path, one in self._recorders.items() if one.calls or one.probed.errors}

    async def exposition(self, openmetrics: bool = False) -> str:
        """Everything that is measured, in Prometheus' text format or as OpenMetrics."""
        from console.monitor.exposition import exposition

        return await asyncio.to_thread(exposition, await self._exposed(), openmetrics=openmetrics)

    def state(self, path: str) -> ProbeState | None:
        """The probe of one path that runs, or ran last."""
        prober = self._probers.get(path)
        return None if prober is None else prober.state()

    async def probe(self, path: str) -> ProbeState | None:
        """The same, for clients."""
        return self.state(path)

    async def plan(
        self,
        path: str,
        *,
        data: str | None = None,
        target: Target | None = None,
        rate: float | None = None,
        batch: int = 1,
    ) -> ProbePlan:
        """How a model would be driven, with what nobody named from its recipe and the settings. Raises UsageError."""
        named, column = self._questions.data_of(path, data, target)
        return ProbePlan(named, self._rate if rate is None else rate, batch, target=column)

    async def memory(self, path: str) -> Memory | None:
        """The memory of what is loaded, read now; None where nothing is."""
        view = self._fleet.view(path)
        return None if view is None else await asyncio.to_thread(read_once, *view.pids)

    async def start(self, path: str, plan: ProbePlan | None = None, seconds: float | None = None) -> ProbeState:
        """Begin to drive a loaded model, in place of a probe that runs; without a plan with the recipe's rows.

        Raises AccessDeniedError, OperationError, InputError, UsageError.
        """
        await self._book.authorize("probe", path)
        plan = plan or await self.plan(path)
        await self.stop(path)
        data, target = self._questions.data_of(path, plan.data, plan.target)
        file = await self._questions.data_file(path, data, target)
        methods = (plan.method,) if plan.method else ()
        await self._questions.ensure_method(path, methods)
        judged = file.target is not None

        async def call(start: int, batch: int) -> Prediction:
            return await self._questions.rows(
                path, data, target, start, start + batch, methods=methods, outputs=False, score=judged
            )

        recorder = self.recorder(path)
        prober = Prober(plan, file.rows, call, recorder, data=file, alive=lambda: self._fleet.answers(path))
        self._probers[path] = prober
        self._running[path] = asyncio.ensure_future(prober.run(seconds))
        self._running[path].add_done_callback(lambda _: self._ended(path, prober))
        self._sampler.hurry(path, True)
        await asyncio.sleep(0)
        self._bus.emit("probe.started", path, f"{path} is being probed")
        return prober.state()

    async def set(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        """Change a probe while it runs. Raises OperationError when there is none, AccessDeniedError."""
        await self._book.authorize("probe", path)
        prober = self._probers.get(path)
        if prober is None:
            raise OperationError(f"{path} is not being probed", hint="start a probe first")
        prober.set(rate=rate, batch=batch)

    async def stop(self, path: str, why: str = "stopped by the operator") -> ProbeState | None:
        """End the probe of one path, if there is one that runs; its last state. Raises AccessDeniedError."""
        if path not in self._running:
            return self.state(path)
        await self._book.authorize("probe", path)
        self._probers[path].stop(why)
        return await asyncio.shield(self._running[path])

    async def finished(self, path: str) -> ProbeState:
        """Wait for the probe of one path to end by itself. Raises OperationError when there is none."""
        task = self._running.get(path)
        if task is None:
            raise OperationError(f"{path} is not being probed")
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop probes and readings."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._sampler.close)

    def _ended(self, path: str, prober: Prober) -> None:
        if self._probers.get(path) is prober:
            self._running.pop(path, None)
            self._sampler.hurry(path, False)
            self._bus.emit("probe.stopped", path, f"the probe of {path} ended: {prober.state().stopped_why}")

    def _follow(self, view: WorkerView) -> None:
        """Measure a worker, with its copies, from now on."""
        if view.pid is not None:
            self.recorder(view.path).begun()
            self._sampler.watch(view.path, view.pid, *view.pids[1:], fast=view.path in self._running)

    def hear(self, event: Event) -> None:
        """Take note of what happened to a worker, and of what else a chart marks."""
        path, view = event.subject, self._fleet.view(event.subject)
        if event.kind in ("worker.ready", "worker.copies") and view is not None:
            self._follow(view)
            if path in self._running:
                self._probers[path].renewed()
        elif event.kind == "worker.ended" or (event.kind in _DEATHS and (view is None or view.pid is None)):
            self._sampler.forget(path)
            if path in self._recorders:
                self._recorders[path].gone()
            if event.kind == "worker.ended" and path in self._running:
                self._probers[path].stop("the model was unloaded")
        word = _MARKS.get(event.kind)
        if word is not None and path in self._recorders:
            self._recorders[path].mark(word)

    def _hear_version(self, fleet: Supervisor, event: Event) -> None:
        """Read a retained version from when it is ready to its end."""
        key, view = _VERSION + event.subject, fleet.view(event.subject)
        if event.kind in ("worker.ready", "worker.copies") and view is not None and view.pid is not None:
            self._sampler.watch(key, view.pid, *view.pids[1:])
        elif event.kind == "worker.ended" or (event.kind in _DEATHS and (view is None or view.pid is None)):
            self._sampler.forget(key)

    def _hand_over(self, readings: Readings) -> None:
        """From the sampler's thread to the event loop."""
        self._loop.call_soon_threadsafe(self._take, readings)

    def _take(self, readings: Readings) -> None:
        for path, (memory, cpu) in readings.items():
            if path.startswith(_VERSION) and self._versions is not None:
                self._versions.measured(path.removeprefix(_VERSION), memory, cpu)
            if path in self._recorders:
                self._recorders[path].reading(memory, cpu)
                self._fleet.measured(path, memory, cpu)
            if path in self._running:
                self._probers[path].reading(memory, self._fleet.memory_limit(path))
