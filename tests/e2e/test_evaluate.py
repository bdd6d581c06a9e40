"""The command evaluate: figures that are scikit-learn's on the same rows, what is left out and why, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas
import pytest
from sklearn import metrics as known
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.cli.running import Run

RANDOM = np.random.RandomState(5)
ROWS = pandas.DataFrame(RANDOM.rand(120, 3), columns=list("abc"))
TWO = (ROWS["a"] + 0.4 * RANDOM.rand(120) > 0.7).astype(int).to_numpy()
THREE = (ROWS["a"].to_numpy() * 3).astype(int)
REAL = (ROWS["a"] + 2 * ROWS["b"] + 0.1 * RANDOM.rand(120)).to_numpy()
FAR = (np.arange(120) < 12).astype(int)
WORDS = np.array(["no", "yes"])


def written(place: Path, model: Any, truths: dict[str, Any], rows: pandas.DataFrame = ROWS) -> tuple[str, str]:
    """An artifact and its data file."""
    joblib.dump(model, place / "model.joblib")
    rows.assign(**truths).to_csv(place / "rows.csv", index=False)
    return str(place / "model.joblib"), str(place / "rows.csv")


def test_what_is_left_out_is_counted_and_named(run: Run, tmp_path: Path) -> None:
    truth = pandas.Series(TWO).where(np.arange(120) % 10 != 0)
    artifact, data = written(tmp_path, SVC().fit(ROWS, TWO), {"y": truth})
    done = run("evaluate", artifact, "--data", data, "--target", "y", "--json")
    assert done.code == 0, done.err
    found = done.json
    assert {"task", "rows", "metrics", "data"} <= set(found)
    assert (found["rows"], found["rows_without_truth"]) == (108, 12)
    assert found["left_out"] == {"log_loss": "log_loss is computed from scores, and SVC has no predict_proba"}
    assert found["notes"] == ["12 of 120 rows have no truth and were left out"]


@pytest.mark.slow
def test_nothing_measured_is_exit_1(run: Run, tmp_path: Path) -> None:
    artifact, data = written(tmp_path, LinearRegression().fit(ROWS, REAL), {"y": np.nan})
    done = run("evaluate", artifact, "--data", data, "--target", "y", "--json")
    assert (done.code, done.json["metrics"], done.json["error"]["code"]) == (1, {}, "not-measured")
    assert done.err.endswith("nothing was measured: none of the 120 rows has a truth\n")


def of_two(model: Any, rows: Any, y: Any) -> dict[str, float]:
    proba, answer = model.predict_proba(rows), model.predict(rows)
    return {
        "accuracy": known.accuracy_score(y, answer),
        "balanced_accuracy": known.balanced_accuracy_score(y, answer),
        "f1": known.f1_score(y, answer, pos_label=model.classes_[1]),
        "roc_auc": known.roc_auc_score(y == model.classes_[1], proba[:, 1]),
        "log_loss": known.log_loss(y, proba, labels=model.classes_),
    }


def of_three(model: Any, rows: Any, y: Any) -> dict[str, float]:
    proba, answer = model.predict_proba(rows), model.predict(rows)
    return {
        "accuracy": known.accuracy_score(y, answer),
        "balanced_accuracy": known.balanced_accuracy_score(y, answer),
        "f1_weighted": known.f1_score(y, answer, average="weighted"),
        "roc_auc_ovr": known.roc_auc_score(y, proba, multi_class="ovr", labels=model.classes_),
        "log_loss": known.log_loss(y, proba, labels=model.classes_),
    }


def of_labels(model: Any, rows: Any, y: Any) -> dict[str, float]:
    answer = model.predict(rows)
    return {
        "accuracy": known.accuracy_score(y, answer),
        "f1_weighted": known.f1_score(y, answer, average="weighted"),
        "roc_auc": known.roc_auc_score(y, model.decision_function(rows)),
    }


def of_numbers(model: Any, rows: Any, y: Any) -> dict[str, float]:
    answer = model.predict(rows)
    found = {
        "r2": known.r2_score(y, answer),
        "mean_absolute_error": known.mean_absolute_error(y, answer),
        "root_mean_squared_error": known.root_mean_squared_error(y, answer),
    }
    return {**found, "max_error": known.max_error(y, answer)} if np.ndim(y) == 1 else found


def of_outliers(model: Any, rows: Any, y: Any) -> dict[str, float]:
    answer, scores = model.predict(rows) == -1, -model.decision_function(rows)
    return {
        "accuracy": known.accuracy_score(y, answer),
        "balanced_accuracy": known.balanced_accuracy_score(y, answer),
        "f1": known.f1_score(y, answer),
        "roc_auc": known.roc_auc_score(y, scores),
        "average_precision": known.average_precision_score(y, scores),
    }


def of_density(model: Any, rows: Any, y: Any) -> dict[str, float]:
    return {"mean_log_likelihood": model.score(rows) / len(rows)}


PAIR = np.column_stack([REAL, -REAL + ROWS["c"]])
LABELS = np.column_stack([TWO, (ROWS["b"] > 0.5).astype(int)])
LOGISTIC, LINEAR = LogisticRegression, LinearRegression
Of = Callable[[Any, Any, Any], dict[str, float]]
CASES: dict[str, tuple[Any, Any, Any, Of]] = {
    "classes that are numbers, told as numbers": (LOGISTIC().fit(ROWS, TWO), TWO, TWO, of_two),
    "classes that are truth values": (LOGISTIC().fit(ROWS, TWO == 1), TWO, TWO == 1, of_two),
    "classes that are words": (LOGISTIC().fit(ROWS, WORDS[TWO]), WORDS[TWO], WORDS[TWO], of_two),
    "classes that are digits": (LOGISTIC().fit(ROWS, TWO.astype(str)), TWO, TWO.astype(str), of_two),
    "three classes": (RandomForestClassifier(5, random_state=0).fit(ROWS, THREE), THREE, THREE, of_three),
    "several labels": (OneVsRestClassifier(LOGISTIC()).fit(ROWS, LABELS), LABELS, LABELS, of_labels),
    "numbers": (LINEAR().fit(ROWS, REAL), REAL, REAL, of_numbers),
    "whole numbers": (make_pipeline(StandardScaler(), LINEAR()).fit(ROWS, THREE), THREE, THREE, of_numbers),
    "several numbers": (LINEAR().fit(ROWS, PAIR), PAIR, PAIR, of_numbers),
    "outliers": (IsolationForest(n_estimators=10, random_state=0).fit(ROWS), FAR, FAR, of_outliers),
    "outliers in words": (
        make_pipeline(StandardScaler(), IsolationForest(n_estimators=10, random_state=0)).fit(ROWS),
        np.array(["normal", "anomaly"])[FAR],
        FAR,
        of_outliers,
    ),
    "no truth at all": (KernelDensity().fit(ROWS), None, None, of_density),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_figure_is_that_of_scikit_learn(run: Run, tmp_path: Path, name: str) -> None:
    model, given, truth, expected = CASES[name]
    columns = {} if given is None else dict(zip("yz", np.atleast_2d(given.T), strict=False))
    artifact, data = written(tmp_path, model, columns)
    targets = [word for column in columns for word in ("--target", column)]
    done = run("evaluate", artifact, "--data", data, *targets, "--json")
    assert done.code == 0, done.err
    rows = pandas.read_csv(data)[list("abc")]
    assert done.json["metrics"] == pytest.approx(expected(model, rows, truth), abs=1e-12)
