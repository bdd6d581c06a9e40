"""`accelerate`: the table, the word it takes, and what is there afterwards."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid
from sklearn.tree import DecisionTreeClassifier

from tests.cli.running import Run

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

NAMES = ("tree.joblib", "tree.onnx")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    (root / ".model-console").mkdir(parents=True)
    X = np.random.default_rng(0).normal(size=(200, 4))
    joblib.dump(DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > 0), root / "tree.joblib")
    joblib.dump(NearestCentroid().fit(X, X[:, 0] > 0), root / "near.joblib")
    np.save(root / "rows.npy", X)
    return root


@pytest.mark.slow
def test_an_export_is_compared_shown_and_written_only_on_the_operators_word(run: Run, store: Path) -> None:
    asked = ("accelerate", str(store / "tree.joblib"), "--data", str(store / "rows.npy"))
    shown = run(*asked)
    assert shown.code == 0
    assert "METHOD" in shown.out
    assert "0 of 100,000 labels differ" in shown.out
    assert "tree.onnx is not written; --yes writes it" in shown.out
    assert "comparing in float32" in shown.err
    assert not (store / "tree.onnx").exists()
    written = run(*asked, "--yes", "--json").json
    assert (written["written"], written["dtype"], written["differing"]) == (True, "float32", 0)
    assert (written["path"], written["replaces"]) == ("tree.onnx", None)
    assert {one["rows"] for one in written["timings"]} >= {1, 10, 100, 1_000}
    told = run("inspect", str(store / "tree.onnx"), "--json").json
    assert (told["format"], told["trust"]["verdict"]) == ("onnx", "safe")
    given = ("--data", str(store / "rows.npy"), "--rows", "5", "--json")
    answers = [run("predict", str(store / name), *given).json["outputs"]["predict"] for name in NAMES]
    assert [int(label) for label in answers[0]] == [int(label) for label in answers[1]]
    again = run(*asked)
    assert "tree.onnx is there already: it would be kept as a version" in again.err


def test_a_model_that_cannot_be_converted_is_a_failure_with_a_sentence(run: Run, store: Path) -> None:
    done = run("accelerate", str(store / "near.joblib"), "--data", str(store / "rows.npy"), "--yes")
    assert done.code == 1
    assert "near.joblib cannot be accelerated: no ONNX export answers like this model" in done.err
    assert "skl2onnx cannot convert it" in done.err
    assert "Traceback" not in done.err
    named = run("accelerate", str(store / "near.joblib"))
    assert named.code == 2
    assert "--data" in named.err
