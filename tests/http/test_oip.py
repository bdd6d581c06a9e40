"""The Open Inference Protocol: what real clients send, what they are answered."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from console.records import InferAnswer, ServedState, Tensor
from tests.http.asking import Asking
from tests.http.standin import CLASSES, NAMES, Standin, churn, engine_of

CHURN = "/v2/models/churn/lr"


@pytest.fixture
def serving() -> Standin:
    return Standin()


@pytest.fixture
def client(serving: Standin) -> Asking:
    return Asking(engine_of(serving))


def tensor(data: Any, shape: list[int], datatype: str = "FP64", name: str = "x") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


ROW = {"inputs": [tensor([10.0, 20.0, 30.0], [1, 3])]}


@pytest.mark.parametrize(
    ("target", "status", "answer"),
    [
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"ready": True}),
        (f"{CHURN}/ready", 200, {"name": "churn/lr", "ready": True}),
        ("/v2/models/churn%2Flr/versions/2/ready", 200, {"name": "churn/lr", "ready": True}),
        (f"{CHURN}/versions/1/ready", 503, {"name": "churn/lr", "ready": False, "reason": "it was replaced"}),
        ("/v2/models/<b>broken</b>/ready", 503, {"name": "<b>broken</b>", "ready": False, "reason": "names os.system"}),
    ],
)
async def test_health_is_told_by_status_and_json(client: Asking, target: str, status: int, answer: Any) -> None:
    found = await client.get(target)
    assert (found.status, found.json) == (status, answer)


async def test_not_ready_while_what_is_served_from_the_start_loads(serving: Standin, client: Asking) -> None:
    serving.served = [churn(ServedState.LOADING)]
    found = await client.get("/v2/health/ready")
    assert (found.status, found.json["ready"]) == (503, False)


async def test_the_server_tells_its_extensions(client: Asking) -> None:
    found = (await client.get("/v2")).json
    assert found["name"] == "model-console"
    assert {"binary_tensor_data", "model_repository", "statistics"} <= set(found["extensions"])


async def test_metadata_comes_from_inspection(client: Asking) -> None:
    found = (await client.get(CHURN)).json
    (given,), outputs = found["inputs"], found["outputs"]
    assert (found["name"], found["platform"], found["versions"]) == ("churn/lr", "sklearn_joblib", ["1", "2"])
    assert (given["datatype"], given["shape"], json.loads(given["parameters"]["columns"])) == (
        "FP64",
        [-1, 3],
        [*NAMES],
    )
    assert [output["name"] for output in outputs] == ["predict", "predict_proba"]
    assert json.loads(outputs[1]["parameters"]["classes"]) == [*CLASSES]
    assert (await client.get("/v2/models/sum")).json["platform"] == "onnx"


@pytest.mark.parametrize(
    "target", ["/v2/models/none", f"{CHURN}/versions/9", f"{CHURN}/versions/9/ready", f"{CHURN}/versions/9/stats"]
)
async def test_unknown_names_and_versions_are_404(client: Asking, target: str) -> None:
    found = await client.get(target)
    assert found.status == 404
    assert isinstance(found.json["error"], str)


@pytest.mark.parametrize("body", [b"", b"{}", b" ", b'{"ready":false}'])
async def test_the_index_has_reasons(client: Asking, body: bytes) -> None:
    found = (await client.post("/v2/repository/index", body)).json
    assert {"name": "<b>broken</b>", "version": "1", "state": "UNAVAILABLE", "reason": "names os.system"} in found
    assert {"name": "churn/lr", "version": "2", "state": "READY", "reason": ""} in found


async def test_a_reason_with_a_file_name_that_is_no_utf8_keeps_nobody_from_the_index(
    serving: Standin, client: Asking
) -> None:
    reason = f"cannot read {os.fsdecode(b'caf' + bytes([0xE9]))}"
    serving.served = [churn(), replace(churn(), name="cafe", ready=False, versions=(), reason=reason)]
    found = await client.post("/v2/repository/index", b"")
    assert (found.status, found.json[-1]["reason"]) == (200, "cannot read caf?")


async def test_the_index_of_what_is_ready(client: Asking) -> None:
    found = (await client.post("/v2/repository/index", b'{"ready":true}')).json
    assert [(entry["name"], entry["version"]) for entry in found] == [("churn/lr", "2"), ("sum", "1")]


async def test_load_and_unload(client: Asking) -> None:
    found = await client.post("/v2/repository/models/churn/lr/load", b"{}")
    assert (found.status, found.json["name"], found.json["load"]) == (200, "churn/lr", True)
    unload = "/v2/repository/models/churn/lr/unload"
    assert (await client.post(unload, {"parameters": {"unload_dependents": False}})).json["unload"] is True
    refused = await client.post("/v2/repository/models/churn/lr/load", {"parameters": {"config": "{}"}})
    assert (refused.status, "config" in refused.json["error"]) == (400, True)


async def test_statistics_have_the_protocols_shape(client: Asking) -> None:
    (found,) = (await client.get(f"{CHURN}/versions/2/stats")).json["model_stats"]
    assert (found["name"], found["inference_count"], found["execution_count"]) == ("churn/lr", 5, 3)
    assert found["inference_stats"]["success"] == {"count": 3, "ns": 9_000_000}
    assert set(found["inference_stats"]) == {
        *("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
    }
    assert found["batch_stats"][0]["batch_size"] == 1
    assert (await client.get("/v2/models/stats")).json["model_stats"] == [found]


async def test_one_row_of_numbers(serving: Standin, client: Asking) -> None:
    found = (await client.post(f"{CHURN}/infer", {**ROW, "id": "mine"})).json
    assert (found["model_name"], found["model_version"], found["id"]) == ("churn/lr", "2", "mine")
    (output,) = found["outputs"]
    assert (output["name"], output["datatype"], output["shape"], output["data"]) == (
        "predict",
        "BYTES",
        [1],
        ["leaves"],
    )
    (asked,) = serving.asked
    assert (asked.tensors, asked.body) == ((Tensor("x", "FP64", (1, 3)),), struct.pack("<3d", 10, 20, 30))
    assert (asked.id, asked.methods) == ("mine", ())


async def test_outputs_are_methods(serving: Standin, client: Asking) -> None:
    outputs = [{"name": "predict_proba"}, {"name": "predict"}]
    found = (await client.post(f"{CHURN}/versions/2/infer", {**ROW, "outputs": outputs})).json
    by_name = {output["name"]: output for output in found["outputs"]}
    assert by_name["predict_proba"]["data"] == [0.4, 0.6]
    assert json.loads(by_name["predict_proba"]["parameters"]["classes"]) == [*CLASSES]
    assert (serving.asked[0].methods, serving.asked[0].version) == (("predict_proba", "predict"), "2")
    refused = await client.post(f"{CHURN}/infer", {**ROW, "outputs": [{"name": "transform"}]})
    assert (refused.status, "transform" in refused.json["error"]) == (400, True)


async def test_several_inputs_are_columns(serving: Standin, client: Asking) -> None:
    inputs = [
        tensor([1, 2], [2, 1], "INT64", "age"),
        tensor([1.5, None], [2], "FP64", "income"),
        tensor(["7", None], [2], "BYTES", "visits"),
    ]
    assert (await client.post(f"{CHURN}/infer", {"inputs": inputs, "parameters": {"content_type": "pd"}})).status == 200
    assert serving.asked[0].columns == NAMES
    assert serving.asked[0].rows == ([1, 1.5, "7"], [2, None, None])


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([], "no inputs"),
        ([tensor([1], [1]), tensor([1, 2], [1, 2])], "is a column"),
        ([tensor([1], [1]), tensor([1, 2], [2], name="y")], "is a column"),
        ([tensor([1], [1]), tensor([1], [1])], "given twice"),
        ([tensor([1], [1]), tensor(["Infinity"], [1], name="y")], "infinite"),
        ([{"name": "x", "shape": [1], "datatype": "FP64"}], "neither data nor binary_data_size"),
        ([{**tensor([1], [1]), "parameters": {"binary_data_size": 8}}], "both data and binary_data_size"),
        ([{**tensor([1], [1]), "parameters": {"shared_memory_region": "r"}}], "Shared memory"),
        ([tensor([1, 2], [1, 2])], "Expected 3 columns, found 2"),
        ([{"name": "x"}], "shape"),
        (None, "inputs"),
    ],
)
async def test_what_does_not_fit_is_400(client: Asking, inputs: Any, told: str) -> None:
    found = await client.post(f"{CHURN}/infer", {"inputs": inputs})
    assert (found.status, told in found.json["error"]) == (400, True), found.body


async def test_texts_of_one_input_are_rows(serving: Standin, client: Asking) -> None:
    serving.answers = InferAnswer("sum", "1", values={"predict": ["spam"]}, rows=1)
    sent = {"inputs": [tensor(["a", "b"], [2, 1], "BYTES")]}
    await client.post(f"{CHURN}/infer", sent)
    await client.post("/v2/models/sum/infer", sent)
    given = {**tensor(["YQ=="], [1], "BYTES"), "parameters": {"content_type": "base64"}}
    await client.post("/v2/models/sum/infer", {"inputs": [given]})
    await client.post("/v2/models/sum/infer", {"inputs": [tensor(["a", "b"], [1, 2], "BYTES")]})
    assert [asked.rows for asked in serving.asked] == [(["a"], ["b"]), ("a", "b"), ("a",), (["a", "b"],)]


async def test_what_json_cannot_say_is_spelled(serving: Standin, client: Asking) -> None:
    body = np.array([np.nan, np.inf, -np.inf, 0.5]).tobytes()
    serving.answers = InferAnswer("churn/lr", "2", (Tensor("predict", "FP64", (4,)),), body, rows=4)
    found = await client.post(f"{CHURN}/infer", ROW)
    (output,) = msgspec.json.decode(found.body)["outputs"]
    assert output["data"] == ["NaN", "Infinity", "-Infinity", 0.5]


async def test_what_is_no_text_is_json_in_texts(serving: Standin, client: Asking) -> None:
    serving.answers = InferAnswer("churn/lr", "2", values={"predict": [["a"], None]}, rows=2)
    (output,) = (await client.post(f"{CHURN}/infer", ROW)).json["outputs"]
    assert (output["data"], output["parameters"]) == (['["a"]', "null"], {"content_type": "json"})


async def test_tritons_client_in_binary(serving: Standin, client: Asking) -> None:
    """The bytes that `tritonclient` sends: no content type, a head of 135 bytes, all outputs in binary."""
    head = (
        b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],'
        b'"parameters":{"binary_data_output":true}}'
    )
    assert len(head) == 135
    sent = {"Inference-Header-Content-Length": "135"}
    found = await client.post("/v2/models/sum/infer", head + struct.pack("<4f", 1, 2, 3, 4), sent)
    length = int(found.headers["Inference-Header-Content-Length"])
    (output,) = json.loads(found.body[:length])["outputs"]
    assert (found.content_type, output["parameters"]) == ("application/octet-stream", {"binary_data_size": 8})
    assert struct.unpack("<d", found.body[length:]) == (10.0,)
    assert "data" not in output


async def test_tritons_client_in_json_of_one_version(client: Asking) -> None:
    sent = (
        b'{"id":"r1","inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1.0,2.0,3.0,4.0]}],'
        b'"outputs":[{"name":"predict","parameters":{"binary_data":false}}]}'
    )
    found = (await client.post("/v2/models/sum/versions/1/infer", sent)).json
    assert (found["id"], found["outputs"][0]["data"]) == ("r1", [10.0])


async def test_kserves_client(client: Asking) -> None:
    """It writes the model's name into the body, and its headers in lower case."""
    head = json.dumps(
        {
            "id": "k",
            "model_name": "sum",
            "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "parameters": {"binary_data_size": 32}}],
        }
    ).encode()
    sent = {"inference-header-content-length": str(len(head))}
    found = (await client.post("/v2/models/sum/infer", head + struct.pack("<4d", 1, 2, 3, 4), sent)).json
    assert found["outputs"][0]["data"] == [10.0]


