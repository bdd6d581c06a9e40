"""ONNX models: inspected by a reader of its own, run by ONNX Runtime in a worker."""

from __future__ import annotations

from backends.core.footprint import MB, Footprint, contents
from backends.core.format import Format
from backends.core.inspection import Inspection
from backends.formats.onnx.head import starts_like_a_model

ELSEWHERE = "its weights lie in other files, which are not read: save it as one file"
"""Why an ONNX model is not run whose weights are not in it."""
_PACKED = 10 * MB
"""The most that weights take once more, packed for the kernels; large ones are packed in their own place."""


def _footprint(found: Inspection, size: int) -> Footprint:
    """The memory of the graph and what the runtime makes of it; convolutions take what their inputs ask for besides."""
    held = contents(found, size)
    operators = found.details.get("operators")
    convolves = isinstance(operators, dict) and "Conv" in operators
    model = int(2 * held.arrays + min(1.2 * held.arrays, _PACKED) + 11.9 * held.rest)
    return Footprint(50 * MB, 44 * MB, model, spread=1.0 if convolves else 0.3)


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
        footprint=_footprint,
    ),
)
