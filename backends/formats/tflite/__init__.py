"""TensorFlow Lite models: inspected by a reader of its own, run by their small runtime in a worker."""

from __future__ import annotations

from backends.core.footprint import MB, linear
from backends.core.format import Format


def _starts(head: bytes) -> bool:
    """Whether the identifier of the schema stands behind the offset of the root table."""
    return head[4:8] == b"TFL3"


FORMATS = (
    Format(
        name="tflite",
        suffix=".tflite",
        implementation="backends.formats.tflite.model",
        title="a TensorFlow Lite model",
        suffixes=(".tflite", ".lite"),
        promises=(".tflite",),
        starts=_starts,
        order=28,
        includes=("archive",),
        bytewise=True,
        not_writable="a TensorFlow Lite model is written by TensorFlow's converter",
        extra="tflite",
        footprint=linear(33 * MB, 26 * MB, arrays=2.0, rest=2.0),
    ),
)
