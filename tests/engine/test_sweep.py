"""`inspect` of a directory: everything in it, in order, in parallel, with an exit code a pipeline can act on."""

from __future__ import annotations

import ctypes
import io
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backends.formats.archive.archives import MAX_DEPTH
from console.cli.sweep import summary, worst
from console.records import Verdict
from tests.cli.conftest import run as run
from tests.cli.running import Done, Run
from tests.engine.conftest import model

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


def test_a_tree_is_told_in_order_with_what_its_names_promise(tree: Path, run: Run) -> None:
    (tree / "notes.txt").write_text("no model")
    (tree / "team0" / "rows.pkl").write_text("1,2\n3,4\n")
    done = run("inspect", str(tree), "--json")
    paths = [report["path"] for report in done.json]
    assert done.code == 5
    assert len(paths) == 41
    assert paths == sorted(paths)
    assert {report["trust"]["verdict"] for report in done.json} == {"safe", "unsupported"}
    assert "42 files in" in done.err
    assert "40 safe, 1 unsupported" in done.err
    assert "1 file holds no model; 1 promises a model that nothing here reads: team0/rows.pkl" in done.err
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


@pytest.mark.slow
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
    sets: tuple[set[int], ...] = ({0}, {0, 4}, {0, 5}, {5, 4}, {0, 3, 4, 5}, {3, 5}, set())
    assert [worst(codes) for codes in sets] == [0, 4, 5, 4, 3, 3, 0]
    counts: Counter[Verdict | None] = Counter({Verdict.SAFE: 1990, Verdict.REVIEW: 10})
    assert summary(counts, 4.0, 500) == "2,500 files in 4.0 s (625 a second): 1,990 safe, 10 review"
    assert summary(counts, 4.0) == "2,000 files in 4.0 s (500 a second): 1,990 safe, 10 review"
    assert summary(Counter([None]), 4.0) == "1 file in 4.0 s (0 a second): 1 not inspected"


NAMES = (
    *("m.json", "m.txt", "m.csv", "m.so", "m.tmp", "m.py", "m.png", ".m.pkl", "noname", ".git/m", "__pycache__/m.pyc"),
    *("node_modules/m.js", ".model-console/history/k/1", "deep/.model-console/m"),
)


def test_no_name_hides_a_pickle(tmp_path: Path, isolated: Path, run: Run) -> None:
    for name in NAMES:
        place = tmp_path / "tree" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(pickle.dumps(Evil(tmp_path / "marker")))
    done = run("inspect", str(tmp_path / "tree"), "--json")
    assert done.code == 3
    assert {one["path"] for one in done.json if one["trust"]["verdict"] == "blocked"} == set(NAMES)
    assert not (tmp_path / "marker").exists()