async def test_each_output_is_in_json_or_binary_as_it_was_asked(client: Asking) -> None:
    outputs = [{"name": "predict_proba"}, {"name": "predict", "parameters": {"binary_data": True}}]
    found = await client.post(f"{CHURN}/infer", {**ROW, "outputs": outputs})
    length = int(found.headers["Inference-Header-Content-Length"])
    scores, labels = json.loads(found.body[:length])["outputs"]
    assert scores["data"] == [0.4, 0.6]
    assert (labels["parameters"], found.body[length:]) == ({"binary_data_size": 10}, b"\6\0\0\0leaves")


async def test_a_body_that_is_one_tensor_and_nothing_else(serving: Standin, client: Asking) -> None:
    rows = struct.pack("<8d", *range(8))
    found = await client.post("/v2/models/sum/infer", rows, {"Inference-Header-Content-Length": "0"})
    length = int(found.headers["Inference-Header-Content-Length"])
    assert struct.unpack("<2d", found.body[length:]) == (6.0, 22.0)
    assert serving.asked[0].tensors == (Tensor("inputs", "FP64", (2, 4)),)
    refused = await client.post("/v2/models/sum/infer", rows[:-1], {"Inference-Header-Content-Length": "0"})
    assert (refused.status, "63 bytes" in refused.json["error"]) == (400, True)


async def test_how_long_a_client_waits_and_its_id(serving: Standin, client: Asking) -> None:
    await client.post(f"{CHURN}/infer", {**ROW, "parameters": {"timeout": 2_500_000}})
    assert (serving.asked[0].deadline_ms, serving.asked[0].id) == (2500.0, "r-1")
    assert (await client.post(f"{CHURN}/infer", {**ROW, "id": "x" * 300})).status == 400


async def test_not_ready_is_503_with_the_reason(client: Asking) -> None:
    found = await client.post("/v2/models/<b>broken</b>/infer", ROW)
    assert (found.status, "names os.system" in found.json["error"]) == (503, True)
    assert found.headers["Retry-After"] == "1"
