"""One row to a worker and back, against the same call in this process.

`adaptive` is what the console does; `one processor` and `two processors` hold both sides where they say. `no model`
is the round trip alone. `of a table` asks by row numbers of an open file, as the probe does. A call in this process
that comes after something else than the same call finds colder caches: `after a round trip` is what a worker pays too.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy

from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.placement import Placement
from tests.benchmarks import models
from tests.benchmarks.figures import Figure, parser, show
from tests.worker.payloads import Payload, predicting

CALLS = 300
EVERYWHERE = os.sched_getaffinity(0)
Ask = Callable[[], Awaitable[Any]]


class Held(Placement):
    """Stays where it is put."""

    def alone(self, seconds: float) -> None:
        """Nothing is learned."""

    def release(self) -> None:
        """Nothing is released."""


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
        for name, (asked, cpus, ask) in ways.items():
            micros.setdefault(name, []).append(await _held(asked, cpus, ask))
    await launcher.close()
    return [Figure(name, "us", tuple(found[1:]), "in process") for name, found in micros.items()]


def _ways(worker: Worker, echo: Worker, row: Any, handle: int) -> dict[str, tuple[Worker, tuple[int, int] | None, Ask]]:
    numbers = row.tobytes()

    def array(asked: Worker) -> Ask:
        return lambda: asked.call_array("<f8", row.shape, numbers)

    here, there = min(EVERYWHERE), max(EVERYWHERE)
    return {
        "worker, adaptive": (worker, None, array(worker)),
        "worker, one processor": (worker, (here, here), array(worker)),
        "worker, two processors": (worker, (here, there), array(worker)),
        "worker, row of a table, adaptive": (worker, None, lambda: worker.call(handle, 0, 1, outputs=False)),
        "no model, adaptive": (echo, None, array(echo)),
        "no model, one processor": (echo, (here, here), array(echo)),
        "no model, two processors": (echo, (here, there), array(echo)),
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


async def _held(worker: Worker, cpus: tuple[int, int] | None, ask: Ask) -> float:
    pid = worker.child.pid
    worker.placement = Placement(pid) if cpus is None else Held(pid)
    if cpus is not None:
        os.sched_setaffinity(0, {cpus[0]})
        os.sched_setaffinity(pid, {cpus[1]})
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
