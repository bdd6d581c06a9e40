"""A model of tensors in service: several inputs of any rank, by name, in JSON and as bytes, and what does not fit."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from console.engine.local import Engine
from tests.engine.serving import PATIENT, scanned
from tests.http.asking import Asking

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")
FLOAT, INT64, STRING = 1, 7, 8
IMAGE = np.arange(24, dtype="f4").reshape(4, 2, 3)
INFER = "/v2/models/pick/infer"
HEAD_LENGTH = "Inference-Header-Content-Length"


@pytest.fixture
def store(store: Path) -> Path:
    """The usual one with a graph of several inputs, and nothing that is late."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Gather", ["image", "at"], ["picked"], axis=0),
        helper.make_node("Identity", ["words"], ["same"]),
    ]
    takes = [value("image", FLOAT, ["n", 2, 3]), value("at", INT64, ["k"]), value("words", STRING, ["w", 2])]
    gives = [value("picked", FLOAT, ["k", 2, 3]), value("same", STRING, ["w", 2])]
    graph = helper.make_graph(nodes, "g", takes, gives)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (store / "pick.onnx").write_bytes(made.SerializeToString())
    flat = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", [value("x", FLOAT, ["n", 4])], [value("y", FLOAT, ["n", 4])]
    )
    made = helper.make_model(flat, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (store / "flat.onnx").write_bytes(made.SerializeToString())
    for name in ("pick", "flat"):
        (store / f"{name}.recipe.toml").write_text(PATIENT)
    return store


def tensor(name: str, datatype: str, shape: list[int], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def inputs(**changed: Any) -> dict[str, Any]:
    found = {
        "image": tensor("image", "FP32", [4, 2, 3], IMAGE.tolist()),
        "at": tensor("at", "INT64", [2], [3, 0]),
        "words": tensor("words", "BYTES", [1, 2], ["ä", "b"]),
    }
    return {"inputs": [one for one in {**found, **changed}.values() if one is not None]}


async def test_inputs_of_several_ranks_are_answered_in_every_protocol(engine: Engine) -> None:
    await scanned(engine)
    client = Asking(engine)
    found = (await client.post(INFER, inputs())).json["outputs"]
    assert [(one["name"], one["datatype"], one["shape"]) for one in found] == [
        ("picked", "FP32", [2, 2, 3]),
        ("same", "BYTES", [1, 2]),
    ]
    assert found[0]["data"] == IMAGE[[3, 0]].ravel().tolist()
    assert found[1]["data"] == ["ä", "b"]

    told = (await client.get("/v2/models/pick")).json
    assert [(one["name"], one["datatype"], one["shape"]) for one in told["inputs"]] == [
        ("image", "FP32", [-1, 2, 3]),
        ("at", "INT64", [-1]),
        ("words", "BYTES", [-1, 2]),
    ]
    assert [(one["name"], one["shape"]) for one in told["outputs"]] == [("picked", [-1, 2, 3]), ("same", [-1, 2])]

    by_name = {"inputs": {"image": IMAGE.tolist(), "at": [3, 0], "words": [["ä", "b"]]}}
    answer = (await client.post("/v1/models/pick:predict", by_name)).json["outputs"]
    assert answer == {"picked": IMAGE[[3, 0]].tolist(), "same": [["ä", "b"]]}
    answer = (await client.post("/models/pick/invocations", by_name)).json["predictions"]
    assert answer == IMAGE[[3, 0]].tolist()


async def test_bytes_go_in_and_only_the_wanted_output_comes_back(engine: Engine) -> None:
    await scanned(engine)
    words = b"".join(struct.pack("<I", len(one)) + one for one in ("ä".encode(), b"b"))
    parts = [IMAGE.tobytes(), np.array([1], "<i8").tobytes(), words]
    heads = [("image", "FP32", [4, 2, 3]), ("at", "INT64", [1]), ("words", "BYTES", [1, 2])]
    given = [
        {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": len(part)}}
        for (name, kind, shape), part in zip(heads, parts, strict=True)
    ]
    wanted = [{"name": "picked", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": given, "outputs": wanted}).encode()
    answer = await Asking(engine).post(INFER, head + b"".join(parts), {HEAD_LENGTH: str(len(head))})
    assert answer.status == 200, answer.body
    assert answer.body.endswith(IMAGE[[1]].tobytes())
    assert b"same" not in answer.body


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"image": tensor("image", "FP32", [4, 6], IMAGE.tolist())}, "nested as its shape"),
        (
            {"image": tensor("image", "FP32", [4, 6], IMAGE.ravel().tolist())},
            "takes float32 [?, 2, 3], and this is float32 [4, 6]",
        ),
        ({"at": tensor("at", "INT32", [2], [3, 0])}, "takes int64 [?], and this is int32 [2]"),
        ({"at": None}, "the input at is missing"),
        ({"more": tensor("more", "FP32", [1], [1.0])}, "the model has no input more; it takes image, at, words"),
    ],
)
async def test_what_does_not_fit_is_a_bad_request_that_tells_both_sides(
    engine: Engine, changed: dict[str, Any], words: str
) -> None:
    await scanned(engine)
    answer = await Asking(engine).post(INFER, inputs(**changed))
    assert (answer.status, words in answer.json["error"]) == (400, True), answer.body


async def test_numbers_of_json_become_of_the_inputs_dtype_and_bytes_do_not(engine: Engine) -> None:
    await scanned(engine)
    client = Asking(engine)
    image = tensor("image", "FP64", [4, 2, 3], IMAGE.tolist())
    assert (await client.post(INFER, inputs(image=image))).status == 200
    at = tensor("at", "FP64", [2], [3.0, 0.5])
    answer = await client.post(INFER, inputs(at=at))
    assert (answer.status, "takes int64 [?], and this is float64 [2]" in answer.json["error"]) == (400, True)


async def test_three_sides_given_to_a_model_of_two_are_refused(engine: Engine) -> None:
    await scanned(engine)
    client = Asking(engine)
    for name, wanted in (("flat", "takes float32 [?, 4], and this is float32 [1, 2, 4]"), ("a", "expected")):
        given = tensor("x", "FP32", [1, 2, 4], [0.0] * 8)
        answer = await client.post(f"/v2/models/{name}/infer", {"inputs": [given]})
        assert (answer.status, wanted in answer.json["error"]) == (400, True), answer.body
    several = [tensor("x", "FP64", [2], [0.0] * 2), tensor("y", "FP64", [3], [0.0] * 3)]
    answer = await client.post("/v2/models/a/infer", {"inputs": several})
    assert (answer.status, "'y' is FP64 of the shape [3]; expected that each is a column" in answer.json["error"]) == (
        400,
        True,
    )
    rows = tensor("x", "FP64", [2, 4], [1.0] * 8)
    answer = await client.post("/v2/models/flat/infer", {"inputs": [rows]})
    assert answer.json["outputs"][0]["data"] == [-1.0] * 8
