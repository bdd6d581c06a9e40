"""ONNX files: read like onnx itself reads them, and hostile ones told from whole ones without running anything."""

from __future__ import annotations

import copy
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.core.errors import Damaged
from backends.core.inspection import Inspection
from backends.core.source import MemorySource, Source
from backends.formats.onnx import FORMATS
from backends.formats.onnx.inspecting import inspect
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.backends.protobuf import field, graph, model, node, number, tensor, text, varint

onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")
FLOAT, INT64 = 1, 7
VALUE = field(9, bytes(8))


def read(data: bytes) -> Inspection:
    return inspect(MemorySource(data))


def verdict(data: bytes) -> Verdict | None:
    return judge(read(data), Policy()).verdict


def codes(data: bytes) -> set[str]:
    return {found.code for found in read(data).findings}


def network() -> Any:
    """A model with all that graphs hold: initialisers of each kind, constants, subgraphs, a function, metadata."""
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=helper.make_tensor("c", FLOAT, [2], [1, 2]))],
        "branch",
        [],
        [helper.make_tensor_value_info("b", FLOAT, [2])],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Twice", ["h"], ["d"], domain="own"),
        helper.make_node("If", ["flag"], ["i"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["d", "i"], ["y"]),
    ]
    tensors = [
        onnx.numpy_helper.from_array(np.zeros((3, 2), "f4"), "w"),
        helper.make_tensor("listed", FLOAT, [3], [1, 2, 3]),
        helper.make_tensor("whole", INT64, [3], [1, -2, 3]),
        helper.make_tensor("half", onnx.TensorProto.FLOAT16, [3], [1, 2, 3]),
        helper.make_tensor("small", onnx.TensorProto.INT4, [5], [1, 2, 3, 4, 5]),
        helper.make_tensor("words", onnx.TensorProto.STRING, [2], ["a", "bc" * 40]),
        helper.make_tensor("flag", onnx.TensorProto.BOOL, [1], [True]),
    ]
    inputs = [helper.make_tensor_value_info("x", FLOAT, ["batch", 3])]
    outputs = [helper.make_tensor_value_info("y", FLOAT, [None, 2])]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], opsets[:1])
    whole = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    made = helper.make_model(whole, functions=[twice], opset_imports=opsets, producer_name="tests", ir_version=10)
    helper.set_model_props(made, {"task": "none", "long": "é" * 3000})
    return made


