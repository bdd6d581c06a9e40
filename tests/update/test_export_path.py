"""Where the export of a model is written."""

from __future__ import annotations

import pytest

from console.errors import InputError
from console.update.accelerating import export_path


@pytest.mark.parametrize(
    ("path", "beside"),
    [
        ("forest.joblib", "forest.onnx"),
        ("wine/v1.2.pkl", "wine/v1.2.onnx"),
        ("a/forest.pkl.gz", "a/forest.onnx"),
        ("model", "model.onnx"),
    ],
)
def test_an_export_lies_beside_its_model(path: str, beside: str) -> None:
    assert export_path(path) == beside


def test_an_onnx_model_is_not_exported() -> None:
    with pytest.raises(InputError, match="is an ONNX model already"):
        export_path("forest.onnx")
