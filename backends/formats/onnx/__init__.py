"""ONNX models: inspected by a reader of its own, run by ONNX Runtime in a worker."""

from __future__ import annotations

from backends.core.format import Format
from backends.formats.onnx.head import starts_like_a_model

__all__ = ["FORMATS"]

FORMATS = (
    Format(
        "onnx",
        ".onnx",
        "backends.formats.onnx.model",
        "an ONNX model",
        suffixes=(".onnx",),
        starts=starts_like_a_model,
        not_writable="an ONNX model is made by `accelerate`",
        extra="onnx",
    ),
)
