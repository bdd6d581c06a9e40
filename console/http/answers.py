"""The answer of a model as values: a list with an entry for each row, by the name of each output."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from console.http.json_body import spelled
from console.http.json_text import encode
from console.http.tensors_json import SIZES, unpacked
from console.records import InferAnswer, Tensor

SCORES = ("predict_proba", "predict_log_proba", "decision_function")
"""The methods whose columns belong to classes."""


def parts(answer: InferAnswer) -> Iterator[tuple[Tensor, bytes]]:
    """Each tensor of numbers with its bytes."""
    body = answer.body
    if len(answer.tensors) == 1:
        yield answer.tensors[0], body
        return
    at = 0
    for tensor in answer.tensors:
        end = at + math.prod(tensor.shape) * SIZES[tensor.datatype]
        yield tensor, body[at:end]
        at = end


def outputs(answer: InferAnswer, nan: Any = "NaN") -> dict[str, list[Any]]:
    """The values of each output, row by row; numbers that JSON does not have as text, and not-a-number as `nan`."""
    found: dict[str, list[Any]] = {}
    for tensor, data in parts(answer):
        values = unpacked(tensor.datatype, data)
        if tensor.datatype.startswith("FP") and not all(map(math.isfinite, values)):
            values = spelled(values, nan)
        found[tensor.name] = nested(values, tensor.shape)
    for name, rows in answer.values.items():
        found[name] = rows if isinstance(rows, list) else [rows]
    return found


def nested(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """A flat list as lists in lists."""
    for size in reversed(shape[1:]):
        values = [values[at : at + size] for at in range(0, len(values), size)] if size else []
    return values


@dataclass(slots=True)
class TextTensor:
    """An output that is no tensor of numbers, as one of texts; `json` says that they hold JSON."""

    name: str
    shape: tuple[int, ...]
    texts: list[str]
    json: bool = False


def text_tensor(name: str, values: Any) -> TextTensor:
    """Values of rows as texts, and what is no text as JSON."""
    rows: list[Any] = values if isinstance(values, list) else [values]
    width = len(rows[0]) if rows and isinstance(rows[0], list) else None
    if width is not None and all(isinstance(row, list) and len(row) == width for row in rows):
        flat = [value for row in rows for value in row]
        if all(isinstance(value, str) for value in flat):
            return TextTensor(name, (len(rows), width), flat)
    if all(isinstance(value, str) for value in rows):
        return TextTensor(name, (len(rows),), rows)
    return TextTensor(name, (len(rows),), [encode(value).decode() for value in rows], json=True)


def class_texts(answer: InferAnswer, name: str, shape: tuple[int, ...]) -> str | None:
    """The labels of the classes that the columns of an output belong to, as a list in JSON."""
    classes = answer.classes
    if classes is None or name.partition(".")[0] not in SCORES or len(shape) < 2 or shape[-1] != len(classes):
        return None
    return encode(classes).decode()
