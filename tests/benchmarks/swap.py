"""Hot swap under load: requests at a steady rate while a model is promoted, rolled back, relabelled and reweighted.

Two contents answer with constants that differ; each answer must be that of the version which it names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy
from sklearn.dummy import DummyRegressor

from console.engine.remote import RemoteEngine
from console.service.attach import require
from tests.benchmarks import figures, load, service
from tests.benchmarks.figures import Figure

PATH = "a.pkl"
RECIPE = '[serve]\nload = "start"\n[data]\ntrain = "train.csv"\nholdout = "train.csv"\ntarget = "y"\n'
BODY = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [0.0, 0.0, 0.0]}]}
VALUES = {"1": 1.0, "2": 2.0}
"""The answer of each version."""
CALLERS = 8

Address = tuple[str, int]


@dataclass
class Asked:
    """Milliseconds of all requests from the moment they were due, answers by version, and what went wrong."""

    milliseconds: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def p99(self) -> float:
        """The 99th percentile."""
        return sorted(self.milliseconds)[int(len(self.milliseconds) * 0.99)]


def main() -> None:
    """Measure, print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second in all")
    parser.add_argument("--swaps", type=int, default=50, help="so many promotions, and so many rollbacks")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two of them")
    parser.add_argument("--quiet-seconds", type=float, default=10.0)
    given = parser.parse_args()
    quiet, busy, took = asyncio.run(measured(given))
    found = [Figure("quiet: p99", "ms", (quiet.p99(),)), Figure("swapping: p99", "ms", (busy.p99(),), "quiet: p99")]
    found.append(Figure("one promotion or rollback", "ms", tuple(took)))
    found += [Figure(name, "requests", (float(value),)) for name, value in counts(busy).items()]
    figures.show(found, as_json=given.json)
    sys.exit(1 if busy.mixed or busy.lost else 0)


def counts(asked: Asked) -> dict[str, int]:
    """How many were answered, lost, and mixed."""
    return {"answered": len(asked.milliseconds), "lost": asked.lost.total(), "mixed": asked.mixed}


async def measured(given: argparse.Namespace) -> tuple[Asked, Asked, list[float]]:
    """Requests while nothing else happens, requests while versions change, and milliseconds of each change."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "store"
        fill(store)
        with service.serving(store) as address:
            engine = await require(store)
            try:
                await prepare(engine)
                quiet = await asked_while(address, given.rate, lambda: asyncio.sleep(given.quiet_seconds))
                took: list[float] = []
                busy = await asked_while(address, given.rate, lambda: swapped(engine, given.swaps, given.pause, took))
            finally:
                await engine.close()
    return quiet, busy, took


def fill(store: Path) -> None:
    """A model that answers 1, and data of which its update learns to answer 2."""
    store.mkdir()
    one = DummyRegressor().fit(numpy.zeros((2, 3)), [1.0, 1.0])
    (store / PATH).write_bytes(pickle.dumps(one))
    (store / "train.csv").write_text("p,q,r,y\n" + "0,0,0,2\n" * 40)
    (store / "a.recipe.toml").write_text(RECIPE)


async def prepare(engine: RemoteEngine) -> None:
    """Have the update promoted, which is version 2; version 1 answers beside it."""
    await engine.updates.run(await engine.updates.plan(PATH))
    await engine.updates.promote(PATH, "a measurement")
    await engine.serving.load("a", "1")


async def swapped(engine: RemoteEngine, swaps: int, pause: float, took: list[float]) -> None:
    """Go back to version 1 and forth to 2 so often, and move a label and shares of the traffic between."""
    for turn in range(swaps):
        for version, other in ((1, 2), (2, 1)):
            begun = time.perf_counter()
            await engine.updates.rollback(PATH, version)
            await engine.serving.load("a")
            took.append((time.perf_counter() - begun) * 1e3)
            await engine.serving.load("a", str(other))
            settings = (await engine.serving.model("a")).settings
            moved = replace(settings, labels={"stable": other}, weights={str(other): 0.1 * (turn % 5)})
            await engine.serving.configure("a", moved)
            await asyncio.sleep(pause)


async def asked_while(address: Address, rate: float, work: Callable[[], Awaitable[None]]) -> Asked:
    """Ask at this rate as long as the work takes."""
    asked, over = Asked(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(_caller(asked, over, address, number / rate, CALLERS / rate))
        try:
            await work()
        finally:
            over.set()
    return asked


async def _caller(asked: Asked, over: asyncio.Event, address: Address, first: float, pause: float) -> None:
    reader, writer = await asyncio.open_connection(*address)
    request = load.post("/v2/models/a/infer", json.dumps(BODY).encode())
    due = time.perf_counter() + first
    while not over.is_set():
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(load.length(head))
        except (OSError, EOFError) as error:
            asked.lost[type(error).__name__] += 1
            reader, writer = await asyncio.open_connection(*address)
        else:
            asked.milliseconds.append((time.perf_counter() - due) * 1e3)
            _judge(asked, head, body)
        due += pause
    writer.close()


def _judge(asked: Asked, head: bytes, body: bytes) -> None:
    if not head.startswith(b"HTTP/1.1 200"):
        asked.lost[body.decode()[:200]] += 1
        return
    answer: Any = json.loads(body)
    version, (value,) = answer["model_version"], numpy.ravel(answer["outputs"][0]["data"])
    asked.versions[version] += 1
    asked.mixed += value != VALUES.get(version)


if __name__ == "__main__":
    main()
