"""Loading: a forest and compressed models beside joblib and pickle, models of 1 GB up to their first prediction."""

from __future__ import annotations

import asyncio
import os
import pickle
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import psutil
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from backends.core import registry
from backends.core.frozen import Frozen
from backends.core.load_plan import LoadPlan
from backends.core.source import Source
from console.config import Settings
from console.engine.local import Engine
from console.inspection.inspecting import plan_in
from tests.benchmarks import figures
from tests.benchmarks.figures import Figure

FOREST = {"forest.joblib": 0, "forest.z.joblib": ("zlib", 3)}
LARGE = {
    "kept": "1 GB kept beside the coefficients, not touched by a prediction",
    "used": "1 GB of coefficients, all touched by the first prediction",
}
COMPRESSED = {"numbers.z.joblib": ("zlib", 3), "numbers.bz2.joblib": ("bz2", 3), "numbers.h5": "gzip"}
"""Models of a tenth of that size, compressed."""
PHASES = ("judge", "start", "read", "warm")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the large models")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        root = Path(scratch)
        build(root, arguments.megabytes)
        found = [
            *reading(root, arguments.runs),
            *decompressing(root, arguments.runs),
            *asyncio.run(starting(root, arguments.runs)),
            *asyncio.run(first_loads(root, arguments.runs)),
        ]
    figures.show(found, as_json=arguments.json)


def build(root: Path, megabytes: int) -> None:
    """A forest of 30 inputs in three forms, and two linear models with much to hold in each of three formats."""
    random = np.random.default_rng(0)
    X = random.normal(size=(569, 30))
    y = X[:, 0] + X[:, 1] + 0.3 * random.normal(size=569) > 0
    forest = RandomForestClassifier(200, random_state=0).fit(X, y)
    for name, compress in FOREST.items():
        joblib.dump(forest, root / name, compress=compress)
    (root / "forest.pkl").write_bytes(pickle.dumps(forest, 5))
    numbers = np.ones((100, megabytes * 1250))
    kept = LogisticRegression().fit(X, y)
    kept.kept_ = numbers
    used = LogisticRegression().fit(X[:, :2], y)
    used.coef_, used.intercept_, used.classes_ = numbers, np.zeros(100), np.arange(100)
    used.n_features_in_ = numbers.shape[1]
    for name, model in (("kept", kept), ("used", used)):
        joblib.dump(model, root / f"{name}.joblib")
        (root / f"{name}.pkl").write_bytes(pickle.dumps(model, 5))
        with (root / f"{name}.h5").open("w+b") as file:
            registry.save(model, "hdf5", file.fileno())
    compressed(root, LogisticRegression().fit(X, y), np.round(random.normal(size=megabytes * 12_500), 2))


def compressed(root: Path, model: Any, numbers: Any) -> None:
    """A model that keeps these numbers, in each compression."""
    model.kept_ = numbers
    for name, compress in COMPRESSED.items():
        if name.endswith(".joblib"):
            joblib.dump(model, root / name, compress=compress)
        else:
            with (root / name).open("w+b") as file:
                registry.save(model, "hdf5", file.fileno(), compression=compress)


def reading(root: Path, runs: int) -> list[Figure]:
    """The forest read in this process, each way in turn."""
    ways: dict[str, Callable[[], Any]] = {
        "forest: pickle.load": lambda: pickle.loads((root / "forest.pkl").read_bytes())
    }
    for name in FOREST:
        ways[f"{name}: joblib.load"] = lambda name=name: joblib.load(root / name)  # type: ignore[misc]
        ways[f"{name}: by plan"] = planned(root / name)
    taken = in_turn(ways, runs)
    return [Figure(name, "ms", values, "forest: pickle.load") for name, values in taken.items()]


def in_turn(ways: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, tuple[float, ...]]:
    """The milliseconds each takes, one after another, but for the first two turns."""
    taken: dict[str, list[float]] = defaultdict(list)
    for turn in range(-2, runs):
        for name, read in ways.items():
            begun = time.perf_counter()
            read()
            if turn >= 0:
                taken[name].append(1000 * (time.perf_counter() - begun))
    return {name: tuple(values) for name, values in taken.items()}


