"""ONNX models: inspected by a reader of its own, run by ONNX Runtime in a worker."""

from __future__ import annotations

from backends.core.footprint import MB, linear
from backends.core.format import Format
from backends.formats.onnx.head import starts_like_a_model

ELSEWHERE = "its weights lie in other files, which are not read: save it as one file"
"""Why an ONNX model is not run whose weights are not in it."""

FORMATS = (
    Format(
        name="onnx",
        suffix=".onnx",
        implementation="backends.formats.onnx.model",
        title="an ONNX model",
        promises=(".onnx",),
        starts=starts_like_a_model,
        bytewise=True,
        not_loadable=ELSEWHERE,
        not_writable="an ONNX model is written by `accelerate`",
        portability="ONNX Runtime: C++, C#, Java, JavaScript, Rust, Python",
        extra="onnx",
        footprint=linear(50 * MB, 44 * MB, arrays=2.0, rest=11.9),
    ),
)
