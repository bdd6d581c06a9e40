"""ONNX models asked with named tensors of any rank: signature, dtypes, shapes, sequences, the cases of onnx itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import NotLoadable
from backends.core.inspection import TensorSpec
from backends.core.source import MemorySource, Source
from tests.backends import onnx_cases

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")
FLOAT, INT64, STRING = 1, 7, 8
REAL = os.environ.get("MODEL_CONSOLE_REAL_ARTIFACTS")


def made(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Any:
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    opsets = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return registry.load(MemorySource(data), "onnx").model


def value(name: str, kind: int, shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def two_inputs() -> Any:
    nodes = [
        helper.make_node("Gather", ["image", "at"], ["picked"], axis=0),
        helper.make_node("ReduceSum", ["image"], ["sum"], keepdims=0),
    ]
    return made(
        nodes,
        [value("image", FLOAT, ["n", 2, 3]), value("at", INT64, ["k"])],
        [value("picked", FLOAT, ["k", 2, 3]), value("sum", FLOAT, [])],
    )


def test_what_it_takes_and_gives_is_told_by_name_dtype_and_shape() -> None:
    signature = two_inputs().signature
    assert signature.takes == (TensorSpec("image", "float32", (None, 2, 3)), TensorSpec("at", "int64", (None,)))
    assert signature.gives == (TensorSpec("picked", "float32", (None, 2, 3)), TensorSpec("sum", "float32", ()))


def test_tensors_of_several_ranks_and_dtypes_are_answered_by_name() -> None:
    image = np.arange(24, dtype="f4").reshape(4, 2, 3)
    found = two_inputs().run({"at": np.array([3, 0]), "image": image})
    assert list(found) == ["picked", "sum"]
    assert np.array_equal(found["picked"], image[[3, 0]])
    assert (found["sum"].shape, float(found["sum"])) == ((), float(image.sum()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((4, 6), "f4")}, r"image takes float32 \[\?, 2, 3\], and this is float32 \[4, 6\]"),
        ({"image": np.zeros((4, 2, 4), "f4")}, r"and this is float32 \[4, 2, 4\]"),
        ({"image": np.zeros((4, 2, 3))}, r"image takes float32 \[\?, 2, 3\], and this is float64 \[4, 2, 3\]"),
        ({"at": None}, "the input at is missing"),
        ({"other": np.zeros(1)}, "has no input other; it takes image, at"),
    ],
)
def test_what_does_not_fit_is_told_with_both_sides(change: dict[str, Any], words: str) -> None:
    given = {"image": np.zeros((4, 2, 3), "f4"), "at": np.array([0]), **change}
    with pytest.raises(ValueError, match=words):
        two_inputs().run({name: one for name, one in given.items() if one is not None})


def test_texts_go_in_and_come_out() -> None:
    model = made(
        [helper.make_node("Identity", ["words"], ["same"])],
        [value("words", STRING, [None, 2, 1])],
        [value("same", STRING, [None, 2, 1])],
    )
    words = np.array([[["ä"], ["b"]]], dtype=object)
    assert model.signature.takes == (TensorSpec("words", "str", (None, 2, 1)),)
    assert model.run({"words": words})["same"].tolist() == [[["ä"], ["b"]]]


def test_a_model_of_sequences_loads_and_takes_lists() -> None:
    sequence = helper.make_tensor_sequence_value_info("many", FLOAT, None)
    model = made([helper.make_node("SequenceLength", ["many"], ["count"])], [sequence], [value("count", INT64, [])])
    assert int(model.run({"many": [np.ones(2, "f4"), np.ones((1, 3), "f4")]})["count"]) == 2
    with pytest.raises(ValueError, match="cannot be given as rows of a table"):
        model.call("predict", np.ones((2, 2)))


@pytest.mark.slow
def test_it_passes_the_cases_that_the_runtime_by_itself_passes(tmp_path: Path) -> None:
    try:
        wheel = onnx_cases.fetched_wheel(tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip(f"{onnx_cases.RELEASE} cannot be downloaded here")
    found = onnx_cases.results(onnx_cases.unpacked(wheel, tmp_path))
    assert len(found) == 1428
    assert {name: pair for name, pair in found.items() if bool(pair[0]) != bool(pair[1])} == {}
    assert sum(not console for console, _runtime in found.values()) > 1200


def filled(spec: TensorSpec, side: int) -> Any:
    """Ones for one input; a side of any length has this one, but for the first."""
    shape = [one or (1 if place == 0 else side) for place, one in enumerate(spec.shape or ())]
    return np.ones(shape, spec.dtype) if spec.dtype != "str" else np.full(shape, "a", dtype=object)


def answered_by(session: Any, names: list[str], given: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(names, session.run(None, given), strict=True))


def tried(run: Callable[[], dict[str, Any]]) -> Any:
    """The answers as texts, or that there are none."""
    try:
        return {name: repr(np.asarray(one).tolist()) for name, one in run().items()}
    except Exception as error:
        return type(error).__name__


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="MODEL_CONSOLE_REAL_ARTIFACTS names no directory")
def test_real_models_answer_as_the_runtime_by_itself() -> None:
    answered = 0
    for path in sorted(Path(REAL or "").rglob("*.onnx")):
        try:
            with open(path, "rb") as file:
                model: Any = registry.load(Source(file.fileno(), path.name), "onnx").model
        except NotLoadable:
            continue
        given = {one.name: filled(one, 64) for one in model.signature.takes}
        session = onnx_cases.session_of(path)
        names = [one.name for one in session.get_outputs()]
        found = tried(partial(model.run, given))
        assert found == tried(partial(answered_by, session, names, given)), path
        answered += isinstance(found, dict)
    assert answered >= 9
