"""The differences told between two model files."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from console.records import Candidate, Judgement, Verdict
from console.update.compare import Side, changes, describe, quantiles
from tests.inspecting import inspect_bytes

X = np.random.RandomState(0).rand(40, 3)
Y = np.arange(40) % 2


def described(model: Any, at: str = "", verdict: Verdict = Verdict.SAFE) -> Candidate:
    return describe(
        Side(
            "sha256:1", 10, inspect_bytes(pickle.dumps(model)), Judgement(verdict), {"accuracy": 1.0}, (1.0, 2.0, 3.0)
        ),
        at,
    )


def pipe(**parameters: Any) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(**parameters)).fit(X, Y)


def test_the_same_model_has_no_changes() -> None:
    assert changes(described(pipe()), described(pipe())) == ()


def test_parameters_of_steps_are_named_as_set_params_names_them() -> None:
    found = changes(described(pipe()), described(pipe(C=5.0)))
    assert found == (("logisticregression__C", "1.0", "5.0"),)


def test_another_class_and_fitted_parts_that_say_nothing() -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    other = RandomForestClassifier(3, random_state=0).fit(X + 1, Y)
    assert changes(described(forest), described(other)) == ()
    found = {what: (before, after) for what, before, after in changes(described(forest), described(pipe()))}
    assert found["class"][0].endswith("RandomForestClassifier")
    assert found["class"][1].endswith("Pipeline")


def test_the_model_at_a_place_of_a_holder() -> None:
    one = described({"model": LogisticRegression(C=3).fit(X, Y), "other": StandardScaler().fit(X)}, "model")
    assert str(one.model_class).endswith("LogisticRegression")
    assert one.parameters["C"] == 3
    assert "with_mean" not in one.parameters


def test_a_worse_verdict_is_a_change() -> None:
    assert changes(described(pipe()), described(pipe(), verdict=Verdict.REVIEW)) == (("trust", "safe", "review"),)


def test_quantiles() -> None:
    assert quantiles(()) is None
    found = quantiles(tuple(float(value) for value in range(1, 101)))
    assert found is not None
    assert (found.p50, found.p90, found.p99, found.max, found.count) == (51.0, 91.0, 100.0, 100.0, 100)
