"""One row to the ONNX export of a forest of 200 trees and back, against the same call of scikit-learn in this process.

Model and export are loaded as an operator loads them; both and the model in this process are asked in turn. Labels are
compared on 100,000 rows: real ones, real ones with noise, and rows moved onto the thresholds of splits and their
neighbours; how many labels differ, and by how much probabilities do, are figures too.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy

from backends.estimators.estimator import Estimator
from console.config import Settings
from console.engine.local import Engine
from console.records import OnnxComparison
from console.worker.child.boundary_rows import compared_rows
from console.worker.model import Worker
from tests.benchmarks import models
from tests.benchmarks.figures import Figure, parser, show

PATH = "forest.joblib"
CALLS = 300
SLOW_CALLS = 15
Ask = Callable[[], Awaitable[Any]]


async def measured(runs: int) -> list[Figure]:
    """The figures, each measured in turn."""
    model = models.forest()
    rows, _labels = models.inputs()
    with tempfile.TemporaryDirectory() as directory:
        _build(Path(directory), model, rows)
        engine = await Engine.open(Path(directory), Settings(), watch=False, records=False)
        try:
            plain = await _loaded(engine, PATH)
            found = await engine.acceleration.export(PATH)
            await engine.acceleration.write(PATH)
            exported = await _loaded(engine, found.path)
            added = _resident(exported) - _resident(plain)
            times = await _times(runs, model, plain, exported, rows[:1].copy())
            return [*times, *await _agreement(model, exported, rows), *_told(found, added)]
        finally:
            await engine.close()


def _build(store: Path, model: Any, rows: Any) -> None:
    joblib.dump(model, store / PATH)
    numpy.save(store / "rows.npy", rows)
    (store / "forest.recipe.toml").write_text('[data]\nholdout = "rows.npy"\n')


async def _loaded(engine: Engine, path: str) -> Worker:
    """The worker of a model."""
    await engine.models.load(path)
    worker = engine._fleet.slot(path).worker
    assert worker is not None
    return worker


async def _times(runs: int, model: Any, plain: Worker, exported: Worker, row: Any) -> list[Figure]:
    numbers = row.tobytes()
    micros: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        micros.setdefault("one row, in process", []).append(_in_process(model, row))
        for name, worker, calls in (
            ("one row, worker", plain, SLOW_CALLS),
            ("one row, worker, exported", exported, CALLS),
        ):
            micros.setdefault(name, []).append(await _round_trips(worker, row.shape, numbers, calls))
    return [Figure(name, "us", tuple(found[1:]), "one row, in process") for name, found in micros.items()]


def _in_process(model: Any, row: Any) -> float:
    taken = []
    for _ in range(SLOW_CALLS):
        begun = time.perf_counter()
        model.predict(row)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def _round_trips(worker: Worker, shape: tuple[int, ...], numbers: bytes, calls: int) -> float:
    taken = []
    for _ in range(calls):
        begun = time.perf_counter()
        await worker.call_array("<f8", shape, numbers)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def _agreement(model: Any, exported: Worker, rows: Any) -> list[Figure]:
    """Answers of the worker and of scikit-learn to the same 100,000 rows, a thousand at a time."""
    asked = differing = 0
    largest = 0.0
    for part in _parts(model, rows):
        places, answer, _spent = await exported.call_array(
            "<f8", part.shape, part.tobytes(), methods=["predict", "predict_proba"]
        )
        label, probability = (
            numpy.frombuffer(answer, one.dtype, int(numpy.prod(one.shape)), one.offset).reshape(one.shape)
            for one in places
        )
        differing += int((label != model.predict(part)).sum())
        largest = max(largest, float(numpy.abs(probability - model.predict_proba(part)).max()))
        asked += len(part)
    return [
        Figure("rows compared", "rows", (asked,)),
        Figure("labels that differ", "rows", (differing,)),
        Figure("largest difference of a probability", "1e-9", (largest * 1e9,)),
    ]


def _parts(model: Any, rows: Any) -> Iterator[Any]:
    for chunk in compared_rows(Estimator(model), rows):
        for begin in range(0, len(chunk), 1_000):
            yield numpy.ascontiguousarray(chunk[begin : begin + 1_000])


def _told(found: OnnxComparison, added: float) -> list[Figure]:
    return [
        Figure("size of the export", "MB", (found.size / 1e6,)),
        Figure("memory of the export's worker above the model's (RSS)", "MB", (added / 1e6,)),
    ]


def _resident(worker: Worker) -> int:
    with open(f"/proc/{worker.child.pid}/statm", encoding="ascii") as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure and print."""
    asked = parser(__doc__).parse_args()
    show(asyncio.run(measured(asked.runs)), as_json=asked.json)


if __name__ == "__main__":
    main()
