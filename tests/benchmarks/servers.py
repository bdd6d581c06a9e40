"""One row to other model servers and back, beside the same call in process and to a worker of this console.

Each server is installed into an environment of its own, serves the same logistic regression of 30 inputs from its own
format over HTTP on the loopback, and is asked over one kept connection. One that cannot be installed or started is
told, and the others go on.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import pickle
import socket
import statistics
import subprocess
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from console.worker.launcher import Launcher
from tests.benchmarks import figures, models
from tests.benchmarks.figures import Figure

CALLS = 200
PATIENCE_S = 90.0
_HERE = "in process"
_BENTO = """
import bentoml, numpy, pickle

@bentoml.service(workers=1)
class Served:
    def __init__(self):
        self.model = pickle.load(open("model.pkl", "rb"))

    @bentoml.api
    def predict(self, rows: list) -> list:
        return self.model.predict(numpy.asarray(rows)).tolist()
"""
_MLFLOW = (
    "import mlflow.sklearn, pickle; "
    "mlflow.sklearn.save_model(pickle.load(open('model.pkl', 'rb')), 'saved', serialization_format='cloudpickle')"
)
_V2_INPUT = {"name": "rows", "shape": [1, 30], "datatype": "FP64"}


@dataclass(frozen=True)
class Server:
    """A server: its packages, how to prepare and start it in a directory that holds `model.pkl`, and how to ask it."""

    name: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    path: str
    body: Callable[[list[float]], object]
    files: Callable[[int], dict[str, str]] = lambda _port: {}
    prepare: str = ""


SERVERS = (
    Server(
        "MLServer 1.7.1",
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop==0.21.0"),
        ("mlserver", "start", "."),
        "/v2/models/lr/infer",
        lambda row: {"inputs": [{**_V2_INPUT, "data": row}]},
        lambda port: {
            "settings.json": json.dumps({"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}),
            "model-settings.json": json.dumps(
                {"name": "lr", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "model.joblib"}}
            ),
        },
        "import joblib, pickle; joblib.dump(pickle.load(open('model.pkl', 'rb')), 'model.joblib')",
    ),
    Server(
        "MLflow 3.17.2",
        ("mlflow==3.17.2",),
        ("mlflow", "models", "serve", "-m", "saved", "-p", "{port}", "--env-manager", "local"),
        "/invocations",
        lambda row: {"inputs": [row]},
        prepare=_MLFLOW,
    ),
    Server(
        "BentoML 1.4.39",
        ("bentoml==1.4.39",),
        ("bentoml", "serve", "service:Served", "-p", "{port}"),
        "/predict",
        lambda row: {"rows": [row]},
        lambda _port: {"service.py": _BENTO},
    ),
)


def main() -> None:
    """Install, start, measure in turn, print."""
    parser = figures.parser(__doc__)
    parser.add_argument("--envs", type=Path, required=True, help="where the servers' environments are kept")
    given = parser.parse_args()
    notes: list[str] = []
    found = asyncio.run(measured(given.envs, given.runs, notes))
    if given.json:
        records = [figures.as_record(one, found) for one in found]
        print(json.dumps({"machine": figures.machine(), "figures": records, "notes": notes}, indent=2))
    else:
        figures.show(found, as_json=False)
        print("\n".join(notes))


async def measured(envs: Path, runs: int, notes: list[str]) -> list[Figure]:
    """Microseconds of a round trip, each way in turn; all servers are up meanwhile."""
    model = models.logistic_regression()
    row = models.inputs()[0][:1].copy()
    launcher = Launcher()
    worker = await models.served(launcher, model, "logistic regression")
    micros: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        asked = {}
        for one in SERVERS:
            try:
                _port, asked[one.name] = stack.enter_context(served(one, envs, pickle.dumps(model), row[0].tolist()))
            except (OSError, subprocess.CalledProcessError, TimeoutError) as error:
                notes.append(f"{one.name}: {error}")
        for _ in range(runs + 1):
            micros[_HERE].append(_median(lambda: model.predict(row)))
            taken = []
            for _call in range(CALLS):
                begun = time.perf_counter()
                await worker.call_array("<f8", row.shape, row.tobytes())
                taken.append(time.perf_counter() - begun)
            micros["worker of this console"].append(1e6 * statistics.median(taken))
            for name, ask in asked.items():
                micros[name].append(_median(ask))
    await launcher.close()
    return [Figure(name, "us", tuple(values[1:]), _HERE) for name, values in micros.items()]


def _median(ask: Callable[[], object]) -> float:
    taken = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - begun)
    return 1e6 * statistics.median(taken)


@contextmanager
def served(one: Server, envs: Path, model: bytes, row: list[float]) -> Iterator[tuple[int, Callable[[], bytes]]]:
    """The port of a server that is up, and a function that asks it.

    Raises OSError, CalledProcessError or TimeoutError where that cannot be had.
    """
    python = environment(one, envs)
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        home = Path(scratch)
        (home / "model.pkl").write_bytes(model)
        for name, text in one.files(port).items():
            (home / name).write_text(text)
        if one.prepare:
            subprocess.run([python, "-c", one.prepare], cwd=home, check=True, capture_output=True)
        settings = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "BENTOML_DO_NOT_TRACK": "true"}
        argv = [str(python.parent / one.command[0]), *(part.format(port=port) for part in one.command[1:])]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                argv, cwd=home, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield port, _answering(process, port, one, json.dumps(one.body(row)))
        finally:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
            process.kill()
            process.wait()


def _answering(process: subprocess.Popen[bytes], port: int, one: Server, body: str) -> Callable[[], bytes]:
    """Asks one row over a kept connection; returned once that works."""
    end = time.monotonic() + PATIENCE_S
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"}

    def ask() -> bytes:
        try:
            connection.request("POST", one.path, body, headers)
            answer = connection.getresponse()
        except ConnectionError:  # kept for longer than the server keeps it
            connection.close()
            connection.request("POST", one.path, body, headers)
            answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise OSError(f"answered {answer.status}: {told[:200]!r}")
        return told

    while True:
        try:
            ask()
            return ask
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if process.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"never answered: {error}") from error
            time.sleep(0.2)


def environment(one: Server, envs: Path) -> Path:
    """The interpreter of the server's own environment, installed where it is not."""
    home = envs / one.requirements[0].partition("==")[0]
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    shared = [f"{name}=={version}" for name, version in _same_versions().items()]
    command = [str(python), "-m", "pip", "install", "-q", *one.requirements, *shared]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise OSError(f"could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    return python


def _same_versions() -> dict[str, Any]:
    """The same model must run on the same library."""
    versions: dict[str, Any] = figures.machine()["versions"]  # type: ignore[assignment]
    return {"scikit-learn": versions["scikit-learn"]}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
