"""Models in service over HTTP: one caller and many, large tensors, start and memory, beside other servers.

`serve` runs as an operator would start it; requests come from `load`, one process, for this server and for the others
(`--envs`), which serve the same logistic regression.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy
import psutil

from tests.benchmarks import figures, load, models, servers
from tests.benchmarks.figures import Figure
from tests.benchmarks.programs import ROOT

ROWS = 64
"""Different rows that are asked."""
LARGE = (10_000, 30)
SERVED = 10


def main() -> None:
    """Measure in turn, print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--envs", type=Path, help="measure other servers too, whose environments are kept there")
    parser.add_argument("--callers", type=int, default=16)
    given = parser.parse_args()
    notes: list[str] = []
    found = measured(given, notes)
    if given.json:
        records = [figures.as_record(one, found) for one in found]
        print(json.dumps({"machine": figures.machine(), "figures": records, "notes": notes}, indent=2))
    else:
        figures.show(found, as_json=False)
        print("\n".join(notes))


def measured(given: argparse.Namespace, notes: list[str]) -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "store"
        store.mkdir()
        made = fill(store)
        found = _starts(made["lr"], given.runs)
        with ExitStack() as stack:
            address = stack.enter_context(serving(store))
            peers = _peers(stack, given.envs, made["lr"], notes) if given.envs else {}
            found += _asked(address, made, peers, given)
            found += _large(address, made["lr"], given.runs)
        return found + _memory(made["lr"])


def fill(store: Path) -> dict[str, Any]:
    """A logistic regression, a forest, and its copy in ONNX, each loaded when serving starts; the models by name."""
    made = {"lr": models.logistic_regression(), "forest": models.forest()}
    for name, model in made.items():
        (store / f"{name}.pkl").write_bytes(pickle.dumps(model))
    numpy.save(store / "rows.npy", models.inputs()[0][:200])
    command = [sys.executable, "-m", "console", "accelerate", str(store / "forest.pkl"), "--yes"]
    subprocess.run([*command, "--data", str(store / "rows.npy")], cwd=ROOT, check=True, capture_output=True)
    (store / "forest.onnx").rename(store / "forest-onnx.onnx")
    made["forest-onnx"] = made["forest"]
    for name in made:
        (store / f"{name}.recipe.toml").write_text('[serve]\nload = "start"\n')
    return made


@contextmanager
def serving(store: Path) -> Iterator[tuple[str, int]]:
    """A server of this store, ready; where it is asked."""
    port = servers.free_port()
    with tempfile.TemporaryFile() as log, _started(store, port, log) as process:
        _until_ready(port, process, log)
        yield ("127.0.0.1", port)


@contextmanager
def _started(store: Path, port: int, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "console", "serve", str(store), "--http", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _until_ready(port: int, process: subprocess.Popen[bytes], log: Any) -> None:
    end = time.monotonic() + servers.PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5) as answer:
                answer.read()
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                log.seek(0)
                raise TimeoutError(f"never ready: {error}\n{log.read().decode()}") from error
            time.sleep(0.005)


def _starts(model: Any, runs: int) -> list[Figure]:
    """Seconds from the start of `serve` until it says that it is ready, with the store's one model loaded."""
    taken = []
    with tempfile.TemporaryDirectory() as scratch:
        _put(Path(scratch), "lr", model)
        for _ in range(runs):
            begun = time.perf_counter()
            with serving(Path(scratch)):
                taken.append(time.perf_counter() - begun)
    return [Figure("start to ready, one model loaded", "s", tuple(taken))]


def _put(store: Path, name: str, model: Any) -> None:
    """A model that is loaded when serving starts."""
    (store / f"{name}.pkl").write_bytes(pickle.dumps(model))
    (store / f"{name}.recipe.toml").write_text('[serve]\nload = "start"\n')


def _asked(
    address: tuple[str, int], made: dict[str, Any], peers: dict[str, tuple[int, list[bytes]]], given: argparse.Namespace
) -> list[Figure]:
    X = models.inputs()[0][:ROWS]
    latency: dict[str, list[float]] = defaultdict(list)
    rate: dict[str, list[float]] = defaultdict(list)
    for _ in range(given.runs + 1):
        for name, model in made.items():
            requests, right = _requests(name, X), _right(model, X)
            if name == "lr":
                latency[name].append(_p50(load.run(address, requests, right)))
            rate[name].append(_checked(load.run(address, requests, right, callers=given.callers)).rate)
        for name, (port, requests) in peers.items():
            there = ("127.0.0.1", port)
            latency[name].append(_p50(load.run(there, requests, lambda _n, _b: True)))
            rate[name].append(load.run(there, requests, lambda _n, _b: True, callers=given.callers).rate)
    return [Figure(f"{name}, one caller: p50", "ms", tuple(values[1:])) for name, values in latency.items()] + [
        Figure(f"{name}, {given.callers} callers", "1/s", tuple(values[1:]), f"lr, {given.callers} callers")
        for name, values in rate.items()
    ]


