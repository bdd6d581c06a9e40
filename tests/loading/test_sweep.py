"""`inspect` of a directory: everything in it, in order, in parallel, with an exit code a pipeline can act on."""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from console.cli.sweep import summary, worst
from console.records import Verdict
from tests.cli.conftest import run as run
from tests.cli.running import Run
from tests.loading.conftest import model

ROOT = Path(__file__).parents[2]


class Evil:
    """Would make a file if it were ever unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture
def tree(tmp_path: Path, isolated: Path) -> Path:
    """Forty models in four directories, in no store."""
    data = pickle.dumps(model())
    for number in range(40):
        place = tmp_path / "tree" / f"team{number % 4}" / f"m{number:02}.pkl"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return tmp_path / "tree"


def test_a_tree_of_safe_models_is_zero_and_comes_in_order(tree: Path, run: Run) -> None:
    (tree / "notes.txt").write_text("no model")
    (tree / "team0" / "rows.pkl").write_text("1,2\n3,4\n")
    done = run("inspect", str(tree), "--json")
    paths = [report["path"] for report in done.json]
    assert done.code == 0
    assert len(paths) == 41
    assert paths == sorted(paths)
    assert {report["trust"]["verdict"] for report in done.json} == {"safe", "unsupported"}
    assert "41 files in" in done.err
    assert "40 safe, 1 unsupported" in done.err
    assert not (tree / ".model-console").exists()


def test_what_is_refused_weighs_more_than_what_is_damaged(tree: Path, tmp_path: Path, run: Run) -> None:
    (tree / "cut.pkl").write_bytes(pickle.dumps(model())[:-40])
    assert run("inspect", str(tree)).code == 4
    (tree / "team1" / "evil.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "marker")))
    done = run("inspect", str(tree), "--json")
    assert done.code == 3
    assert "1 blocked, 1 damaged" in done.err
    assert not (tmp_path / "marker").exists()


def test_what_a_recipe_calls_data_counts_as_well(tree: Path, tmp_path: Path, run: Run) -> None:
    (tree / "evil.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "marker")))
    (tree / "m.recipe.toml").write_text('[data]\ntrain = "evil.pkl"\n')
    assert run("inspect", str(tree), "--json").code == 3


@pytest.mark.parametrize("how", ["link", "fifo", "empty"])
def test_what_cannot_be_read_is_told(tree: Path, run: Run, how: str) -> None:
    place = tree / "odd.pkl"
    if how == "link":
        place.symlink_to(tree / "team0" / "m00.pkl")
    elif how == "fifo":
        os.mkfifo(place)
    else:
        place.touch()
    done = run("inspect", str(tree), "--json")
    assert done.code == 4
    odd = next(report for report in done.json if report["path"] == "odd.pkl")
    assert odd["trust"]["reasons"][0]["code"] == "unreadable"


def test_an_empty_directory_is_an_empty_list(tmp_path: Path, isolated: Path, run: Run) -> None:
    (tmp_path / "none").mkdir()
    done = run("inspect", str(tmp_path / "none"), "--json")
    assert (done.code, done.json) == (0, [])
    assert "no model artifacts" in run("inspect", str(tmp_path / "none")).out


def test_people_get_a_table(tree: Path, run: Run) -> None:
    lines = run("inspect", str(tree)).out.splitlines()
    assert len(lines) == 41
    assert lines[0].split() == ["TRUST", "PATH", "CLASS", "FORMAT", "SIZE", "CHANGED", "WHY"]
    assert all("LogisticRegression" in line for line in lines[1:])


def test_an_interrupt_ends_it_and_its_inspectors(tree: Path, isolated: Path) -> None:
    data = pickle.dumps(model())
    for number in range(3000):
        (tree / f"more{number}.pkl").write_bytes(data)
    running = subprocess.Popen(
        [sys.executable, "-m", "console", "inspect", str(tree), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    assert select.select([running.stdout], [], [], 60)[0]
    children = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert children
    assert not psutil.wait_procs(children, timeout=60)[1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(said)


def test_the_worst_code_and_the_summary() -> None:
    assert [worst(codes) for codes in ({0}, {0, 4}, {0, 3, 4}, ())] == [0, 4, 3, 0]
    counts: Counter[Verdict | None] = Counter({Verdict.SAFE: 1990, Verdict.REVIEW: 10})
    assert summary(counts, 4.0) == "2,000 files in 4.0 s (500 a second): 1,990 safe, 10 review"
    assert summary(Counter([None]), 4.0) == "1 file in 4.0 s (0 a second): 1 not inspected"
