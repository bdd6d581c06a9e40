"""Commands whose terminal or reader goes away while they work, or that are interrupted while they ask."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from console.config import state_dir
from tests.e2e.terminal import ROOT, Terminal

LIMIT_S = 30.0
"""An end is waited for that long on a machine with much else to do; how soon it comes is for the sweep to tell."""


def no_defect() -> bool:
    """Nothing that happened was taken for a fault of ours."""
    return not list(state_dir().glob("crash-*"))


@pytest.fixture
def churn(demo_store: Path, tmp_path: Path) -> Path:
    """A store with the one artifact that is trained in no time."""
    return Path(shutil.copytree(demo_store / "churn", tmp_path / "store" / "churn"))


@pytest.mark.parametrize("controlling", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_probe_ends_with_its_terminal(demo_copy: Path, controlling: bool) -> None:
    probe = Terminal("probe", demo_copy / "sensors/online.pkl", "--seconds", "60", controlling=controlling)
    try:
        probe.wait_for("1 s  ")
        probe.lose()
        assert probe.process.wait(LIMIT_S) == 130
        probe.assert_no_child()
        assert no_defect()
    finally:
        probe.close()


@pytest.mark.parametrize(
    "how",
    [
        "interrupted",
        pytest.param("told to end", marks=pytest.mark.slow),
        pytest.param("terminal lost", marks=pytest.mark.slow),
    ],
)
def test_who_is_asked_can_leave_without_an_answer(churn: Path, how: str) -> None:
    before = (churn / "lr.joblib").read_bytes()
    update = Terminal("update", churn / "lr.joblib")
    try:
        update.wait_for("[y/N]")
        if how == "interrupted":
            update.press("\x03")
        elif how == "told to end":
            update.process.send_signal(signal.SIGTERM)
        else:
            update.lose()
        assert update.process.wait(LIMIT_S) == 130
        update.assert_no_child()
        assert (churn / "lr.joblib").read_bytes() == before
    finally:
        update.close()


@pytest.mark.slow
def test_an_answer_at_the_terminal_counts(churn: Path) -> None:
    update = Terminal("update", churn / "lr.joblib")
    try:
        update.wait_for("[y/N]")
        update.press("y\n")
        assert update.ended() == 0
        assert "is now version 2" in update.output
    finally:
        update.close()


def test_watch_ends_with_its_reader_though_nothing_happens(tmp_path: Path) -> None:
    with started("watch", str(tmp_path), "--json") as watch:
        assert watch.stdout is not None
        while json.loads(watch.stdout.readline())["kind"] != "store.scanned":
            pass
        watch.stdout.close()
        assert watch.wait(LIMIT_S) == 0
        assert watch.stderr is not None
        assert "Traceback" not in watch.stderr.read()


def test_an_error_that_nobody_reads_keeps_its_exit_code(tmp_path: Path) -> None:
    with started("predict", str(tmp_path / "none.pkl"), "--json") as predict:
        assert predict.stdout is not None
        assert predict.stderr is not None
        predict.stdout.close()
        predict.stderr.close()
        assert predict.wait(30) == 4
    assert no_defect()


def test_a_training_program_ends_with_the_terminal(churn: Path) -> None:
    """It is not the console's child but the trainer's."""
    (churn / "lr.recipe.toml").write_text(
        '[data]\ntrain = "data/churn-train.csv"\nholdout = "data/churn-holdout.csv"\ntarget = "churned"\n'
        '[retrain]\ncommand = ["python", "-c", "import time; time.sleep(60)", "{candidate}"]\n'
    )
    update = Terminal("update", churn / "lr.joblib", "--yes")
    try:
        update.wait_for("running the training command")
        while not any("sleep" in " ".join(psutil.Process(pid).cmdline()) for pid in update.children):
            update.note_children()
        update.lose()
        assert update.process.wait(LIMIT_S) == 130
        update.assert_no_child()
    finally:
        update.close()


def started(*argv: str) -> subprocess.Popen[str]:
    """A command that writes into pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "console", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
