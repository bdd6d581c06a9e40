"""One row to a worker and back, against the same call in this process.

`no model` is the round trip alone. `row of a table` asks by row numbers of an open file, as the probe does. A call in
this process that comes after something else than the same call finds colder caches: `after a round trip` is what a
worker pays too.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy

from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.benchmarks import models
from tests.benchmarks.figures import Figure, parser, show
from tests.worker.payloads import Payload, predicting

CALLS = 300
Ask = Callable[[], Awaitable[Any]]


async def measured(runs: int) -> list[Figure]:
    """The figures of all ways, each measured in turn."""
    model = models.logistic_regression()
    row = models.inputs()[0][:1].copy()
    launcher = Launcher()
    worker = await models.served(launcher, model, "logistic regression")
    echo = await models.served(launcher, Payload(predicting("len(X) * __import__('numpy').ones(1)")), "echo")
    handle = await _table(worker)
    ways: dict[str, Ask] = {
        "worker": lambda: worker.call_array("<f8", row.shape, row.tobytes()),
        "worker, row of a table": lambda: worker.call(handle, 0, 1, outputs=False),
        "no model": lambda: echo.call_array("<f8", row.shape, row.tobytes()),
    }
    micros: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        micros.setdefault("in process", []).append(_in_process(model, row))
        micros.setdefault("in process, after a round trip", []).append(await _after(ways["no model"], model, row))
        for name, ask in ways.items():
            micros.setdefault(name, []).append(await _asked(ask))
    await launcher.close()
    return [Figure(name, "us", tuple(found[1:]), "in process") for name, found in micros.items()]


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


async def _after(ask: Ask, model: Any, row: Any) -> float:
    taken = []
    for _ in range(CALLS):
        await ask()
        begun = time.perf_counter()
        model.predict(row)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def _asked(ask: Ask) -> float:
    taken = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


def main() -> None:
    """Measure and print."""
    asked = parser(__doc__).parse_args()
    show(asyncio.run(measured(asked.runs)), as_json=asked.json)


if __name__ == "__main__":
    main()
