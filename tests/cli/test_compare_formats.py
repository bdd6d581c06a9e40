"""`convert --compare`: a model in each format that it could be in."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from tests.cli.running import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    (root / ".model-console").mkdir(parents=True)
    X = np.random.default_rng(0).normal(size=(200, 4))
    joblib.dump(DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > 0), root / "tree.joblib")
    joblib.dump(GaussianNB().fit(X, X[:, 0] > 0), root / "bayes.joblib")
    np.save(root / "rows.npy", X)
    return root


def test_each_format_is_measured_and_nothing_is_written(run: Run, store: Path) -> None:
    pytest.importorskip("skl2onnx")
    done = run("convert", str(store / "tree.joblib"), "--compare", "--data", str(store / "rows.npy"), "--json")
    assert done.code == 0, done.err
    found = {one["format"]: one for one in json.loads(done.out)["formats"]}
    assert {"joblib", "pickle", "hdf5", "onnx"} <= found.keys()
    for name, one in found.items():
        assert one["problem"] == "", name
        assert one["size"] > 0
        assert one["load_ms"] > 0
        assert one["first_ms"] > 0
        assert one["steady_ms"] > 0
        assert one["verdict"] == "safe"
    assert [name for name, one in found.items() if one["current"]] == ["joblib"]
    assert [name for name, one in found.items() if one["runs_code"]] == ["joblib", "pickle"]
    assert found["hdf5"]["answers"] == "the same to the last bit"
    assert found["onnx"]["answers"].startswith("numbers by at most")
    assert sorted(path.name for path in store.iterdir() if path.suffix) == ["bayes.joblib", "rows.npy", "tree.joblib"]


def test_a_format_that_cannot_hold_it_says_why(run: Run, store: Path) -> None:
    done = run("convert", str(store / "bayes.joblib"), "--compare", "--data", str(store / "rows.npy"))
    assert done.code == 0, done.err
    assert "joblib (now)" in done.out
    assert "answers as hdf5: the same to the last bit" in done.out


def test_rows_are_needed(run: Run, store: Path) -> None:
    done = run("convert", str(store / "tree.joblib"), "--compare")
    assert done.code == 2
    assert "no rows to compare tree.joblib on" in done.err
    assert run("convert", str(store / "tree.joblib")).code == 2
    assert run("convert", str(store / "tree.joblib"), "--to", "hdf5", "--compare").code == 2
