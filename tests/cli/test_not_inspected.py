"""Commands on a machine that cannot start an inspector: it says nothing of the files, and looks again later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.cli.running import Done, Run

ROOT = Path(__file__).parents[2]
FEW = ("prlimit", "--nofile=14")

needs_prlimit = pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two good models, under names that the console knows and does not know."""
    root = tmp_path / "store"
    root.mkdir()
    model = LogisticRegression().fit(np.arange(12.0).reshape(6, 2), [0, 1] * 3)
    joblib.dump(model, root / "a.joblib")
    joblib.dump(model, root / "b.bin")
    return root


def limited(words: tuple[str, ...], *argv: str) -> Done:
    """A command line of ours run by another program, which takes something away."""
    command = [*words, sys.executable, "-m", "console", *argv]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


@needs_prlimit
def test_without_descriptors_nothing_is_said_of_the_files(run: Run, store: Path) -> None:
    (store / ".model-console").mkdir()
    listed = limited(FEW, "ls", "--json", str(store))
    assert listed.code == 0
    assert [(one["path"], one["verdict"]) for one in listed.json] == [("a.joblib", None), ("b.bin", None)]
    assert "may open no more files (its limit is 14)" in listed.json[0]["why"]
    shown = limited(FEW, "ls", str(store))
    assert shown.out.splitlines()[1].startswith("not inspected")
    assert "damaged" not in shown.out
    assert [one["verdict"] for one in run("ls", "--json", str(store)).json] == ["safe", "safe"]


@needs_prlimit
def test_the_inspection_of_one_file_failed(store: Path) -> None:
    one = limited(FEW, "inspect", "--json", str(store / "a.joblib"))
    assert one.code == 1
    assert one.json["trust"]["verdict"] is None
    assert [reason["code"] for reason in one.json["trust"]["reasons"]] == ["not-inspected"]
    shown = limited(FEW, "inspect", str(store / "a.joblib"))
    assert (shown.code, shown.out.splitlines()[0]) == (1, "a.joblib   not inspected")
    assert "ulimit -n" in shown.out
    several = limited(FEW, "inspect", str(store))
    assert several.code == 1
    assert "2 not inspected" in several.err
    used = limited(FEW, "predict", str(store / "a.joblib"))
    assert used.code == 1
    assert "ulimit -n" in used.err


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_without_devices_nothing_is_said_of_the_files(store: Path) -> None:
    apart = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh")
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    one = limited(apart, "inspect", "--json", str(store / "a.joblib"))
    assert one.code == 1
    assert "/dev/null" in json.dumps(one.json["trust"]["reasons"])


@needs_prlimit
@pytest.mark.slow
@pytest.mark.parametrize("mebibytes", [88, 93, 100, 110])
def test_little_memory_makes_no_good_file_damaged(store: Path, mebibytes: int) -> None:
    with h5py.File(store / "c.h5", "w") as file:
        file.create_dataset("rows", data=np.arange(20_000.0), chunks=(10_000,), compression="gzip")
    listed = limited(("prlimit", f"--as={mebibytes << 20}"), "ls", str(store))
    assert not {"damaged", "blocked"} & set(listed.out.split())
    assert "defect" not in listed.err


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_without_proc_it_is_what_is_missing(store: Path) -> None:
    apart = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    done = limited(apart, "predict", str(store / "a.joblib"))
    assert done.code == 1
    assert "/proc is not mounted here" in done.err
    assert "hint: have /proc mounted" in done.err


@needs_prlimit
@pytest.mark.parametrize("limit", ["--nofile=5", "--as=36700160"])
def test_a_console_that_cannot_go_on_says_what_it_lacks(store: Path, limit: str) -> None:
    done = limited(("prlimit", limit), "ls", str(store))
    assert done.code == 1
    assert "defect" not in done.err
    assert "hint: " in done.err
