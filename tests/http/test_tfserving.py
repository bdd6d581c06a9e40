"""TensorFlow Serving's REST API."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from console.records import InferAnswer, Tensor
from tests.http.asking import Asking
from tests.http.standin import NAMES, Standin, engine_of

CHURN = "/v1/models/churn/lr"


@pytest.fixture
def serving() -> Standin:
    return Standin()


@pytest.fixture
def client(serving: Standin) -> Asking:
    return Asking(engine_of(serving))


async def test_status_tells_states_and_reasons(client: Asking) -> None:
    ok = {"error_code": "OK", "error_message": ""}
    found = (await client.get(CHURN)).json["model_version_status"]
    assert found == [
        {"version": "2", "state": "AVAILABLE", "status": ok},
        {"version": "1", "state": "END", "status": {"error_code": "UNAVAILABLE", "error_message": "it was replaced"}},
    ]
    assert (await client.get(f"{CHURN}/versions/1")).json["model_version_status"] == found[1:]
    assert (await client.get(f"{CHURN}/labels/stable")).json["model_version_status"] == found[:1]


@pytest.mark.parametrize("place", ["/versions/9", "/labels/none", "/versions/9/metadata"])
async def test_unknown_versions_and_labels_are_404(client: Asking, place: str) -> None:
    found = await client.get(CHURN + place)
    assert (found.status, isinstance(found.json["error"], str)) == (404, True)


async def test_metadata_is_a_signature_for_each_method(client: Asking) -> None:
    found = (await client.get(f"{CHURN}/metadata")).json
    assert found["model_spec"] == {"name": "churn/lr", "signature_name": "", "version": "2"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "predict", "predict_proba"}
    given = signatures["serving_default"]["inputs"]["inputs"]
    assert given["dtype"] == "DT_DOUBLE"
    assert [dim["size"] for dim in given["tensor_shape"]["dim"]] == ["-1", "3"]
    assert signatures["serving_default"]["outputs"]["predict"]["dtype"] == "DT_STRING"


ROWS = ([1.0, 2.0, 97.0], [4.0, 5.0, 6.0])
OBJECTS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
COLUMNS = {name: [row[at] for row in ROWS] for at, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"instances": ROWS}, {"predictions": ["leaves", "stays"]}),
        ({"instances": OBJECTS}, {"predictions": ["leaves", "stays"]}),
        ({"instances": [{"x": row} for row in ROWS]}, {"predictions": ["leaves", "stays"]}),
        ({"instances": [[1, {"b64": "Mg=="}, None]]}, {"predictions": ["stays"]}),
        ({"inputs": ROWS}, {"outputs": ["leaves", "stays"]}),
        ({"inputs": {"x": ROWS}}, {"outputs": ["leaves", "stays"]}),
        ({"inputs": COLUMNS}, {"outputs": ["leaves", "stays"]}),
        ({"inputs": {name: [[value] for value in column] for name, column in COLUMNS.items()}}, None),
        ({"instances": ROWS[1:], "signature_name": "predict_proba"}, {"predictions": [[0.85, 0.15]]}),
        ({"inputs": ROWS[1:], "signature_name": "serving_default"}, {"outputs": ["stays"]}),
    ],
)
async def test_rows_and_columns(client: Asking, sent: Any, answer: Any) -> None:
    found = await client.post(f"{CHURN}:predict", sent)
    assert (found.status, found.json) == (200, answer or {"outputs": ["leaves", "stays"]})


async def test_numbers_by_row_are_one_tensor(serving: Standin, client: Asking) -> None:
    await client.post(f"{CHURN}/labels/stable:predict", {"instances": ROWS})
    (asked,) = serving.asked
    assert (asked.label, asked.tensors[0].shape) == ("stable", (2, 3))
    assert asked.body == np.array(ROWS).tobytes()


async def test_nested_numbers_are_a_tensor(serving: Standin, client: Asking) -> None:
    serving.answers = InferAnswer("sum", "1", (Tensor("predict", "INT64", (1, 2, 1)),), np.array([3, 4]).tobytes())
    found = await client.post("/v1/models/sum:predict", {"instances": [[[1, 2], [3, 4]]]})
    assert found.json == {"predictions": [[[3], [4]]]}
    assert serving.asked[0].tensors == (Tensor("instances", "FP64", (1, 2, 2)),)


async def test_several_outputs_are_objects(serving: Standin, client: Asking) -> None:
    body = np.array([1.0, np.nan]).tobytes()
    serving.answers = InferAnswer("sum", "1", (Tensor("score", "FP64", (2,)),), body, {"word": ["a", "b"]}, rows=2)
    rows = await client.post("/v1/models/sum:predict", {"instances": [[1], [2]]})
    assert rows.json == {"predictions": [{"score": 1.0, "word": "a"}, {"score": "NaN", "word": "b"}]}
    columns = await client.post("/v1/models/sum:predict", {"inputs": [[1], [2]]})
    assert columns.json == {"outputs": {"score": [1.0, "NaN"], "word": ["a", "b"]}}


async def test_classify_pairs_labels_with_scores(serving: Standin, client: Asking) -> None:
    examples = [{"age": [1], "income": 2.0}, {"age": 90, "income": 2}]
    found = await client.post(f"{CHURN}:classify", {"examples": examples, "context": {"visits": 3}})
    assert found.json == {
        "results": [[["stays", 0.94], ["leaves", 0.06]], [["stays", pytest.approx(0.05)], ["leaves", 0.95]]]
    }
    assert (serving.asked[0].columns, serving.asked[0].methods) == (("visits", "age", "income"), ("predict_proba",))


async def test_a_score_alone_is_that_of_the_second_class(serving: Standin, client: Asking) -> None:
    tensor = Tensor("decision_function", "FP64", (1,))
    serving.answers = InferAnswer("churn/lr", "2", (tensor,), np.array([-1.5]).tobytes(), classes=("no", 7))
    sent = {"examples": [OBJECTS[0]], "signature_name": "decision_function"}
    assert (await client.post(f"{CHURN}:classify", sent)).json == {"results": [[["7", -1.5]]]}


async def test_regress_answers_numbers(client: Asking) -> None:
    found = await client.post("/v1/models/sum/versions/1:regress", {"examples": [{"x": [1, 2, 3, 4]}]})
    assert found.json == {"results": [10.0]}


@pytest.mark.parametrize(
    ("target", "sent", "told"),
    [
        (f"{CHURN}:predict", {}, "either 'instances' or 'inputs'"),
        (f"{CHURN}:predict", {"instances": ROWS, "inputs": ROWS}, "either 'instances' or 'inputs'"),
        (f"{CHURN}:predict", {"instances": []}, "at least one row"),
        (f"{CHURN}:predict", {"instances": 1}, "Expected a list"),
        (f"{CHURN}:predict", {"instances": [[1, 2, 3], [1]]}, "Row 1: expected 3 values"),
        (f"{CHURN}:predict", {"instances": [[1, 2, 3], ["a"]]}, "Row 1: expected 3 values"),
        (f"{CHURN}:predict", {"instances": [OBJECTS[0], {"age": 1}]}, "Row 1: expected columns age, income, visits"),
        (f"{CHURN}:predict", {"instances": [OBJECTS[0], 1]}, "one value for each row"),
        (f"{CHURN}:predict", {"instances": [{"b64": "?"}]}, "base64"),
        (f"{CHURN}:predict", {"inputs": {"a": [1], "b": [1, 2]}}, "one length"),
        (f"{CHURN}:predict", {"inputs": {}}, "one length"),
        (f"{CHURN}:predict", '{"instances": [', "no valid JSON"),
        ("/v1/models/sum:classify", {"examples": [{"x": [1, 2, 3, 4]}]}, "does not score classes"),
        (f"{CHURN}:regress", {"examples": OBJECTS}, "one number for each example"),
        (f"{CHURN}:regress", {"examples": []}, "at least one"),
        (f"{CHURN}:classify", {}, "examples"),
    ],
)
async def test_what_does_not_fit_is_400(client: Asking, target: str, sent: Any, told: str) -> None:
    found = await client.post(target, sent)
    assert (found.status, told in found.json["error"]) == (400, True), found.body
