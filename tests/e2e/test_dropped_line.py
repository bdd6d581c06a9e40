"""A line over a real sshd drops while an update runs in the engine that serves the store: the update goes on."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.programs import ROOT
from tests.cli.test_attached import HOME
from tests.e2e import slow_line
from tests.e2e.kept_service import COMMAND, make_store
from tests.e2e.slow_line import Answering
from tests.service.serving import LIMIT_S, Served, command, until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(slow_line.why_not()), reason="takes a sshd")]

CARRIED = ("MODEL_CONSOLE_RUNTIME_DIR", *(f"XDG_{name}_HOME" for name in HOME))
TRAINING = """
import sys, time, joblib, numpy
from sklearn.linear_model import LinearRegression
time.sleep(8)
joblib.dump(LinearRegression().fit(numpy.eye(4), [1, 2, 3, 4]), sys.argv[1])
"""
"""A training that takes its time."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store whose model takes seconds to train, with directories of the console's own."""
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as place:
        monkeypatch.setenv("MODEL_CONSOLE_RUNTIME_DIR", f"{place}/run")
        for name in HOME:
            monkeypatch.setenv(f"XDG_{name}_HOME", f"{place}/{name.lower()}")
        store = make_store(Path(place)).parent / "store"
        with (store / "m.recipe.toml").open("a") as recipe:
            recipe.write(f"[retrain]\ncommand = {json.dumps(['python', '-c', TRAINING, '{candidate}'])}\n")
        yield store


@pytest.mark.parametrize("words", [("update", "--yes"), ("update",)], ids=["yes", "asks"])
def test_the_update_ends_in_the_engine_and_its_candidate_waits(store: Path, words: tuple[str, ...]) -> None:
    before = (store / "m.joblib").read_bytes()
    with Served(store, "--no-http") as served:
        served.hear("READY=1")
        with tempfile.TemporaryDirectory() as scratch, slow_line._server(Path(scratch)) as port:
            name, *more = words
            told = ["env", *(f"{key}={os.environ[key]}" for key in CARRIED), sys.executable, "-m", "console", name]
            line = f"cd {shlex.quote(str(ROOT))} && exec {shlex.join([*told, str(store / 'm.joblib'), *more])}"
            with Answering([*slow_line._ssh(scratch, port), "-tt", "127.0.0.1", line]) as program:
                program.wait_for("running the training command")
                os.kill(program.pid, signal.SIGKILL)
                assert until(lambda: not clients(store))
        job = command("jobs", str(store), "--json")[1][0]
        assert (job["kind"], job["state"]) == ("update", "running")
        subprocess.run(
            [*COMMAND, "jobs", str(store), "--follow", str(job["id"])], cwd=ROOT, check=True, timeout=LIMIT_S
        )
        assert command("jobs", str(store), "--json")[1][0]["result"].startswith("a candidate")
        assert "the candidate for m.joblib waits" in served.read("waits")
        assert (store / "m.joblib").read_bytes() == before
        assert served.end() == 0


def clients(store: Path) -> int:
    """The clients of the engine beside the one that asks."""
    return int(command("status", str(store), "--json")[1]["clients"])
