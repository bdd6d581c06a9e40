"""MLflow's scoring protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from console.records import InferAnswer, Tensor
from tests.http.asking import Asking
from tests.http.standin import NAMES, Standin, broken, churn, engine_of, total

CHURN = "/models/churn/lr/invocations"
RECORD = {"age": 1, "income": 2.5, "visits": None}


@pytest.fixture
def serving() -> Standin:
    return Standin()


@pytest.fixture
def client(serving: Standin) -> Asking:
    return Asking(engine_of(serving))


@pytest.mark.parametrize(
    ("sent", "columns", "rows"),
    [
        ({"dataframe_split": {"columns": NAMES, "index": [0], "data": [[1, "a", None]]}}, NAMES, ([1, "a", None],)),
        ({"dataframe_split": {"columns": [0, 1, 2], "data": [[1, 2, 3]]}}, None, ([1, 2, 3],)),
        ({"dataframe_split": {"data": [[1, 2, 3]]}}, None, ([1, 2, 3],)),
        ({"dataframe_records": [RECORD, RECORD]}, NAMES, ([1, 2.5, None], [1, 2.5, None])),
        ({"inputs": {"age": [1], "income": [2], "visits": [3]}, "params": None}, NAMES, ([1, 2, 3],)),
    ],
)
async def test_tables_go_in_by_name(serving: Standin, client: Asking, sent: Any, columns: Any, rows: Any) -> None:
    serving.answers = InferAnswer("churn/lr", "2", values={"predict": ["a"]}, rows=1)
    found = await client.post(CHURN, sent, {"Content-Type": "application/json; charset=utf-8"})
    assert (found.status, found.json) == (200, {"predictions": ["a"]})
    assert (serving.asked[0].columns, serving.asked[0].rows) == (columns, rows)


async def test_arrays(client: Asking) -> None:
    for sent in ({"instances": [[1, 2, 3, 4]]}, {"inputs": [[1, 2, 3, 4]]}, {"inputs": {"x": [[1, 2, 3, 4]]}}):
        assert (await client.post("/models/sum/invocations", sent)).json == {"predictions": [10.0]}


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("a,b\n1,2.5\n,x y\n", ["a", "b"], [[1, "2.5"], [None, "x y"]]),
        ('\ufeffa,"b ""c"""\r\ntrue,1e3\r\n\r\nfalse,NaN\r\n', ["a", 'b "c"'], [[True, 1000.0], [False, None]]),
        ("a\n1\n2.5\n", ["a"], [[1.0], [2.5]]),
    ],
)
async def test_csv(serving: Standin, client: Asking, text: str, columns: Any, rows: Any) -> None:
    serving.answers = InferAnswer("churn/lr", "2", values={"predict": [1]}, rows=1)
    assert (await client.post(CHURN, text, {"Content-Type": "text/csv"})).status == 200
    (asked,) = serving.asked
    assert ([*(asked.columns or ())], [*(asked.rows or ())]) == (columns, rows)


async def test_not_a_number_is_null(serving: Standin, client: Asking) -> None:
    body = np.array([[np.nan, 1.0]]).tobytes()
    serving.answers = InferAnswer("sum", "1", (Tensor("predict", "FP64", (1, 2)),), body, rows=1)
    assert (await client.post("/models/sum/invocations", {"instances": [[1]]})).json == {"predictions": [[None, 1.0]]}


async def test_which_model_is_meant(serving: Standin, client: Asking) -> None:
    sent = {"instances": [[1, 2, 3, 4]]}
    many = await client.post("/invocations", sent)
    assert (many.status, "churn/lr, sum" in many.json["error"], "/models/NAME" in many.json["hint"]) == (
        400,
        True,
        True,
    )
    assert (await client.post("/invocations?model=sum", sent)).json == {"predictions": [10.0]}
    target = {"X-Amzn-SageMaker-Target-Model": "sum"}
    assert (await client.post("/invocations", sent, target)).json == {"predictions": [10.0]}
    serving.served = [broken(), total()]
    assert (await client.post("/invocations", sent)).json == {"predictions": [10.0]}
    serving.served = []
    assert (await client.post("/invocations", sent)).status == 404


@pytest.mark.parametrize(
    ("sent", "kind", "status", "told"),
    [
        ({}, "application/json", 400, "found none of them"),
        ({"instances": [[1]], "inputs": [[1]]}, "application/json", 400, "instances and inputs"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, "application/json", 400, "Row 1: expected 1"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "application/json", 400, "given twice"),
        ({"dataframe_split": {"columns": ["a"], "data": []}}, "application/json", 400, "no rows"),
        ({"dataframe_split": {"columns": ["a"]}}, "application/json", 400, "data"),
        ({"dataframe_records": []}, "application/json", 400, "no rows"),
        ({"dataframe_records": [{"a": 1}, {"b": 1}]}, "application/json", 400, "expected columns a"),
        ({"instances": [[1, 2, 3]], "params": {"x": 1}}, "application/json", 400, "takes no params"),
        ({"instances": [[1, 2]]}, "application/json", 400, "Expected 3 columns, found 2"),
        ("a,b\n1\n", "text/csv", 400, "Row 0: expected 2 values"),
        ("a,b\n", "text/csv", 400, "at least one row"),
        (b"a\n\xff\n", "text/csv", 400, "no CSV"),
        ("x", "text/plain", 415, "text/plain"),
    ],
)
async def test_what_does_not_fit(client: Asking, sent: Any, kind: str, status: int, told: str) -> None:
    found = await client.post(CHURN, sent, {"Content-Type": kind})
    assert (found.status, told in found.json["error"]) == (status, True), found.body


async def test_health_and_version(client: Asking) -> None:
    assert [(await client.get(path)).status for path in ("/ping", "/health", "/version")] == [200, 200, 200]
    assert churn().ready


async def test_csv_without_its_header_is_told_which_one_to_send(client: Asking) -> None:
    found = await client.post(CHURN, b"a,b\n1,2\n", {"Content-Type": "application/x-www-form-urlencoded"})
    assert (found.status, "text/csv" in found.json["hint"]) == (400, True)