@lru_cache(maxsize=1)
def forest() -> Any:
    """A forest that skl2onnx exported, whose trees stand in long lists of attributes."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_wine
    from sklearn.ensemble import RandomForestClassifier

    X, y = load_wine(return_X_y=True)
    fitted = RandomForestClassifier(20, random_state=0).fit(X, np.array(["red", "white", "rosé"])[y])
    return skl2onnx.to_onnx(fitted, X[:1].astype("f4"))


MODELS: dict[str, Callable[[], Any]] = {"network": network, "forest": forest}


def nodes_of(graph: Any) -> list[Any]:
    """The nodes of a graph and of those inside of it, as onnx itself reads them."""
    found = []
    for one in graph.node:
        inner = [sub for attribute in one.attribute for sub in (*attribute.graphs, attribute.g) if sub.node]
        found += [one, *(nested for sub in inner for nested in nodes_of(sub))]
    return found


def check_like_onnx(data: bytes) -> None:
    """Every fact that is told is what onnx itself reads."""
    told, found = onnx.load_from_string(data), read(data)
    details: Any = found.details
    assert found.complete
    assert details["ir_version"] == told.ir_version
    assert details["opsets"] == {one.domain or "ai.onnx": one.version for one in told.opset_import}
    nodes = [*nodes_of(told.graph), *(one for function in told.functions for one in function.node)]
    domains = {"", "ai.onnx"}
    counted = Counter(one.op_type if one.domain in domains else f"{one.domain}.{one.op_type}" for one in nodes)
    assert Counter(details["operators"]) == counted
    initialised = {one.name for one in told.graph.initializer}
    inputs = [one for one in told.graph.input if one.name not in initialised]
    assert [one["name"] for one in details["inputs"]] == [one.name for one in inputs]
    for one, value in zip([*details["inputs"], *details["outputs"]], [*inputs, *told.graph.output], strict=True):
        if value.type.HasField("tensor_type"):
            dims = value.type.tensor_type.shape.dim
            assert one["shape"] == [getattr(dim, dim.WhichOneof("value") or "", None) for dim in dims]
            assert one["type"] == dtype_of(value.type.tensor_type.elem_type)
    arrays = {one.name: (one.shape, one.dtype) for one in found.arrays}
    for one in told.graph.initializer:
        assert arrays[one.name] == (tuple(one.dims), dtype_of(one.data_type))
    shown = {one.key: one.value for one in told.metadata_props}
    assert details.get("metadata", {}).keys() == shown.keys()
    assert all(shown[key].startswith(text.removesuffix("…")) for key, text in details.get("metadata", {}).items())


def dtype_of(number: int) -> str:
    named: dict[str, int] = dict(onnx.TensorProto.DataType.items())
    name = next(name for name, each in named.items() if each == number)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


@pytest.mark.parametrize("name", MODELS)
def test_what_is_told_is_what_onnx_reads(name: str) -> None:
    check_like_onnx(MODELS[name]().SerializeToString())


def test_a_network_is_told_whole() -> None:
    found = read(network().SerializeToString())
    details: Any = found.details
    assert found.model_class == "onnx.Graph"
    assert found.summary.startswith("ONNX · ")
    assert (found.signature.n_features, found.loadable, found.findings) == (3, True, ())
    assert details["functions"] == ["own.Twice"]
    assert details["subgraphs"] == 2
    assert details["producer"] == "tests"
    assert {one.name: one.bytes for one in found.arrays} | {"b": 8} == {
        "w": 24,
        "listed": 12,
        "whole": 24,
        "half": 6,
        "small": 3,
        "words": 0,
        "flag": 1,
        "b": 8,
    }
    assert found.n_weights == 6 + 3 + 3 + 3 + 5 + 2 + 1 + 2 * 2


def test_a_forest_tells_its_classes() -> None:
    found = read(forest().SerializeToString())
    assert found.model_class == "onnx.TreeEnsembleClassifier"
    assert (found.signature.n_features, found.signature.classes) == (13, ("red", "rosé", "white"))
    assert verdict(forest().SerializeToString()) is Verdict.SAFE


def test_weights_are_skipped_and_not_read(tmp_path: Path) -> None:
    size = 1 << 30
    path = tmp_path / "large.onnx"
    values = varint(9 << 3 | 2) + varint(size)
    head = tensor(size // 4, rest=values)
    inner = text(2, "g") + varint(5 << 3 | 2) + varint(len(head) + size) + head
    opset = field(8, number(2, 17))
    with path.open("wb") as file:
        file.write(number(1, 8) + varint(7 << 3 | 2) + varint(len(inner) + size) + inner)
        file.seek(size, os.SEEK_CUR)
        file.write(opset)
    with path.open("rb") as file:
        source = Source(file.fileno(), path.name)
        found = inspect(source)
    assert (found.n_weights, found.complete) == (size // 4, True)
    assert source.bytes_read < 1 << 16


def test_nothing_heavy_is_imported_while_inspecting(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(network().SerializeToString())
    code = (
        "import sys; from backends.formats.onnx.model import inspect; from backends.core.source import Source;"
        "file = open(sys.argv[1], 'rb'); inspect(Source(file.fileno()));"
        "print([name for name in ('onnxruntime', 'onnx', 'numpy', 'google.protobuf') if name in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code, str(path)), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# hostile and broken files


def outside(**entries: str) -> bytes:
    """A tensor of two numbers whose values lie in another file."""
    told = b"".join(field(13, text(1, name) + text(2, value)) for name, value in entries.items())
    return model(graph(tensors=(tensor(2, rest=told + number(14, 1)),)))


def function(name: str, *calls: str) -> bytes:
    return field(25, text(1, name) + text(10, "own") + b"".join(field(7, node(call, "own")) for call in calls))


def nested(depth: int) -> bytes:
    """A graph inside an attribute inside a node, so often."""
    inner = graph(node("Add"))
    for _ in range(depth):
        inner = graph(node("If", "", text(1, "then_branch") + field(6, inner)))
    return model(inner)


FOUND = {
    "dims whose product is 2^60": (model(graph(tensors=(tensor(1 << 30, 1 << 30, rest=VALUE),))), "array-size"),
    "dims that overflow 64 bits": (model(graph(tensors=(tensor(1 << 62, 4, rest=VALUE),))), "array-size"),
    "a negative side": (model(graph(tensors=(tensor(-1, 4, rest=VALUE),))), "malformed"),
    "more bytes than the shape": (model(graph(tensors=(tensor(1, rest=VALUE),))), "malformed"),
    "no values": (model(graph(tensors=(tensor(2),))), "array-size"),
    "values twice": (model(graph(tensors=(tensor(2, rest=VALUE + field(4, bytes(8))),))), "malformed"),
    "packed numbers too few": (model(graph(tensors=(tensor(3, dtype=7, rest=field(7, bytes(2))),))), "array-size"),
    "an unknown element type": (model(graph(tensors=(tensor(2, dtype=99, rest=VALUE),))), "malformed"),
    "a text type with raw bytes": (model(graph(tensors=(tensor(8, dtype=8, rest=VALUE),))), "malformed"),
    "weights by an absolute path": (outside(location="/etc/passwd"), "onnx-external-path"),
    "weights above": (outside(location="../weights.bin"), "onnx-external-path"),
    "weights above and below": (outside(location="a/../../b"), "onnx-external-path"),
    "weights by a path of Windows": (outside(location="C:\\weights"), "onnx-external-path"),
    "weights at an address": (outside(location="*/_ORT_MEM_ADDR_/*", offset="140000000"), "onnx-external-path"),
    "weights nowhere": (outside(), "onnx-external-path"),
    "weights of another length": (outside(location="w.bin", length="9"), "malformed"),
    "weights at a negative offset": (outside(location="w.bin", offset="-1"), "malformed"),
    "weights beside": (outside(location="w.bin", offset="0", length="8"), "onnx-external-data"),
    "a custom operator": (model(graph(node("Evil", "ai.evil")), opsets=("", "ai.evil")), "onnx-custom-operator"),
    "an operator of Python": (
        model(graph(node("PythonOp", "com.microsoft")), opsets=("com.microsoft",)),
        "onnx-custom-operator",
    ),
    "an unknown field": (model(graph(node("Add")), number(99, 1)), "onnx-unknown-field"),
    "a function that calls itself": (
        model(graph(node("f", "own")), function("f", "f"), opsets=("", "own")),
        "exponential",
    ),
    "functions that double": (
        model(
            graph(node("f0", "own")),
            *(function(f"f{number}", f"f{number + 1}", f"f{number + 1}") for number in range(60)),
            opsets=("", "own"),
        ),
        "exponential",
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_is_odd_is_found_and_never_safe(what: str) -> None:
    data, code = FOUND[what]
    assert code in codes(data)
    assert verdict(data) is not Verdict.SAFE


def test_what_is_found_is_judged_by_what_it_can_do() -> None:
    assert verdict(model(graph(node("Add")))) is Verdict.SAFE
    assert verdict(FOUND["a custom operator"][0]) is Verdict.REVIEW
    assert verdict(FOUND["weights beside"][0]) is Verdict.REVIEW
    assert not read(FOUND["weights beside"][0]).loadable
    assert verdict(FOUND["weights above"][0]) is Verdict.BLOCKED
    assert verdict(FOUND["dims whose product is 2^60"][0]) is Verdict.BLOCKED
    assert verdict(FOUND["a negative side"][0]) is Verdict.DAMAGED


def test_a_function_of_the_file_is_no_custom_operator() -> None:
    assert read(model(graph(node("f", "own")), function("f"), opsets=("", "own"))).findings == ()


BROKEN = {
    "no graph": number(1, 8) + text(2, "by hand"),
    "no operator sets": number(1, 8) + field(7, graph(node("Add"))),
    "no version of a domain": model(graph(node("Scaler", "ai.onnx.ml"))),
    "a second graph": model(graph(node("Add")), field(7, graph(node("Sub")))),
    "a length of 2^63": number(1, 8) + varint(7 << 3 | 2) + varint(1 << 63),
    "a length beyond the message": model(field(1, b"\x0a\x7f")),
    "a number that never ends": number(1, 8) + b"\x3a" + b"\xff" * 20,
    "a number that is cut off": model(graph(node("Add"))) + b"\x08\xff",
    "a group": model(graph(node("Add"))) + b"\x0b\x0c",
    "field zero": model(graph(node("Add"))) + b"\0\0",
    "packed numbers that do not fit": model(graph(tensors=(tensor(2, rest=field(4, bytes(7))),))),
    "ten thousand levels": nested(10_000),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_damaged(what: str) -> None:
    with pytest.raises(Damaged):
        read(BROKEN[what])


def test_nesting_that_writers_produce_is_read() -> None:
    assert read(nested(25)).complete


def test_a_file_beyond_two_gibibytes_is_damaged() -> None:
    source = MemorySource(model(graph(node("Add"))))
    source.size = 1 << 31
    with pytest.raises(Damaged, match="2 GiB"):
        inspect(source)


def test_a_flood_of_fields_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.core.protobuf._BUDGET", 10_000)
    with pytest.raises(Damaged, match="more than 10,000 fields"):
        read(model(graph(*[node("Add")] * 3_000)))


@pytest.mark.parametrize("name", MODELS)
def test_every_truncation_is_damaged(name: str) -> None:
    """Metadata stands last, and may as well be missing."""
    made = copy.deepcopy(MODELS[name]())
    del made.metadata_props[:], made.functions[:]
    data = made.SerializeToString()
    step = max(1, len(data) // 500)
    for end in (*range(0, len(data) - 40, step), *range(max(0, len(data) - 40), len(data))):
        with pytest.raises(Damaged):
            read(data[:end])


def test_a_cut_before_a_function_leaves_its_operator_to_be_reviewed() -> None:
    made = network()
    del made.functions[:]
    assert verdict(made.SerializeToString()) is Verdict.REVIEW


@pytest.mark.parametrize("name", MODELS)
def test_a_mutation_that_is_complete_is_one_that_onnx_reads(name: str) -> None:
    rng = random.Random(name)
    data = MODELS[name]().SerializeToString()
    outcomes: Counter[str] = Counter()
    for _ in range(500):
        mutated = bytearray(data)
        for _ in range(rng.choice((1, 1, 4))):
            mutated[rng.randrange(len(mutated))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            found = read(bytes(mutated))
        except Damaged:
            outcomes["damaged"] += 1
            continue
        outcomes["complete" if found.complete else "found"] += 1
        if found.complete:
            onnx.load_from_string(bytes(mutated))
    assert outcomes["damaged"]
    assert outcomes["complete"]


NOT_ONNX = {
    "a TensorFlow SavedModel": number(1, 1) + field(2, field(1, b"\x0a\0\x12\x04serve")),
    "a tensor of ONNX's own tests": tensor(1, 2, name="input_0", rest=VALUE),
    "text": b"\x08\x09 a text",
    "nothing": b"",
    "a version alone": number(1, 8),
    "a pickle": b"\x80\x04\x95\x08\0\0\0\0\0\0\0",
    "a version of zero": number(1, 0) + text(2, "pytorch") + field(7, graph()),
}


@pytest.mark.parametrize("what", NOT_ONNX)
def test_what_is_not_onnx_is_not_taken_for_it(what: str) -> None:
    assert not FORMATS[0].may_be(NOT_ONNX[what])


@pytest.mark.parametrize("name", MODELS)
def test_first_bytes_tell_a_model(name: str) -> None:
    data = MODELS[name]().SerializeToString()
    assert FORMATS[0].may_be(data[:4096])
    assert all(FORMATS[0].may_be(data[:end]) for end in range(24, 60))


def test_a_model_without_a_producer_is_told_by_its_graph() -> None:
    assert FORMATS[0].may_be(number(1, 8) + text(2, "") + field(7, graph(node("Add"))))
    assert FORMATS[0].may_be(number(1, 3) + field(8, number(2, 9)) + field(7, graph(node("Add"))))


def test_the_models_that_onnx_ships_are_read_like_onnx_reads_them() -> None:
    paths = sorted(Path(onnx.__file__).parent.glob("backend/test/data/**/*.onnx"))
    assert len(paths) > 100
    for path in paths:
        data = path.read_bytes()
        assert FORMATS[0].may_be(data[:4096]), path
        check_like_onnx(data)


@pytest.mark.real
def test_the_models_of_others_are_read_like_onnx_reads_them() -> None:
    root = os.environ.get("MODEL_CONSOLE_REAL_ARTIFACTS")
    paths = sorted(Path(root).rglob("*.onnx")) if root else []
    if not paths:
        pytest.skip("MODEL_CONSOLE_REAL_ARTIFACTS names no directory with ONNX models")
    for path in paths:
        data = path.read_bytes()
        assert FORMATS[0].may_be(data[:4096]), path
        assert verdict(data) is Verdict.SAFE, path
        check_like_onnx(data)
