"""The command predict: data from a pipe, outputs in each form, files whole or absent, memory that is bounded."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import psutil
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.cli.running import Run

ROWS, TIMES = 25_000, 40
ROOT = Path(__file__).parents[2]
MEMORY = 450 << 20
"""Read whole, the long table takes twice that."""


@pytest.fixture(scope="module")
def frame() -> Any:
    rng = numpy.random.default_rng(0)
    found = pandas.DataFrame(rng.normal(size=(ROWS, 12)).round(5), columns=[f"f{at:02d}" for at in range(12)])
    return found.assign(city=rng.choice(["Rome", "Oslo", "Wien"], ROWS))


@pytest.fixture(scope="module")
def model(frame: Any) -> Any:
    columns = make_column_transformer((StandardScaler(), list(frame)[:-1]), (OneHotEncoder(), ["city"]))
    return make_pipeline(columns, LogisticRegression()).fit(frame, numpy.where(frame.f00 > 0, "yes", "no"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, model: Any) -> Path:
    place = tmp_path_factory.mktemp("models")
    joblib.dump(model, place / "m.joblib")
    return place


@contextmanager
def stdin_of(data: bytes) -> Iterator[None]:
    """Have file descriptor 0 be a pipe that gives this."""
    before, (out, into) = os.dup(0), os.pipe()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=into) as cat:
        os.close(into)
        os.dup2(out, 0)
        os.close(out)
        try:
            cat.communicate(data)
            yield
        finally:
            os.dup2(before, 0)
            os.close(before)


def test_a_packed_table_from_a_pipe_goes_into_a_file_and_shows_as_it_always_did(
    run: Run, store: Path, model: Any, frame: Any
) -> None:
    few = frame[:300]
    (store / ".o.csv.0123abcd.tmp").write_text("left by a killed run")
    methods = ("--method", "predict", "--method", "predict_proba")
    with stdin_of(gzip.compress(few.to_csv(index=False).encode())):
        done = run("predict", str(store / "m.joblib"), "--data", "-", "--out", str(store / "o.csv"), "--json", *methods)
    assert done.code == 0, done.err
    assert "stdin: 300 rows, separated by ',', header, utf-8, gzip, columns by name" in done.err
    labels, chances = model.predict(few).tolist(), model.predict_proba(few).tolist()
    table = pandas.read_csv(store / "o.csv")
    assert list(table) == ["predict", "predict_proba_0", "predict_proba_1"]
    assert table.predict.tolist() == labels
    assert table[["predict_proba_0", "predict_proba_1"]].to_numpy().tolist() == chances
    assert not [one for one in store.iterdir() if one.name.startswith(".o")]
    assert done.json["outputs"] == {"predict": labels, "predict_proba": chances}
    assert list(done.json)[:4] == ["rows", "data", "outputs", "latency_ms"]
    assert done.out == json.dumps(done.json, indent=2) + "\n"


@pytest.mark.slow
def test_rows_without_a_truth_need_no_target_of_the_recipe(run: Run, tmp_path: Path, model: Any, frame: Any) -> None:
    """The recipe says how its own data is to be read; what is predicted has no truth yet."""
    joblib.dump(model, tmp_path / "m.joblib")
    (tmp_path / "m.recipe.toml").write_text('[data]\nholdout = "known.csv"\ntarget = "bought"\n')
    frame[:5].to_csv(tmp_path / "new.csv", index=False)
    asked = (str(tmp_path / "m.joblib"), "--data", str(tmp_path / "new.csv"))
    done = run("predict", *asked, "--json")
    assert done.json["outputs"] == {"predict": model.predict(frame[:5]).tolist()}
    assert "no truth, since no column is called bought" in done.json["data"]["decided"]
    refused = run("evaluate", *asked)
    assert (refused.code, "missing target: 'bought'" in refused.err) == (4, True)


@pytest.mark.slow
def test_so_many_rows_as_json_and_npy(run: Run, store: Path, model: Any, frame: Any) -> None:
    frame.to_csv(store / "rows.csv", index=False)
    asked = ("predict", str(store / "m.joblib"), "--data", str(store / "rows.csv"), "--rows", "40")
    expected = model.predict(frame[:40]).tolist()
    assert run(*asked, "--out", str(store / "o.json")).code == 0
    assert json.loads((store / "o.json").read_text()) == {"predict": expected}
    assert run(*asked, "--out", str(store / "o.npy")).code == 0
    assert numpy.load(store / "o.npy").tolist() == expected
    assert run(*asked).out.splitlines() == ["predict", *(label.rjust(7) for label in expected)]


def test_what_is_read_is_not_written_over(run: Run, store: Path) -> None:
    (store / "in.csv").write_text("a\n1\n")
    (store / "link.csv").symlink_to("in.csv")
    for out in ("in.csv", "link.csv"):
        done = run("predict", str(store / "m.joblib"), "--data", str(store / "in.csv"), "--out", str(store / out))
        assert (done.code, "would take the place of a file that is read here" in done.err) == (2, True)
    assert (store / "in.csv").read_text() == "a\n1\n"


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_leaves_nothing(run: Run, store: Path, frame: Any) -> None:
    frame.to_csv(store / "rows.csv", index=False)
    done = run("predict", str(store / "m.joblib"), "--data", str(store / "rows.csv"), "--out", "/dev/full")
    assert done.code == 4
    assert "/dev/full cannot be written: no space is left" in done.err
    assert "written to" not in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "o.txt"], "--out o.txt does not tell what to write"),
        (["--out", "o.npy", "--method", "predict", "--method", "predict_proba"], "a npy file holds one output"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_loaded(run: Run, words: list[str], sentence: str) -> None:
    done = run("predict", "no-such-model.joblib", *words)
    assert (done.code, sentence in done.err) == (2, True)


def test_a_terminal_is_no_table(run: Run) -> None:
    before, (ours, theirs) = os.dup(0), os.openpty()
    os.dup2(theirs, 0)
    try:
        done = run("predict", "no-such-model.joblib", "--data", "-")
    finally:
        os.dup2(before, 0)
        for fd in (before, ours, theirs):
            os.close(fd)
    assert (done.code, "reads a table from a pipe, and stdin is a terminal" in done.err) == (2, True)


@pytest.fixture(scope="module")
def long_csv(tmp_path_factory: pytest.TempPathFactory, frame: Any) -> Path:
    """Some 110 MB: the same rows again and again."""
    path = tmp_path_factory.mktemp("long") / "long.csv"
    with open(path, "wb") as file:
        file.write(frame[:0].to_csv(index=False).encode())
        block = frame.to_csv(index=False, header=False).encode()
        for _ in range(TIMES):
            file.write(block)
    return path


@contextmanager
def command(store: Path, long_csv: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    words = [
        sys.executable,
        "-m",
        "console",
        "predict",
        str(store / "m.joblib"),
        "--data",
        str(long_csv),
        "--out",
        str(out),
    ]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def resident(process: psutil.Process) -> int:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


@pytest.mark.slow
def test_a_long_table_takes_little_memory_and_is_answered_like_a_short_one(
    store: Path, long_csv: Path, tmp_path: Path, model: Any, frame: Any
) -> None:
    peak = 0
    with command(store, long_csv, tmp_path / "o.csv") as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak = max(peak, resident(watched))
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait() == 0, said
    assert peak < MEMORY
    assert f"{ROWS * TIMES:,} rows" in said
    assert "in pieces of 65,536 rows" in said
    found = (tmp_path / "o.csv").read_text().splitlines()
    assert found == ["predict", *model.predict(frame).tolist() * TIMES]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_while_it_writes_leaves_what_was_there(
    store: Path, long_csv: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "o.csv"
    out.write_text("before")
    with command(store, long_csv, out) as process:
        while process.poll() is None and not [one for one in tmp_path.iterdir() if one != out and one.stat().st_size]:
            time.sleep(0.01)
        process.send_signal(number)
        code = process.wait(30)
    assert code == (-9 if number == signal.SIGKILL else 130)
    assert out.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == (2 if number == signal.SIGKILL else 1)