def planned(path: Path) -> Callable[[], Any]:
    """How a worker reads a small file: sealed, with the plan of its inspection."""
    fd = os.open(path, os.O_RDONLY)
    source = Source(fd, path.name)
    source.plan = LoadPlan()
    format_name = registry.inspect(source).format
    plan = source.plan.to_bytes()
    return lambda: registry.load(Frozen(fd, path.name, plan), format_name).model


def decompressing(root: Path, runs: int) -> list[Figure]:
    """Compressed models read in this process, by plan and by joblib itself in turn."""
    found = []
    for name in COMPRESSED:
        ways = {f"{name}: by plan": planned(root / name)}
        if name.endswith(".joblib"):
            ways[f"{name}: joblib.load"] = lambda name=name: joblib.load(root / name)  # type: ignore[misc]
        beside = list(ways)[-1]
        found += [Figure(way, "ms", values, beside) for way, values in in_turn(ways, runs).items()]
    return found


async def starting(root: Path, runs: int) -> list[Figure]:
    """From the request to a worker that has made its first prediction, sandbox and judgement included.

    One turn is left out, so the console knows these bytes: it takes their digest and asks no inspector again. A worker
    stands ready each time.
    """
    names = [
        "forest.joblib",
        "forest.pkl",
        *(f"{name}{end}" for name in LARGE for end in (".joblib", ".h5", ".pkl")),
        *COMPRESSED,
    ]
    taken: dict[str, list[float]] = defaultdict(list)
    engine = await Engine.open(root, Settings(), watch=False, records=False)
    try:
        standby = engine._launcher.stand_by()
        await standby.ready()
        for turn in range(-1, runs):
            for name in names:
                await standby.ready()
                for what, value in (await _one(engine, name)).items():
                    if turn >= 0:
                        taken[f"{name}: {what}"].append(value)
        memory = await _second_copy(engine)
    finally:
        await engine.close()
    return [
        *(Figure(name, "ms", tuple(values)) for name, values in taken.items()),
        Figure("kept.joblib: PSS that a second worker adds", "MB", (memory,)),
    ]


async def first_loads(root: Path, runs: int) -> list[Figure]:
    """From the request to the first prediction of compressed models whose bytes the console has not judged before."""
    taken: dict[str, list[float]] = defaultdict(list)
    engine = await Engine.open(root, Settings(), watch=False, records=False)
    try:
        engine._facts._plan = plan_in(engine._inspectors)
        standby = engine._launcher.stand_by()
        for turn in range(-1, runs):
            for name in COMPRESSED:
                await standby.ready()
                for what, value in (await _one(engine, name)).items():
                    if turn >= 0:
                        taken[f"{name}: first load, {what}"].append(value)
    finally:
        await engine.close()
    return [Figure(name, "ms", tuple(values)) for name, values in taken.items()]


async def _one(engine: Engine, name: str) -> dict[str, float]:
    begun = time.perf_counter()
    view = await engine.models.load(name)
    whole = 1000 * (time.perf_counter() - begun)
    await engine.models.unload(name)
    return {
        **{phase: view.phases[phase] for phase in PHASES if phase in view.phases},
        "load to first prediction": whole,
    }


async def _second_copy(engine: Engine) -> float:
    """The growth of the sum of all processes' PSS when a second worker loads the large file, less an empty one's."""
    judged = [await engine._facts.snapshot(name) for name in ("forest.joblib", "kept.joblib", "kept.joblib")]
    sums = []
    workers = []
    for one in judged:
        at = one.inspection.models[0].at if one.inspection else ""
        before = _pss()
        workers.append(await engine._starter.start_judged("model", one, at, {}))
        sums.append(_pss() - before)
    for started, one in zip(workers, judged, strict=True):
        await started.worker.end()
        one.bytes.close()
    return sums[2]


def _pss() -> float:
    children = psutil.Process().children(recursive=True)
    return sum(child.memory_full_info().pss for child in children) / 1e6


if __name__ == "__main__":
    main()