def zipped(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dir/m.pkl", content)


def tarred(mode: str) -> Callable[[Path, bytes], None]:
    def write(path: Path, content: bytes) -> None:
        info = tarfile.TarInfo("dir/m.pkl")
        info.size = len(content)
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            archive.addfile(info, io.BytesIO(content))

    return write


ARCHIVES: dict[str, Callable[[Path, bytes], None]] = {
    "m": tarred("w:bz2"),
    "m.mar": zipped,
    "m.nemo": tarred("w:gz"),
    "m.tar": tarred("w"),
    "m.tar.gz": tarred("w:gz"),
    "m.tar.xz": tarred("w:xz"),
    "m.whl": zipped,
    "m.zip": zipped,
}


def test_archives_are_looked_into(tmp_path: Path, isolated: Path, run: Run) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()

    def inspected(content: bytes) -> Done:
        for name, write in ARCHIVES.items():
            write(tree / name, content)
        return run("inspect", str(tree), "--json")

    done = inspected(pickle.dumps(model()))
    assert done.code == 0
    assert [(one["path"], one["format"]) for one in done.json] == [(name, "archive") for name in ARCHIVES]
    assert {(one["trust"]["verdict"], one["models"][0]["at"]) for one in done.json} == {("safe", "dir/m.pkl")}
    done = inspected(pickle.dumps(Evil(tmp_path / "marker")))
    assert done.code == 3
    for one in done.json:
        assert one["trust"]["reasons"][0]["detail"].endswith(f", in {one['path']}!dir/m.pkl")
    assert not (tmp_path / "marker").exists()
    done = inspected(b"a,b\n1,2\n")
    assert (done.code, [one["path"] for one in done.json]) == (5, ["m.mar", "m.nemo"])
    assert "6 files hold no model; 2 promise a model that nothing here reads: m.mar, m.nemo" in done.err


def test_an_archive_that_cannot_be_opened_is_told(tree: Path, run: Run) -> None:
    (tree / "m.7z").write_bytes(b"7z\xbc\xaf\x27\x1c\0\4" + bytes(40))
    data = pickle.dumps(model())
    for depth in range(MAX_DEPTH + 1):
        with zipfile.ZipFile(tree / "m.zip", "w") as archive:
            archive.writestr(f"{depth}", data)
        data = (tree / "m.zip").read_bytes()
    done = run("inspect", str(tree), "--json")
    assert done.code == 4
    assert "0 files hold no model; 2 could not be read: m.7z, m.zip" in done.err
    for told in (one for one in done.json if one["path"] in ("m.7z", "m.zip")):
        assert told["trust"]["verdict"] == "unsupported"
        assert told["trust"]["reasons"][0]["code"] == "unopened"


PROMISES = {
    "m.caffemodel": b"\x08\x04\x12\x02",
    "m.joblib": bytes(4096),
    "m.params": b"\x12\x01" + bytes(30),
    "m.pkl": b"words\n",
    "m.pt": b"\x89PNG",
    "m.pte": b"\x89PNG",
}


def test_a_promise_that_nothing_here_reads_has_a_code_of_its_own(tree: Path, run: Run) -> None:
    for name, data in PROMISES.items():
        (tree / name).write_bytes(data)
    done = run("inspect", str(tree), "--json")
    assert done.code == 5
    assert (
        "6 promise a model that nothing here reads: m.caffemodel, m.joblib, m.params, m.pkl, m.pt and 1 more"
        in done.err
    )
    told = {one["path"]: one["trust"]["reasons"][0]["detail"] for one in done.json if one["trust"]["reasons"]}
    assert "MXNet format, which this console does not read yet" in told["m.params"]
    assert "its name promises Caffe, which this console does not read yet" in told["m.caffemodel"]
    assert run("inspect", str(tree / "m.params")).code == 4
    (tree / "damaged.pkl").write_bytes(pickle.dumps(model())[:-40])
    assert run("inspect", str(tree)).code == 4


def test_what_is_no_file_is_counted_and_never_opened(tree: Path, run: Run) -> None:
    (tree / "rows.csv").write_text("1,2\n")
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "away").symlink_to("/etc")
    os.mkfifo(tree / "pipe")
    done = run("inspect", str(tree), "--json")
    assert (done.code, len(done.json)) == (0, 40)
    assert "1 file holds no model; never opened or followed: 1 FIFO, 2 symbolic links" in done.err


def test_what_vanishes_is_told(tree: Path, run: Run) -> None:
    """Files that come and go: each is there, or told as one that could not be read, and then the code says so."""
    stopped = threading.Event()

    def churn() -> None:
        data = pickle.dumps(model())
        while not stopped.is_set():
            for number in range(200):
                (tree / "team1" / f"n{number}.pkl").write_bytes(data)
            for number in range(200):
                (tree / "team1" / f"n{number}.pkl").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        done = run("inspect", str(tree), "--json")
    finally:
        stopped.set()
        thread.join()
    unread = [one for one in done.json if one["trust"]["verdict"] != "safe"]
    assert done.code == (4 if unread else 0)
    assert ("could not be read" in done.err) == bool(unread)


def without_override() -> None:
    """Have root's programs honour the modes of files, for want of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    library = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):
        assert library.prctl(24, capability, 0, 0, 0) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may drop what lets root read everything")
def test_what_may_not_be_read_is_told(tree: Path) -> None:
    (tree / "locked").mkdir()
    (tree / "locked" / "m.pkl").write_bytes(b"1,2")
    (tree / "rows.csv").write_bytes(b"1,2")
    (tree / "rows.csv").chmod(0)
    (tree / "locked").chmod(0)
    done = subprocess.run(
        [sys.executable, "-m", "console", "inspect", str(tree), "--json"],
        cwd=ROOT, preexec_fn=without_override, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    (tree / "locked").chmod(0o700)
    assert done.returncode == 4, done.stderr
    rows = [one for one in json.loads(done.stdout) if one["trust"]["verdict"] != "safe"]
    told = {one["path"]: one["trust"]["reasons"][0]["detail"] for one in rows}
    assert told["rows.csv"] == "rows.csv cannot be read: permission denied"
    assert told["locked"] == "locked directory cannot be read: permission denied"
    assert "2 could not be read: rows.csv, locked" in done.stderr
