"""Rows of requests held against models that take texts, or that pick their columns by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from backends.core.errors import Refusal
from backends.estimators.estimator import Estimator
from console.serving.served_models import inputs_of
from console.worker.child.asked_rows import AskedRows
from console.worker.child.signatures import signature_of
from tests.backends.test_estimators import written
from tests.inspecting import inspect_bytes

FRAME = pd.DataFrame({"age": [31.0, 52.0, 47.0], "plan": ["month", "year", "month"]})


def picking(columns: dict[str, Any]) -> Any:
    """A classifier that scales and encodes columns by their names."""
    encode = [(StandardScaler(), columns["numbers"]), (OneHotEncoder(), columns["texts"])]
    parts = [(str(at), part, chosen) for at, (part, chosen) in enumerate(encode) if chosen]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression())


@pytest.fixture
def churn() -> Any:
    return picking({"numbers": ["age"], "texts": ["plan"]}).fit(FRAME, [0, 1, 0])


@pytest.fixture
def reviews() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good film", "bad film"], [1, 0])


def test_numbers_without_names_reach_a_model_that_picks_columns_by_name() -> None:
    numbers = FRAME.assign(visits=[1.0, 3.0, 2.0])[["age", "visits"]]
    model = picking({"numbers": ["visits", "age"], "texts": []}).fit(numbers, [0, 1, 0])
    rows = AskedRows(Estimator(model).inputs).array(numbers.to_numpy())
    assert model.predict(rows).tolist() == model.predict(numbers).tolist()
    plain = LogisticRegression().fit(numbers, [0, 1, 0])
    assert isinstance(AskedRows(Estimator(plain).inputs).array(numbers.to_numpy()), np.ndarray)


def test_texts_for_numbers_and_numbers_for_texts_are_told_by_column(churn: Any) -> None:
    asked = AskedRows(Estimator(churn).inputs)
    assert churn.predict(asked.typed([[31, "year"], [None, "month"]], None)[:1]).tolist() in ([0], [1])
    with pytest.raises(Refusal, match="'plan': text expected, found number") as raised:
        asked.typed([[31, 2]], None)
    assert raised.value.code == "columns"
    with pytest.raises(Refusal, match="'plan': text expected, found number"):
        asked.array(np.array([[31.0, 2.0]]))
    with pytest.raises(Refusal, match="'age': number expected, found text"):
        asked.typed([{"plan": "year", "age": "old"}], None)


def test_a_model_of_texts_takes_one_for_each_row(reviews: Any) -> None:
    asked = AskedRows(Estimator(reviews).inputs)
    for rows in (["good", "bad"], [["good"], ["bad"]], [{"text": "good"}, {"text": "bad"}]):
        assert asked.typed(rows, None).tolist() == ["good", "bad"]
    with pytest.raises(Refusal, match="one text for each row, found 2 values"):
        asked.typed([["good", "bad"]], None)
    with pytest.raises(Refusal, match="one text for each row, found numbers"):
        asked.array(np.zeros((1, 2)))


@pytest.mark.parametrize(("name", "told"), [("churn", ["FP64", "BYTES"]), ("reviews", ["BYTES"])])
def test_inputs_of_texts_are_told_from_the_file_as_from_the_model(
    name: str, told: list[str], request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    signature = inspect_bytes(written(model, "joblib raw")).signature
    assert [tensor.datatype for tensor in inputs_of(signature)] == told
    assert signature_of(Estimator(model))["texts"] == [*signature.texts]


def test_a_row_is_as_wide_as_the_model_even_where_it_knows_no_names() -> None:
    model = LogisticRegression().fit(np.eye(3), [0, 1, 0])
    asked = AskedRows(Estimator(model).inputs)
    assert asked.typed([[1, 2, 3]], None).shape == (1, 3)
    for rows, columns in (([[1, 2]], None), ([[1]], ["input"]), ([{"input": 1}], None)):
        with pytest.raises(Refusal, match=r"a row has [12] values, the model takes 3"):
            asked.typed(rows, columns)
