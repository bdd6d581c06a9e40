"""Measuring two models on the same rows: each in a fresh worker, turn by turn, so that both see the same machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from console.errors import ConsoleError
from console.loading.facts import Judged
from console.loading.starting import Starter
from console.worker.model import Worker

__all__ = ["Measurement", "Rows", "measure"]

WARM_CALLS = 3
CALLS = 60
"""Single-row predictions of each model whose durations are taken."""
BUDGET_S = 8.0
"""Seconds after which no further prediction is timed, however few there were."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to measure on: an open data file, its name and target, and whether only those held back count."""

    file: int
    name: str
    target: str | None
    held_back: bool = False


@dataclass(slots=True)
class Measurement:
    """How one model did. `problem` says why there are no metrics."""

    task: str = ""
    rows: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    problem: str | None = None


async def measure(
    starter: Starter, path: str, current: Judged, candidate: Judged, at: str, rows: Rows, metric: str | None
) -> tuple[Measurement, Measurement]:
    """Metrics and latencies of both models on the same rows.

    That the current model cannot be measured is told in its `problem`; that the candidate cannot is raised, with the
    failure of its worker.
    """
    async with _worker(starter, path, candidate, at) as new, _worker(starter, path, current, at) as old:
        found = await _evaluate(new, rows, metric)
        try:
            before = await _evaluate(old, rows, metric)
        except ConsoleError as error:
            before = (Measurement(problem=error.message), None)
        await _time(new, found, old, before)
    return before[0], found[0]


@asynccontextmanager
async def _worker(starter: Starter, path: str, judged: Judged, at: str) -> AsyncIterator[Worker]:
    started = await starter.start_judged(path, judged, at, {})
    try:
        yield started.worker
    finally:
        await started.worker.end()


async def _evaluate(worker: Worker, rows: Rows, metric: str | None) -> tuple[Measurement, int | None]:
    """Metrics of one model, and the handle of the table in its worker."""
    handle, _file = await worker.open_data(rows.file, rows.name, target=rows.target)
    task, count, metrics = await worker.evaluate(handle, metric=metric, held_back=rows.held_back)
    return Measurement(task, count, metrics), handle


async def _time(
    new: Worker, found: tuple[Measurement, int | None], old: Worker, before: tuple[Measurement, int | None]
) -> None:
    """Durations of single-row predictions, one model after the other; a model that fails is left out."""
    timed = [(worker, *pair) for worker, pair in ((new, found), (old, before))]
    began = time.monotonic()
    for turn in range(-WARM_CALLS, CALLS):
        for worker, measurement, handle in timed:
            if handle is None or time.monotonic() - began > BUDGET_S:
                continue
            row = turn % max(1, found[0].rows)
            try:
                outcome = await worker.call(handle, row, row + 1, outputs=False)
            except ConsoleError:
                measurement.latencies.clear()
                timed = [one for one in timed if one[0] is not worker]
                break
            if turn >= 0:
                measurement.latencies.append(outcome.worker_ms)
        await asyncio.sleep(0)
