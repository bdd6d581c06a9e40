"""From the key that loads a small model to its first prediction, in a console that runs: sandbox and all.

The console has inspected the model before, and a worker stands ready each time. `processor time` is what console
thread, zygote and worker spent on it together: what is left where nothing else runs.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import joblib

from console.config import Settings
from console.engine.local import Engine
from tests.benchmarks import models
from tests.benchmarks.figures import Figure, parser, show

NAME = "model.joblib"


async def measured(runs: int) -> list[Figure]:
    """Wall time, processor time, and the phases of loading."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("CONFIG", "CACHE", "STATE", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(directory) / name.lower())
        store = Path(directory) / "store"
        store.mkdir()
        joblib.dump(models.logistic_regression(), store / NAME)
        engine = await Engine.open(store, Settings())
        await engine.artifacts.report(NAME)
        zygote, standby = engine._launcher.warm(), engine._launcher.stand_by()
        taken: dict[str, list[float]] = {}
        for _ in range(runs + 1):
            await standby.ready()
            for name, value in (await _once(engine, zygote.pid or 0)).items():
                taken.setdefault(name, []).append(value)
        await engine.close()
    return [Figure(name, "ms", tuple(found[1:]), "load to first prediction") for name, found in taken.items()]


async def _once(engine: Engine, zygote: int) -> dict[str, float]:
    row = models.inputs()[0][0].tolist()
    spent, begun = _processor(zygote) + time.thread_time() * 1e3, time.perf_counter()
    view = await engine.models.load(NAME)
    loaded = time.perf_counter()
    await engine.inference.predict(NAME, rows=[row])
    ended = time.perf_counter()
    spent = _processor(zygote) + time.thread_time() * 1e3 + _processor(view.pid or 0) - spent
    await engine.models.unload(NAME)
    phases = {f"  {name}": value for name, value in view.phases.items() if "." not in name}
    return {
        "load to first prediction": (ended - begun) * 1e3,
        "processor time": spent,
        **phases,
        "  first prediction": (ended - loaded) * 1e3,
    }


def _processor(pid: int) -> float:
    """Milliseconds a process has run (proc_pid_schedstat: nanoseconds)."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as told:
        return int(told.read().split()[0]) / 1e6


def main() -> None:
    """Measure and print."""
    asked = parser(__doc__).parse_args()
    show(asyncio.run(measured(asked.runs)), as_json=asked.json)


if __name__ == "__main__":
    main()