def _requests(name: str, X: Any) -> list[bytes]:
    bodies = ({"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP64", "data": row}]} for row in X.tolist())
    return [load.post(f"/v2/models/{name}/infer", json.dumps(one).encode()) for one in bodies]


def _right(model: Any, X: Any) -> load.Right:
    labels = [int(label) for label in model.predict(X)]
    return lambda number, body: json.loads(body)["outputs"][0]["data"] == [labels[number]]


def _checked(outcome: load.Outcome) -> load.Outcome:
    if outcome.refused or outcome.wrong:
        raise AssertionError(f"{outcome.refused} refused and {outcome.wrong} wrong of {len(outcome.milliseconds)}")
    return outcome


def _p50(outcome: load.Outcome) -> float:
    ranked = sorted(_checked(outcome).milliseconds)
    return ranked[len(ranked) // 2]


def _large(address: tuple[str, int], model: Any, runs: int) -> list[Figure]:
    """Milliseconds of 10,000 rows as a binary tensor, and those of the model itself in this process."""
    X = numpy.tile(models.inputs()[0], (18, 1))[: LARGE[0]].copy()
    expected = model.predict(X).tobytes()
    head = {
        "inputs": [
            {"name": "x", "shape": list(LARGE), "datatype": "FP64", "parameters": {"binary_data_size": X.nbytes}}
        ],
        "parameters": {"binary_data_output": True},
    }
    text = json.dumps(head).encode()
    named = (("Inference-Header-Content-Length", str(len(text))), ("Content-Type", "application/octet-stream"))
    request = load.post("/v2/models/lr/infer", text + X.tobytes(), named)
    whole, own = [], []
    for _ in range(runs + 1):
        outcome = load.run(address, [request], lambda _n, body: body.endswith(expected), seconds=1.0)
        whole.append(_p50(outcome))
        begun = time.perf_counter()
        for _call in range(20):
            model.predict(X)
        own.append((time.perf_counter() - begun) * 1e3 / 20)
    over = tuple(a - b for a, b in zip(whole[1:], own[1:], strict=True))
    return [
        Figure("10,000 rows x 30, binary", "ms", tuple(whole[1:])),
        Figure("the model itself", "ms", tuple(own[1:])),
        Figure("overhead", "ms", over),
    ]


def _memory(model: Any) -> list[Figure]:
    """MB (PSS) of the engine and its front while ten models are served, without the workers."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch)
        for number in range(SERVED):
            _put(store, f"model-{number}", model)
        port = servers.free_port()
        with tempfile.TemporaryFile() as log, _started(store, port, log) as process:
            _until_ready(port, process, log)
            own = [psutil.Process(process.pid)]
            own += [one for one in own[0].children() if "console.http.front" in " ".join(one.cmdline())]
            sizes = {one.pid: pss(one.pid) for one in own}
            every = sum(pss(one.pid) for one in own[0].children(recursive=True))
        return [
            Figure(f"engine, {SERVED} models served", "MB", (sizes[process.pid],)),
            Figure("engine and front", "MB", (sum(sizes.values()),)),
            Figure("all its children", "MB", (every,)),
        ]


def pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _peers(stack: ExitStack, envs: Path, model: Any, notes: list[str]) -> dict[str, tuple[int, list[bytes]]]:
    """Ports of other servers that are up, and what they are asked."""
    X = models.inputs()[0][:ROWS]
    found = {}
    for one in servers.SERVERS:
        try:
            port, _ask = stack.enter_context(servers.served(one, envs, pickle.dumps(model), X[0].tolist()))
            found[one.name] = (port, [load.post(one.path, json.dumps(one.body(row)).encode()) for row in X.tolist()])
        except (OSError, subprocess.CalledProcessError, TimeoutError) as error:
            notes.append(f"{one.name}: {error}")
    return found


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
