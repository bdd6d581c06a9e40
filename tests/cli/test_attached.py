"""Commands beside an engine that serves their store: they go through it, or say why they do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from console.cli.seen import why_unseen
from console.records import EngineFacts
from tests.cli.running import Done, Run
from tests.service.serving import LIMIT_S, Served

HOME = ("CONFIG", "CACHE", "STATE", "DATA")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Directories of the console's own, and a runtime directory whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_CONSOLE_RUNTIME_DIR", f"{place}/run")
        for name in HOME:
            patch.setenv(f"XDG_{name}_HOME", f"{place}/{name.lower()}")
        yield Path(place)


@pytest.fixture(scope="module")
def store(home: Path) -> Path:
    """A model with rows to train on, and one whose training waits for a file."""
    root = home / "store"
    root.mkdir()
    random = np.random.default_rng(1)
    rows = random.normal(size=(60, 3))
    truth = rows[:, 0] > 0
    table = np.column_stack([rows, truth])
    np.savetxt(root / "train.csv", table, delimiter=",", header="a,b,c,y", comments="", fmt="%.6g")
    recipe = '[data]\ntrain = "train.csv"\nholdout = "train.csv"\ntarget = "y"\n'
    slow = f'{recipe}\n[retrain]\ncommand = ["/bin/sh", "-c", "exec sleep 1000", "sh", "{{candidate}}"]\n'
    for name, text in (("a", recipe), ("slow", slow)):
        joblib.dump(LogisticRegression().fit(rows, truth), root / f"{name}.joblib")
        (root / f"{name}.recipe.toml").write_text(text)
    return root


@pytest.fixture(scope="module")
def served(store: Path) -> Iterator[Served]:
    """The engine that serves the store."""
    with Served(store, "--no-http") as engine:
        engine.hear("READY=1")
        yield engine


@pytest.fixture
def asked(run: Run, store: Path, served: Served) -> Run:
    """Runs a command on the store, whose name stands in place of `@`."""

    def command(*argv: str) -> Done:
        return run(*(word.replace("@", str(store)) for word in argv))

    return command


def through(served: Served) -> str:
    return f"through engine {served.process.pid}\n"


def test_a_command_goes_through_it_and_leaves_nothing_loaded(asked: Run, served: Served) -> None:
    done = asked("predict", "@/a.joblib", "--json")
    assert done.err.startswith(through(served))
    assert done.json["rows"] == 60
    states = {one["state"] for one in json.loads(asked("status", "@", "--json").out)["models"]}
    assert states <= {"draining", "ended"}
    assert through(served) in asked("evaluate", "@/a.joblib").err


@pytest.mark.slow
def test_what_would_change_how_others_read_is_done_beside_it(asked: Run, served: Served) -> None:
    done = asked("predict", "@/a.joblib", "--rows", "2", "--read", "sep=,")
    why = "--read and --ignore would hold for everybody there"
    assert done.err.startswith(f"beside engine {served.process.pid}, since {why}\n")


def test_what_only_looks_asks_nobody(asked: Run) -> None:
    for words in (("ls", "@"), ("inspect", "@/a.joblib"), ("audit", "show", "@")):
        assert "engine" not in asked(*words).err


@pytest.mark.slow
def test_an_update_and_a_conversion_are_jobs(asked: Run, served: Served, home: Path) -> None:
    assert asked("update", "@/a.joblib").err.startswith(through(served))
    assert asked("convert", "@/a.joblib", "--to", "hdf5", "--out", str(home / "a.h5")).code == 0
    jobs = asked("jobs", "@", "--json").json
    assert [(job["kind"], job["artifact"], job["state"]) for job in jobs[:2]] == [
        ("convert", "a.joblib", "done"),
        ("update", "a.joblib", "done"),
    ]
    assert f"job {jobs[0]['id']}  convert of a.joblib  done" in asked("jobs", "@", "--follow", str(jobs[0]["id"])).out
    assert "KIND" in asked("jobs", "@").out
    assert through(served) in asked("history", "@/a.joblib").err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGHUP, "running"), (signal.SIGINT, "cancelled"), (signal.SIGTERM, "cancelled")]
)
def test_a_line_that_drops_leaves_it_running_and_an_interrupt_does_not(
    asked: Run, store: Path, served: Served, number: int, state: str
) -> None:
    command = [sys.executable, "-m", "console", "update", str(store / "slow.joblib")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as update:
        assert update.stderr is not None
        while "running the training command" not in update.stderr.readline():
            pass
        update.send_signal(number)
        update.stderr.read()
        assert update.wait(LIMIT_S) == 130
    job = asked("jobs", "@", "--json").json[0]
    assert (job["artifact"], job["state"]) == ("slow.joblib", state)
    assert asked("jobs", "@", "--cancel", str(job["id"]), "--json").json["state"] == "cancelled"
    assert asked("jobs", "@", "--follow", str(job["id"])).code == 1


def test_a_number_that_no_job_has(asked: Run) -> None:
    done = asked("jobs", "@", "--cancel", "4711")
    assert done.code == 4
    assert "there is no job 4711" in done.err


def test_without_an_engine_there_are_no_jobs(run: Run, tmp_path: Path) -> None:
    done = run("jobs", str(tmp_path))
    assert done.code == 1
    assert f"no engine serves {tmp_path}" in done.err
    assert "model-console serve" in done.err


def test_files_that_an_engine_cannot_use(tmp_path: Path) -> None:
    own = EngineFacts(os.getpid(), 0.0, _user(), "")
    other = EngineFacts(os.getpid(), 0.0, "somebody", "")
    outside, inside = "/etc/hostname", str(tmp_path / "rows.csv")
    assert why_unseen(own, str(tmp_path), [None, outside, inside, "/etc/not-there", "/not/there/either"]) == ""
    assert why_unseen(other, str(tmp_path), [inside]) == ""
    assert why_unseen(other, str(tmp_path), [outside]) == (
        "/etc/hostname is outside of the store, and the engine is somebody's"
    )
    assert "does not see" in why_unseen(EngineFacts(2**22 + 1, 0.0, _user(), ""), str(tmp_path), [outside])


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
