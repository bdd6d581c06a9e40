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
def test_a_twin_is_compared_shown_and_kept_only_on_the_operators_word(run: Run, store: Path) -> None:
    asked = ("accelerate", str(store / "tree.joblib"), "--data", str(store / "rows.npy"))
    shown = run(*asked)
    assert shown.code == 0
    assert "METHOD" in shown.out
    assert "0 of 100,000 labels differ" in shown.out
    assert "not kept; --yes keeps it" in shown.out
    assert "comparing in float32" in shown.err
    twins = store / ".model-console" / "twins"
    assert not twins.exists()
    kept = run(*asked, "--yes", "--json").json
    assert (kept["kept"], kept["dtype"], kept["differing"]) == (True, "float32", 0)
    assert kept["routes"]["predict"][0][0] == 1
    assert {one["rows"] for one in kept["timings"]} >= {1, 10, 100, 1_000}
    assert sorted(one.suffix for one in twins.iterdir()) == [".json", ".onnx"]
    answered = run("predict", str(store / "tree.joblib"), "--data", str(store / "rows.npy"), "--rows", "5", "--json")
    assert answered.code == 0
    assert run(asked[0], asked[1], "--drop").out == "the twin is removed\n"
    assert "has no twin" in run(asked[0], asked[1], "--drop").out
    assert list(twins.iterdir()) == []


def test_a_model_that_cannot_be_converted_is_a_failure_with_a_sentence(run: Run, store: Path) -> None:
    done = run("accelerate", str(store / "near.joblib"), "--data", str(store / "rows.npy"), "--yes")
    assert done.code == 1
    assert "near.joblib cannot be accelerated: no ONNX twin answers like this model" in done.err
    assert "skl2onnx cannot convert it" in done.err
    assert "Traceback" not in done.err
    named = run("accelerate", str(store / "near.joblib"))
    assert named.code == 2
    assert "--data" in named.err
