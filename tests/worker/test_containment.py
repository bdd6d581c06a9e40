"""Attacks of a model are stopped, by whomever the console was started, and the loss of a layer is reported."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from backends.core import registry
from backends.core.source import Source
from console.records import LAYERS, Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.limits import SandboxPlan
from console.worker.model import Worker
from console.worker.trainer import Candidate, Trainer
from tests.worker.containment import LOST, Trials, as_nobody, matrix, whole, without
from tests.worker.ground import Ground, everyones_python
from tests.worker.payloads import OpenFile, Payload, predicting

OUT_OF_RANGE = 10**8
HURTFUL = {
    "write to the home directory": "EACCES",
    "read a file only its owner may read": "EACCES",
    "connect by TCP": "EPERM",
    "fork": "EPERM",
    "kill another process": "EPERM",
}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root's children become other users")


@pytest.fixture
def ground() -> Iterator[Ground]:
    found = Ground()
    yield found
    found.close()


@pytest.fixture
def shared_python() -> Iterator[str]:
    """An interpreter that every user may run; skips where there can be none."""
    with tempfile.TemporaryDirectory(prefix="everyones-") as directory:
        os.chmod(directory, 0o755)
        python, why = everyones_python(Path(directory))
        if not python:
            pytest.skip(why)
        yield python


async def test_every_attack_is_stopped() -> None:
    assert await whole(sys.executable) == {}


@ROOT_ONLY
async def test_every_attack_is_stopped_where_root_starts_workers_as_other_users(shared_python: str) -> None:
    assert await whole(shared_python) == {}


def test_every_attack_is_stopped_where_an_ordinary_user_starts_the_console() -> None:
    done, why = as_nobody("--whole")
    if done is None:
        pytest.skip(why)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_without_any_one_layer_the_others_hold_or_the_loss_is_reported() -> None:
    assert lost(await matrix(sys.executable)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@ROOT_ONLY
async def test_so_it_is_where_root_starts_workers_as_other_users(shared_python: str) -> None:
    assert lost(await matrix(shared_python)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_so_it_is_where_an_ordinary_user_starts_the_console() -> None:
    done, why = as_nobody("--json")
    if done is None:
        pytest.skip(why)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows
    assert [row["words"] for row in rows if LOST in row["cells"].values()] == []


def lost(rows: Any) -> list[str]:
    """The attacks that succeeded although a layer that stops them was shown as active."""
    return [row.words for row in rows if LOST in row.cells.values()]


async def test_a_layer_that_is_off_is_shown_as_inactive(launcher: Launcher) -> None:
    complete = (await launcher.spawn("worker")).layers
    for name in LAYERS:
        child = await launcher.spawn("worker", sandbox=without(name))
        assert child.layers[name].evidence == "not asked for"
        depend = {"landlock", "seccomp"} if name == "no_new_privs" else set()
        for other in set(LAYERS) - {name} - depend:
            assert child.layers[other].active == complete[other].active, (name, other)
        await child.end()


async def test_the_self_test_tells_what_a_missing_layer_allows(launcher: Launcher) -> None:
    child = await launcher.spawn("worker")
    assert {name for name, layer in child.selftest.items() if layer.active} == {
        "canary", "write", "socket", "fork", "exec", "memory", "code", "signal",
    }  # fmt: skip
    without_calls = (await launcher.spawn("worker", sandbox=without("seccomp"))).selftest
    assert not without_calls["socket"].active
    assert "socket was made" in without_calls["socket"].evidence
    for name in ("fork", "memory", "code"):
        assert not without_calls[name].active
    assert without_calls["exec"].evidence in ("EACCES", "EPERM", "a program in memory can be run")
    without_files = (await launcher.spawn("worker", sandbox=without("landlock", "user"))).selftest
    assert "was read" in without_files["canary"].evidence
    assert "was written" in without_files["write"].evidence


async def test_a_trainer_is_tested_too_but_for_the_processes_it_needs(launcher: Launcher) -> None:
    trainer = await Trainer.start(launcher, "a", forks=True)
    assert trainer.child.selftest["fork"].evidence == "allowed: training needs processes"
    assert trainer.child.selftest["socket"].active
    assert trainer.child.selftest["canary"].active
    inspector = await launcher.spawn("inspector")
    assert all(layer.active for layer in inspector.selftest.values())


async def test_a_fork_of_the_zygote_is_confined_like_any_other(launcher: Launcher, ground: Ground) -> None:
    await launcher.warm(modules=("console.worker.child.model", "backends.formats.pickle.plain", "numpy")).warmed()
    fresh, forked = [await Worker.start(launcher, "hostile", fresh=fresh) for fresh in (True, False)]
    assert fresh.child.selftest == forked.child.selftest
    trials = Trials(launcher, ground, sys.executable)
    for words in ("speak on somebody else's line", "read a file only its owner may read", "fork"):
        assert not (await trials.one(forked, words)).won


def tree() -> Any:
    """A decision tree with a child far outside its nodes."""
    model = DecisionTreeClassifier(max_depth=3).fit(np.eye(8), np.arange(8) % 2)
    state = model.tree_.__getstate__()
    state["nodes"]["left_child"][0] = state["nodes"]["right_child"][0] = OUT_OF_RANGE
    model.tree_.__setstate__(state)
    return model


def boosting() -> Any:
    """Gradient boosting with a node far outside its nodes."""
    rows = np.random.RandomState(0).rand(200, 3)
    model = HistGradientBoostingClassifier(max_iter=2).fit(rows, rows[:, 0] > 0.5)
    nodes = model._predictors[0][0].nodes
    nodes["left"][0] = nodes["right"][0] = OUT_OF_RANGE * 10
    return model


async def test_a_safe_file_that_crashes_costs_its_worker_only(launcher: Launcher, open_file: OpenFile) -> None:
    await launcher.warm(
        modules=("console.worker.child.model", "backends.formats.pickle.plain", "sklearn.ensemble")
    ).warmed()
    bystander = await Worker.start(launcher, "bystander", fresh=False)
    await bystander.load(open_file(pickle.dumps(Payload(predicting("[1]"))), "other.pkl"), "pickle")
    for model, width in ((tree(), 8), (boosting(), 3)):
        fd = open_file(pickle.dumps(model), f"forged-{width}.pkl")
        assert judge(registry.inspect(Source(fd)), Policy()).verdict is Verdict.SAFE
        worker = await Worker.start(launcher, "model.pkl", fresh=False)
        with pytest.raises(ChildFailed) as caught:
            await loaded_and_asked(worker, fd, np.ones((4, width)).tolist())
        assert caught.value.code == "died"
        assert caught.value.failure is not None
        assert "SIGSEGV" in (caught.value.failure.exit or "")
    assert (await bystander.call_rows([[1, 2]])).rows == 1


async def loaded_and_asked(worker: Worker, fd: int, rows: Any) -> None:
    """Load a model and have it predict."""
    await worker.load(fd, "pickle")
    await worker.call_rows(rows)


async def test_a_model_that_attacks_when_it_is_trained_again(
    launcher: Launcher, ground: Ground, open_file: OpenFile
) -> None:
    table = open_file(pandas.DataFrame({"a": [1.0, 2.0], "y": [0, 1]}).to_csv(index=False).encode(), "rows.csv")
    trainer = await Trainer.start(launcher, "hostile")
    candidate = os.memfd_create("candidate", os.MFD_CLOEXEC)
    try:
        for words, error in HURTFUL.items():
            with ground.model(words) as fd, pytest.raises(ChildFailed, match=error):
                await trainer.train(
                    Candidate((fd,), "pickle", None, "", "fit"),
                    table,
                    "rows.csv",
                    target="y",
                    hold_back=False,
                    candidate=candidate,
                    on_progress=lambda *_step: None,
                )
    finally:
        os.close(candidate)
    assert not (ground.home / "written").exists()
    assert not ground.fell()


async def test_nothing_of_a_child_outlives_it(launcher: Launcher, open_file: OpenFile) -> None:
    """A child that may fork and leaves its process group is still ended with all it started."""
    worker = await Worker.start(launcher, "hostile", sandbox=SandboxPlan(forks=True))
    if not worker.child.layers["cgroup"].active:
        pytest.skip(worker.child.layers["cgroup"].evidence)
    fork = predicting("[__import__('os').fork() or __import__('time').sleep(1000)]")
    await worker.load(open_file(pickle.dumps(Payload(fork)), "forks.pkl"), "pickle")
    grandchild = (await worker.call_rows([[1]])).outputs["predict"]
    assert isinstance(grandchild, list)
    group = worker.child.group.directories[0][0]
    assert str(grandchild[0]) in (group / "cgroup.procs").read_text().split()
    await worker.end()
    async with asyncio.timeout(60):
        while group.exists():
            launcher._groups.end(worker.child.group)
            await asyncio.sleep(0)
