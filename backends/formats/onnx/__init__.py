"""ONNX models: inspected by a reader of its own, run by ONNX Runtime in a worker."""

from __future__ import annotations

from backends.core.format import Format
from backends.formats.onnx.head import starts_like_a_model

__all__ = ["FORMATS"]

FORMATS = (
    Format(
        name="onnx",
        suffix=".onnx",
        implementation="backends.formats.onnx.model",
        title="an ONNX model",
        promises=(".onnx",),
        starts=starts_like_a_model,
        bytewise=True,
        not_writable="an ONNX model is written by `accelerate`",
        extra="onnx",
    ),
)
