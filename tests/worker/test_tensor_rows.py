"""Named arrays in a file as rows for a model of several tensors."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from backends.core import registry
from backends.core.errors import Refusal
from backends.core.model import Model
from backends.core.source import MemorySource
from console.worker.child.tables import read_table

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")
IMAGE = np.arange(24, dtype="f4").reshape(4, 2, 3)
EXTRA = np.arange(8, dtype="i8").reshape(4, 2)


@pytest.fixture(scope="module")
def model() -> Model:
    """A graph of an image and two whole numbers a row."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Cast", ["extra"], ["more"], to=1),
        helper.make_node("Concat", ["flat", "more"], ["all"], axis=1),
    ]
    takes = [value("image", 1, ["n", 2, 3]), value("extra", 7, ["n", 2])]
    graph = helper.make_graph(nodes, "g", takes, [value("all", 1, ["n", 8])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Model(registry.load(MemorySource(made.SerializeToString()), "onnx").model)


def rows(model: Model, **arrays: Any) -> Any:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return read_table(MemorySource(file.getvalue()), None, model)


def test_arrays_are_matched_to_the_inputs_by_their_names(model: Model) -> None:
    table = rows(model, extra=EXTRA, image=IMAGE, y=np.ones(4))
    assert (table.rows, table.target) == (4, "y")
    expected = np.concatenate([IMAGE.reshape(4, 6), EXTRA], axis=1)
    assert np.array_equal(model.call("predict", table.slice(0, None)), expected)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"extra": EXTRA[:3]}, "other numbers of rows for each input"),
        ({"image": IMAGE[:, :1]}, r"has 3 values a row for the input image, which takes 6"),
        ({"image": IMAGE.astype("U4")}, "for the input image: expected numbers"),
        ({"extra": EXTRA + (1 << 53)}, "not exact beside the fractions"),
    ],
)
def test_what_does_not_fit_is_told(model: Model, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        rows(model, **{"image": IMAGE, "extra": EXTRA, **changed})
