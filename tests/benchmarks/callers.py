"""Predictions a second with many callers of one row each, against one call after another in this process."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.benchmarks import models
from tests.benchmarks.figures import Figure, parser, show

SECONDS = 1.5


async def measured(callers: int, runs: int) -> list[Figure]:
    """The figures of both models, each measured in turn."""
    X, _labels = models.inputs()
    rows = [X[index : index + 1].copy() for index in range(len(X))]
    launcher = Launcher()
    asked = {"LogisticRegression": models.logistic_regression(), "RandomForest(200)": models.forest()}
    workers = {name: await models.served(launcher, model, name) for name, model in asked.items()}
    rates: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        for name, model in asked.items():
            rates.setdefault(f"{name}, in process", []).append(_in_process(model, rows))
            for count in (1, callers):
                rate = await _together(workers[name], model.predict(X), rows, count)
                rates.setdefault(f"{name}, callers: {count}", []).append(rate)
    await launcher.close()
    return [
        Figure(name, "1/s", tuple(found[1:]), f"{name.partition(',')[0]}, in process") for name, found in rates.items()
    ]


def _in_process(model: Any, rows: list[Any]) -> float:
    begun = time.perf_counter()
    for count in itertools.count(1):
        model.predict(rows[count % len(rows)])
        if (taken := time.perf_counter() - begun) > SECONDS:
            return count / taken
    raise AssertionError


async def _together(worker: Worker, expected: Any, rows: list[Any], callers: int) -> float:
    """Answers a second; each caller asks again as soon as it has its answer, which must be the right one."""
    numbers = [row.tobytes() for row in rows]
    begun = time.perf_counter()
    until = begun + SECONDS

    async def caller(index: int) -> int:
        answers = 0
        while time.perf_counter() < until:
            _places, body, _spent = await worker.call_array("<f8", (1, 30), numbers[index])
            if int.from_bytes(body, "little") != expected[index]:
                raise AssertionError(f"row {index} got the answer of another")
            answers += 1
            index = (index + 7) % len(numbers)
        return answers

    answered = sum(await asyncio.gather(*(caller(index) for index in range(callers))))
    return answered / (time.perf_counter() - begun)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--callers", type=int, default=16)
    asked = options.parse_args()
    show(asyncio.run(measured(asked.callers, asked.runs)), as_json=asked.json)


if __name__ == "__main__":
    main()
