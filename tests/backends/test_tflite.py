"""TensorFlow Lite models: inspected from their tables, checked before the runtime follows them, run by it."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.inspection import Inspection
from backends.core.source import MemorySource
from console.records import Verdict
from tests.inspecting import inspect_file, judged
from tests.tflite_files import (
    ADD,
    BIAS,
    CUSTOM,
    KERNEL,
    T,
    code,
    convolution,
    dense,
    ints,
    operator,
    packed,
    subgraph,
    tensor,
)

REAL = "MODEL_CONSOLE_REAL_ARTIFACTS"
PICKLE = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


def facts(made: T | bytes) -> Inspection:
    return registry.inspect(MemorySource(made if isinstance(made, bytes) else packed(made), "m.tflite"))


def loaded(made: T | bytes) -> Any:
    return registry.load(MemorySource(made if isinstance(made, bytes) else packed(made)), "tflite").model


def test_a_model_tells_what_it_is_made_of() -> None:
    found = facts(dense())
    assert (found.format, found.complete, found.findings) == ("tflite", True, ())
    assert found.summary == "TFLite · 1 operator · 8"
    assert (found.details["schema"], found.details["runtime"]) == (3, "1.5.0 or newer")
    assert [(one.name, one.dtype, one.shape) for one in found.signature.takes] == [("x", "float32", (None, 3))]
    assert [(one.name, one.dtype, one.shape) for one in found.signature.gives] == [("y", "float32", (None, 2))]
    assert (found.signature.n_features, found.n_weights) == (3, 8)
    assert [(one.name, one.shape, one.bytes) for one in found.arrays] == [("kernel", (2, 3), 24), ("bias", (2,), 8)]
    assert found.details["operators"] == {"FULLY_CONNECTED": 1}
    assert found.details["signatures"] == ["serving_default"]


def test_it_answers_rows_and_tensors() -> None:
    rows = np.arange(15, dtype="f4").reshape(5, 3)
    model = loaded(dense())
    expected = rows @ KERNEL.T + BIAS
    assert np.array_equal(model.call("predict", rows), expected)
    assert np.array_equal(model.run({"x": rows})["y"], expected)
    assert np.array_equal(model.run({"x": rows[:1]})["y"], expected[:1])
    with pytest.raises(ValueError, match=r"takes float32 \[\?, 3\], and this is float32 \[2, 4\]"):
        model.run({"x": np.zeros((2, 4), "f4")})
    with pytest.raises(ValueError, match="is missing"):
        model.run({})


def test_a_convolution_answers_as_the_runtime_itself() -> None:
    from ai_edge_litert.interpreter import Interpreter

    image = np.random.default_rng(1).random((1, 4, 4, 1), "f4")
    own = Interpreter(model_content=packed(convolution()), num_threads=1)
    own.allocate_tensors()
    own.set_tensor(own.get_input_details()[0]["index"], image)
    own.invoke()
    model = loaded(convolution())
    assert np.array_equal(model.run({"in": image})["out"], own.get_tensor(own.get_output_details()[0]["index"]))
    assert model.call("predict", image.reshape(1, 16)).shape == (1, 3, 3, 1)


def test_numbers_that_stand_for_others_and_variables_are_named() -> None:
    scaled = T({2: np.array([0.5], "<f4"), 3: np.array([-3], "<i8")})
    tensors = [tensor("in", (1, 3), kind=9, quantization=scaled), tensor("state", (1, 3), kind=9, variable=1),
               tensor("out", (1, 3), kind=9)]  # fmt: skip
    graph = subgraph(tensors, (0,), (2,), [operator(0, (0, 1), (2,))])
    found = facts(T({0: ("I", 3), 1: [code(ADD)], 2: [graph], 4: [T()]}))
    assert found.details["quantisation"] == {"in": "(value - -3) x 0.5"}
    assert found.details["keeps between calls"] == ["state"]


FAULTS: dict[str, tuple[T, str]] = {
    "a tensor that is not there": (dense(inputs=(0, 9, 2)), "takes a tensor that is not there"),
    "a place before the tensors": (dense(inputs=(0, -7, 2)), "takes a tensor that is not there"),
    "an output that is not there": (dense(outputs=(99,)), "gives a tensor that is not there"),
    "a constant that is written to": (dense(outputs=(1,)), "writes to a constant"),
    "a tensor before it is computed": (dense(inputs=(3, 1, 2)), "takes a tensor before it is computed"),
    "a buffer that is too small": (dense(kernel=(200, 300)), "takes 240,000 bytes, and its buffer holds 24"),
    "a buffer that is not there": (dense(buffer=77), "is in buffer 77 of 4"),
    "a negative side": (dense(kernel=(-2, -3)), "has a negative side"),
    "a product beyond all memory": (dense(kernel=(1 << 30, 1 << 30), buffer=0), "would take"),
    "an operator that is not there": (dense(calls=[operator(5, (0,), ())]), "is of operator 5 of 1"),
    "a stride of zero": (convolution(stride=0), "has a stride of 0"),
    "a negative dilation": (convolution(dilation=-1), "has a dilation of -1"),
    "a filter without channels": (convolution(channels=0), "has weights without an element"),
    "a subgraph that calls itself": (
        dense(codes=[code(129)], calls=[operator(1, (), (), (103, T({0: ("i", 0)})))]),
        "a subgraph calls itself",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_runtime_would_follow_astray_is_never_given_to_it(name: str) -> None:
    made, words = FAULTS[name]
    found = facts(made)
    assert {one.code for one in found.findings} == {"tflite-structure"}
    assert words in " ".join(one.detail for one in found.findings)
    assert judged(packed(made), "m.tflite").verdict is Verdict.DAMAGED
    with pytest.raises(NotLoadable, match="the runtime is not asked to run it"):
        loaded(made)


def test_a_call_of_a_subgraph_that_is_not_there_is_damage() -> None:
    with pytest.raises(Damaged, match="calls subgraph 7 of 1"):
        facts(dense(codes=[code(129)], calls=[operator(1, (), (), (103, T({0: ("i", 7)})))]))


def test_an_operator_of_its_own_is_native_code() -> None:
    made = dense(code=code(CUSTOM, "EvilOp"))
    assert judged(packed(made), "m.tflite").verdict is Verdict.REVIEW
    assert [one.detail.split()[2] for one in facts(made).findings] == ["EvilOp"]
    with pytest.raises(NotLoadable, match="EvilOp is none of the runtime's"):
        loaded(made)
    assert judged(packed(dense(code=code(CUSTOM, "FlexWriteFile"))), "m.tflite").verdict is Verdict.BLOCKED


def test_files_that_come_with_it_are_told_and_looked_into() -> None:
    def archived(content: bytes) -> bytes:
        file = io.BytesIO(packed(dense()))
        with zipfile.ZipFile(file, "a") as out:
            out.writestr("labels.txt", content)
        return file.getvalue()

    found = facts(archived(b"cat\ndog\n"))
    assert (found.details["associated files"], found.findings) == (["labels.txt"], ())
    assert judged(archived(b"cat\ndog\n"), "m.tflite").verdict is Verdict.REVIEW or found.complete
    assert judged(archived(PICKLE), "m.tflite").verdict is Verdict.BLOCKED
    assert [one.code for one in facts(packed(dense()) + PICKLE * 3).findings] == ["trailing-bytes"]


@pytest.mark.parametrize("at", [0, 8, 12, 40, 100])
def test_an_offset_that_leads_out_is_damage(at: int) -> None:
    data = bytearray(packed(dense()))
    data[at : at + 4] = struct.pack("<I", 0x7FFFFFF0)
    try:
        found = facts(bytes(data))
    except Damaged:
        return
    assert found.findings or found.format == "tflite"


def test_as_many_tables_as_offsets_cost_no_more_than_a_budget() -> None:
    """A vector whose elements are all the same table."""
    data = bytearray(packed(T({0: ("I", 3), 2: [T({0: ints(), 1: ints()})]})))
    start = len(data)
    count = 2_000_000
    vtable = struct.pack("<4H", 8, 16, 0, 4)
    table = struct.pack("<i", 8) + struct.pack("<I", 0) + bytes(8)
    data += vtable + table + struct.pack("<I", count)
    at = np.arange(count, dtype="<i8") * 4 + len(data)
    data += ((start + 8 - at) & 0xFFFFFFFF).astype("<u4").tobytes()
    struct.pack_into("<I", data, start + 12, len(data) - 4 * count - 4 - start - 12)
    struct.pack_into("<I", data, 0, start + 8)
    with pytest.raises(Damaged):
        facts(bytes(data))


@pytest.mark.real
@pytest.mark.parametrize("name", ["sine_float", "emotion_model_quantized", "okay_nabu", "gru_model_edge", "vad"])
def test_files_of_the_wild_are_read_whole(name: str) -> None:
    root = os.environ.get(REAL)
    paths = list(Path(root).rglob(f"{name}.tflite")) if root else []
    if not paths:
        pytest.skip(f"{name}.tflite is not there")
    found = inspect_file(paths[0])
    assert (found.format, found.complete, found.findings) == ("tflite", True, ())
    assert found.details["schema"] == 3
    model = loaded(paths[0].read_bytes())
    width = found.signature.n_features or 0
    if name == "sine_float":
        x = np.linspace(0, 6, 50, dtype="f4").reshape(-1, 1)
        assert np.abs(model.call("predict", x) - np.sin(x[:, 0])).max() < 0.1
    assert len(model.call("predict", np.full((2, width), 0.25))) == 2
    kept = "keeps between calls" in found.details
    assert kept == (name in ("okay_nabu", "gru_model_edge"))
