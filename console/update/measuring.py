"""Measuring two models on the same rows: each in a fresh worker, turn by turn, so that both see the same machine."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from console.errors import ConsoleError
from console.inspection.service import Judged
from console.records import DataFile, ReadOptions, Target
from console.serving.loader import ModelLoader
from console.worker.model import Worker

WARM_CALLS = 3
CALLS = 60
"""Single-row predictions of each model whose durations are taken."""
_TIMED = ("predict", "transform")
BUDGET_S = 8.0
"""Seconds after which no further prediction is timed, however few there were."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to measure on: an open data file, its name and target, and whether only those held back count.

    `marked`, if it is not empty, has a bit for each row that counts.
    """

    file: int
    name: str
    target: Target | None
    held_back: bool = False
    marked: bytes = b""
    options: ReadOptions = field(default_factory=ReadOptions)


@dataclass(slots=True)
class Measurement:
    """How one model did. `problem` says why there are no metrics, `causes` why one of them is missing, `notes` what was
    decided about truth and answers.

    `answers` is a digest of all that it answered; `data` is the file as this model's worker read it. `warnings` are
    of the load and of all that was asked, `versions` names the libraries that differ from the file's.
    """

    task: str = ""
    rows: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    problem: str = ""
    causes: dict[str, str] = field(default_factory=dict)
    answers: str = ""
    notes: tuple[str, ...] = ()
    data: DataFile | None = None
    warnings: tuple[str, ...] = ()
    versions: str = ""


@dataclass(slots=True)
class _Measured:
    """One model being measured: its worker, the open table there and the method whose calls are timed."""

    worker: Worker
    method: str
    handle: int = 0
    found: Measurement = field(default_factory=Measurement)


async def measure(
    loader: ModelLoader, path: str, current: Judged, candidate: Judged, at: str, rows: Rows, metric: str | None
) -> tuple[Measurement, Measurement]:
    """Metrics and latencies of both models on the same rows, each as it answers once it is loaded.

    That the current model cannot be measured is told in its `problem`; that the candidate cannot is raised, with the
    failure of its worker.
    """
    async with AsyncExitStack() as workers:
        new = await _evaluated(workers, loader, path, candidate, at, rows, metric)
        timed = [new]
        try:
            timed.append(await _evaluated(workers, loader, path, current, at, rows, metric))
            before = timed[-1].found
        except ConsoleError as error:
            versions = error.failure.versions if error.failure is not None else ""
            before = Measurement(problem=error.message, versions=versions)
        await _time(timed, new.found.rows)
    return before, new.found


async def _evaluated(
    workers: AsyncExitStack, loader: ModelLoader, path: str, judged: Judged, at: str, rows: Rows, metric: str | None
) -> _Measured:
    """Start a worker, which lives as long as `workers`, and measure its model on the rows."""
    started = await loader.start_judged(path, judged, at, {})
    workers.push_async_callback(started.worker.end)
    method = next((name for name in _TIMED if name in started.loaded.methods), _TIMED[0])
    measured = _Measured(started.worker, method)
    measured.handle, file = await started.worker.open_data(
        rows.file, rows.name, target=rows.target, options=rows.options
    )
    found = await started.worker.evaluate(measured.handle, metric=metric, held_back=rows.held_back, marked=rows.marked)
    measured.found = Measurement(
        found.task,
        found.rows,
        found.metrics,
        causes=found.causes,
        answers=found.answers,
        notes=found.notes,
        data=file,
        warnings=tuple(dict.fromkeys((*started.loaded.warnings, *found.warnings))),
        versions=started.worker.child.versions.facts,
    )
    return measured


async def _time(timed: list[_Measured], rows: int) -> None:
    """Durations of single-row calls, one model after the other in each turn, each first in every other one.

    One that fails is left out.
    """
    began = time.monotonic()
    for turn in range(-WARM_CALLS, CALLS):
        row = turn % max(1, rows)
        for one in tuple(timed if turn % 2 else reversed(timed)):
            if time.monotonic() - began > BUDGET_S:
                return
            try:
                outcome = await one.worker.call(one.handle, row, row + 1, methods=(one.method,), outputs=False)
            except ConsoleError:
                one.found.latencies.clear()
                timed.remove(one)
                continue
            if turn >= 0:
                one.found.latencies.append(outcome.worker_ms)
