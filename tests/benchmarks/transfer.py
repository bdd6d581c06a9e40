"""How long numbers take to a model in another process: one write, shared memory, and data files seen in place.

Each way ends when the model has touched every page. `one write` is the floor: the bytes into fresh memory, no more.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import h5py
import numpy

from console.worker import shared
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.benchmarks.figures import Figure, parser, show
from tests.worker.payloads import Payload, predicting

COLUMNS = 100
TOUCHES = "__import__('numpy').full(len(X), X.reshape(-1)[::512].sum() > 0)"


async def measured(megabytes: int, runs: int) -> list[Figure]:
    """The figures of all ways, each measured in turn."""
    rows = megabytes * 1_000_000 // (8 * COLUMNS)
    numbers = numpy.random.default_rng(0).random((rows, COLUMNS))
    launcher = Launcher()
    with tempfile.TemporaryDirectory() as name:
        files = _files(Path(name), numbers)
        worker = await Worker.start(launcher, "touching")
        await _load(worker, Path(name))
        seconds: dict[str, list[float]] = {}
        for _ in range(runs + 1):
            for way, run in _ways(worker, numbers, files).items():
                begun = time.perf_counter()
                await run()
                seconds.setdefault(way, []).append((time.perf_counter() - begun) * 1e3)
                await worker.close_data(0)  # answered once the memory of the last request is given back
    await launcher.close()
    floor = next(iter(seconds))
    return [Figure(way, "ms", tuple(taken[1:]), floor) for way, taken in seconds.items()]


def _files(directory: Path, numbers: Any) -> dict[str, Path]:
    files = {"npy": directory / "data.npy", "contiguous HDF5": directory / "data.h5"}
    numpy.save(files["npy"], numbers)
    with h5py.File(files["contiguous HDF5"], "w") as file:
        file["X"] = numbers
    return files


async def _load(worker: Worker, directory: Path) -> None:
    (directory / "model.pkl").write_bytes(pickle.dumps(Payload(predicting(TOUCHES))))
    fd = os.open(directory / "model.pkl", os.O_RDONLY)
    await worker.load(fd, "pickle")
    os.close(fd)


def _ways(worker: Worker, numbers: Any, files: dict[str, Path]) -> dict[str, Callable[[], Awaitable[None]]]:
    size = numbers.nbytes

    async def one_write() -> None:
        fd = shared.written(numbers.data)
        os.close(fd)

    async def through_memory() -> None:
        await worker.call_array("<f8", numbers.shape, numbers.data.cast("B"), deadline=600.0)

    def in_place(path: Path) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            fd = os.open(path, os.O_RDONLY)
            handle, _table = await worker.open_data(fd, path.name)
            await worker.call(handle, outputs=False)
            await worker.close_data(handle)
            os.close(fd)

        return run

    return {
        f"one write of {size // 1_000_000} MB": one_write,
        "write, seal, map, touch": through_memory,
        **{f"{kind} file in place, touch": in_place(path) for kind, path in files.items()},
    }


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--megabytes", type=int, default=800)
    asked = options.parse_args()
    show(asyncio.run(measured(asked.megabytes, asked.runs)), as_json=asked.json)


if __name__ == "__main__":
    main()
