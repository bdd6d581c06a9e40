"""Models put into another format answer the same, and differences are told."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.core.errors import NotLoadable
from backends.estimators.convert import compare_outputs, convert, sample_inputs

X = np.random.default_rng(0).normal(size=(40, 3))


def model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)


@pytest.mark.parametrize("to", ["hdf5", "pickle", "joblib"])
def test_each_format_keeps_every_answer(to: str) -> None:
    with tempfile.TemporaryFile("w+b") as file:
        told = convert(model(), to, file.fileno())
    assert told == {"compared": ["predict", "predict_proba", "decision_function"], "differences": [], "rows": 32}


def test_weights_alone_keep_a_linear_model() -> None:
    with tempfile.TemporaryFile("w+b") as file:
        assert convert(Ridge().fit(X, X[:, 0]), "hdf5-weights", file.fileno(), X)["differences"] == []


def test_a_format_that_cannot_hold_the_model_says_so() -> None:
    with tempfile.TemporaryFile("w+b") as file, pytest.raises(NotLoadable, match="plain list"):
        convert(model(), "hdf5-weights", file.fileno())


def test_a_difference_in_the_last_bit_is_told() -> None:
    first, second = Ridge().fit(X, X[:, 0]), Ridge().fit(X, X[:, 0])
    assert compare_outputs(first, second, X) == []
    second.coef_ = np.nextafter(second.coef_, 9)
    assert "predict" in compare_outputs(first, second, X)[0]


def test_models_that_raise_alike_are_alike_and_otherwise_not() -> None:
    fitted, empty = Ridge().fit(X, X[:, 0]), Ridge()
    assert compare_outputs(empty, Ridge(), X) == []
    assert "NotFittedError" in compare_outputs(fitted, empty, X)[0]


def test_sampled_rows_carry_the_recorded_names() -> None:
    pandas = pytest.importorskip("pandas")
    named = Ridge().fit(pandas.DataFrame(X, columns=["a", "b", "c"]), X[:, 0])
    assert list(sample_inputs(named).columns) == ["a", "b", "c"]
    assert sample_inputs(Ridge()) is None
