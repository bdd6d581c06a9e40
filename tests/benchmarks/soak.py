"""A long day in short: requests, reloads, killed workers, clients that come and go, a console that is attached.

Every answer is held against the model's own, and every request that failed must say why. Memory, descriptors and
processes of the engine are told at the beginning and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from console.errors import ConsoleError
from console.records import EngineFacts
from console.service.attach import require
from tests.benchmarks import models, service
from tests.benchmarks.programs import Program, console

PERIOD_S = 5.0
"""A worker is killed, and the engine measured, as often."""


@dataclass
class Day:
    """Counts of all threads."""

    asked: int = 0
    wrong: int = 0
    untold: int = 0
    reloads: int = 0
    kills: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    states: list[tuple[float, int, int]] = field(default_factory=list)
    """PSS of engine and front in MB, their descriptors, and processes below the engine."""
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--rate", type=float, default=560.0, help="requests a second in all")
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--callers", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "store"
        store.mkdir()
        made = service.fill(store)
        os.environ["XDG_STATE_HOME"] = os.path.join(scratch, "state")
        with service.serving(store) as address, _console(store):
            day = _lived(given, store, made, address)
    _tell(day, given)
    sys.exit(1 if day.wrong or day.untold else 0)


@contextmanager
def _console(store: Path) -> Iterator[None]:
    """A console that is attached all the while."""
    over = threading.Event()
    with Program(console(store)) as program:
        reader = threading.Thread(target=_drain, args=(program, over))
        reader.start()
        try:
            yield
        finally:
            over.set()
            reader.join()


def _drain(program: Program, over: threading.Event) -> None:
    """Take what the console draws."""
    while not over.is_set():
        program.read(1.0)
        program.output.clear()


def _lived(given: argparse.Namespace, store: Path, made: dict[str, Any], address: tuple[str, int]) -> Day:
    day = Day()
    work = [threading.Thread(target=_ask, args=(day, made, address, given)) for _ in range(given.callers)]
    for thread in work:
        thread.start()
    try:
        asyncio.run(_trouble(day, store, made, given))
    finally:
        day.over.set()
        for thread in work:
            thread.join()
    return day


def _ask(day: Day, made: dict[str, Any], address: tuple[str, int], given: argparse.Namespace) -> None:
    """Ask at a share of the rate, with a new connection now and then."""
    import http.client

    X = models.inputs()[0][: service.ROWS]
    labels = {name: [int(one) for one in model.predict(X)] for name, model in made.items()}
    pause, chance = given.callers / given.rate, random.Random()
    connection = http.client.HTTPConnection(*address, timeout=60)
    due = time.monotonic()
    while not day.over.is_set():
        name, row = chance.choice(list(made)), chance.randrange(len(X))
        body = {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP64", "data": X[row].tolist()}]}
        try:
            connection.request("POST", f"/v2/models/{name}/infer", json.dumps(body))
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            _count(day, f"connection: {type(error).__name__}", untold=True)
            connection.close()
        else:
            if answer.status != 200:
                _count(day, f"{answer.status} {told.get('code')}", untold=not told.get("error"))
            elif told["outputs"][0]["data"] != [labels[name][row]]:
                with day.lock:
                    day.wrong += 1
        with day.lock:
            day.asked += 1
        if chance.random() < 0.01:
            connection.close()
        due += pause
        day.over.wait(max(0.0, due - time.monotonic()))
    connection.close()


def _count(day: Day, cause: str, *, untold: bool) -> None:
    with day.lock:
        day.failed[cause] += 1
        day.untold += untold


async def _trouble(day: Day, store: Path, made: dict[str, Any], given: argparse.Namespace) -> None:
    """Reload in turn, kill a worker every few seconds, measure."""
    engine = await require(store)
    begun, paths = time.monotonic(), sorted(f"{name}.onnx" if "onnx" in name else f"{name}.pkl" for name in made)
    try:
        killed = begun
        while (now := time.monotonic() - begun) < given.seconds:
            if day.reloads < given.reloads * now / given.seconds:
                with suppress(ConsoleError):
                    await engine.models.reload(paths[day.reloads % len(paths)])
                day.reloads += 1
            if time.monotonic() - killed >= PERIOD_S:
                killed = time.monotonic()
                await _kill_one(day, engine, paths)
                day.states.append(_state((await engine.status()).engine))
            await asyncio.sleep(0.02)
    finally:
        await engine.close()


async def _kill_one(day: Day, engine: Any, paths: list[str]) -> None:
    view = await engine.models.worker(paths[day.kills % len(paths)])
    if view is not None and view.pid:
        with suppress(ProcessLookupError):
            os.kill(view.pid, signal.SIGKILL)
    day.kills += 1


def _state(facts: EngineFacts | None) -> tuple[float, int, int]:
    assert facts is not None
    engine = psutil.Process(facts.pid)
    children = engine.children(recursive=True)
    front = [one for one in children if _is_front(one)]
    own = [engine, *front]
    return sum(service.pss(one.pid) for one in own), sum(one.num_fds() for one in own), len(children)


def _is_front(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "console.http.front" in " ".join(process.cmdline())
    return False


def _tell(day: Day, given: argparse.Namespace) -> None:
    print(f"{day.asked:,} requests in {given.seconds:g} s, {day.reloads:,} reloads, {day.kills} workers killed")
    print(f"{day.wrong} wrong answers, {day.untold} failed without a cause")
    for cause, count in day.failed.most_common():
        print(f"  {count:>7,}  {cause}")
    tenth = max(1, len(day.states) // 10)
    for name, part in (("first tenth", day.states[:tenth]), ("last tenth", day.states[-tenth:])):
        if part:
            pss, fds, processes = (sorted(column)[len(part) // 2] for column in zip(*part, strict=True))
            print(f"{name}: {pss:.0f} MB PSS, {fds} descriptors, {processes} processes below the engine")


if __name__ == "__main__":
    main()
