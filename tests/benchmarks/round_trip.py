"""One row to a worker and back, against the same call in this process.

`adaptive` is what the console does by itself, what it learns included. `two processors, awake` holds each side on a
processor of its own and neither goes to sleep while calls follow each other (what `adaptive` comes to on a quiet
machine); `two processors` is the same with sleep, `one processor` has both on one. `no model` is the round trip alone.
`row of a table` asks by row numbers of an open file, as the probe does. A call in this process that comes after
something else than the same call finds colder caches: `after a round trip` is what a worker pays too.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy

from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.placement import Placement, Way
from tests.benchmarks import models
from tests.benchmarks.figures import Figure, parser, show
from tests.worker.payloads import Payload, predicting

CALLS = 300
EVERYWHERE = os.sched_getaffinity(0)
Ask = Callable[[], Awaitable[Any]]


class Held(Placement):
    """Stays on the processors it is put on, and waits the way it is told."""

    def __init__(self, pid: int, way: Way) -> None:
        super().__init__(pid)
        self._kept = way

    def _go(self, way: Way) -> None:
        """Nothing is learned but how long answers take."""
        self.way = self._kept


@dataclass(frozen=True)
class Put:
    """Processors of console and worker, and how both wait."""

    here: int
    there: int
    way: Way


async def measured(runs: int) -> list[Figure]:
    """The figures of all ways, each measured in turn."""
    model = models.logistic_regression()
    row = models.inputs()[0][:1].copy()
    launcher = Launcher()
    worker = await models.served(launcher, model, "logistic regression")
    echo = await models.served(launcher, Payload(predicting("len(X) * __import__('numpy').ones(1)")), "echo")
    handle = await _table(worker)
    ways = _ways(worker, echo, row, handle)
    micros: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        micros.setdefault("in process", []).append(_in_process(model, row))
        micros.setdefault("in process, after a round trip", []).append(await _after(echo, model, row))
        for name, (asked, put, ask) in ways.items():
            micros.setdefault(name, []).append(await _held(asked, put, ask))
    await launcher.close()
    return [Figure(name, "us", tuple(found[1:]), "in process") for name, found in micros.items()]


def _ways(worker: Worker, echo: Worker, row: Any, handle: int) -> dict[str, tuple[Worker, Put | None, Ask]]:
    numbers = row.tobytes()

    def array(asked: Worker) -> Ask:
        return lambda: asked.call_array("<f8", row.shape, numbers)

    here, there = min(EVERYWHERE), max(EVERYWHERE)
    one, two, awake = Put(here, here, Way.NEAR), Put(here, there, Way.FREE), Put(here, there, Way.APART)
    return {
        "worker, adaptive": (worker, None, array(worker)),
        "worker, two processors, awake": (worker, awake, array(worker)),
        "worker, one processor": (worker, one, array(worker)),
        "worker, two processors": (worker, two, array(worker)),
        "worker, row of a table, adaptive": (worker, None, lambda: worker.call(handle, 0, 1, outputs=False)),
        "no model, adaptive": (echo, None, array(echo)),
        "no model, two processors, awake": (echo, awake, array(echo)),
        "no model, one processor": (echo, one, array(echo)),
        "no model, two processors": (echo, two, array(echo)),
    }


async def _table(worker: Worker) -> int:
    file = io.BytesIO()
    numpy.save(file, models.inputs()[0])
    with tempfile.TemporaryFile() as data:
        data.write(file.getvalue())
        data.flush()
        handle, _told = await worker.open_data(data.fileno(), "rows.npy")
    return handle


def _in_process(model: Any, row: Any) -> float:
    taken = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        model.predict(row)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def _after(echo: Worker, model: Any, row: Any) -> float:
    taken = []
    for _ in range(CALLS):
        await echo.call_array("<f8", row.shape, row.tobytes())
        begun = time.perf_counter()
        model.predict(row)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def _held(worker: Worker, put: Put | None, ask: Ask) -> float:
    pid = worker.child.pid
    if put is None:
        worker.placement = Placement(pid)
    else:
        worker.placement = Held(pid, put.way)
        os.sched_setaffinity(0, {put.here})
        os.sched_setaffinity(pid, {put.there})
    try:
        taken = []
        for _ in range(CALLS):
            begun = time.perf_counter()
            await ask()
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken) * 1e6
    finally:
        os.sched_setaffinity(0, EVERYWHERE)
        os.sched_setaffinity(pid, EVERYWHERE)


def main() -> None:
    """Measure and print."""
    asked = parser(__doc__).parse_args()
    show(asyncio.run(measured(asked.runs)), as_json=asked.json)


if __name__ == "__main__":
    main()
