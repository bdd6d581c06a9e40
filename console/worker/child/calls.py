"""Around one call of the model: the rows that go in and the columns that come out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.errors import Refusal
from backends.core.inputs import Inputs
from backends.core.inspection import Json
from console.worker.child.asking import count
from console.worker.child.completing import completed
from console.worker.child.jsonable import column
from console.worker.child.lazy import numpy
from console.worker.child.readers import frame_of
from console.worker.wire import DTYPES

__all__ = ["array_from", "column", "count", "describe_input", "raw_arrays", "typed_rows", "zeros"]

_NUMBERS = frozenset("biufc")

Place = tuple[str, str, tuple[int, ...]]
"""Name, dtype and shape of one output."""


def describe_input(rows: Any) -> str:
    """Kind, shape and dtypes of what a model was given; never its values."""
    kind = type(rows).__name__
    shape = getattr(rows, "shape", None)
    dtypes = getattr(rows, "dtypes", None)
    if dtypes is not None and hasattr(dtypes, "value_counts"):
        counted = ", ".join(f"{number} x {dtype}" for dtype, number in dtypes.astype(str).value_counts().items())
        return f"{kind} {tuple(rows.shape)}: {counted}"
    if shape is not None:
        return f"{kind} {tuple(shape)} {getattr(rows, 'dtype', '')}"
    return f"{kind} of {len(rows)}" if hasattr(rows, "__len__") else kind


def typed_rows(rows: list[Any], columns: Optional[list[str]], inputs: Inputs) -> Any:
    """Rows an operator typed, as the model wants them; the objects that `Table.sample` gives are taken back too.

    Raises Refusal when they do not fit.
    """
    if not rows:
        raise Refusal("bad-input", "there is no row to predict")
    names = inputs.names
    wanted = columns or _typed_names(inputs, names, rows[0])
    if all(isinstance(row, dict) for row in rows):
        rows = [_from_object(row, wanted) for row in rows]
    if all(isinstance(row, str) for row in rows):
        return numpy.asarray(rows, dtype=object)
    if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        raise Refusal("bad-input", "every row must be a list of equally many values, or every one a text")
    if wanted is not None:
        if columns and names is not None:
            _check_columns(columns, _typed_names(inputs, names, rows[0]) or names)
        if len(rows[0]) != len(wanted):
            raise Refusal("bad-input", f"a row has {len(rows[0])} values, the model takes {len(wanted)}")
        return _typed_frame(inputs, names, frame_of(rows, wanted))
    array = numpy.asarray(rows)
    return array if array.dtype.kind in _NUMBERS else numpy.asarray(rows, dtype=object)


def _typed_names(inputs: Inputs, names: Optional[list[str]], row: Any) -> Optional[list[str]]:
    """The columns of a typed row: those of the model, but for a constant that the row leaves out."""
    constant = inputs.constant
    if names is None or constant is None or not isinstance(row, (dict, list)):
        return names
    has_all = constant.name in row if isinstance(row, dict) else len(row) == len(names)
    return names if has_all else [name for name in names if name != constant.name]


def _typed_frame(inputs: Inputs, names: Optional[list[str]], frame: Any) -> Any:
    """Typed rows as the model takes them: with its constant, in its order, with its categories."""
    if names is None or not hasattr(frame, "iloc"):
        return frame
    frame = completed(inputs, frame, [])
    return inputs.prepared(frame[names] if set(names) == set(frame) else frame, [])


def _from_object(row: dict[str, Any], names: Optional[list[str]]) -> Any:
    if set(row) in ({"x"}, {"text"}) and (names is None or set(row) != set(names)):
        return next(iter(row.values()))
    wanted = names if names is not None else list(row)
    _check_columns(list(row), wanted)
    return [row[name] for name in wanted]


def _check_columns(found: list[str], wanted: list[str]) -> None:
    """Raise Refusal, which tells the differences, unless these are the columns of the model in whatever order."""
    known, there = set(wanted), set(found)
    missing = [name for name in wanted if name not in there]
    surplus = [name for name in found if name not in known]
    if missing or surplus or len(there) < len(found):
        differences = [_difference(name, "missing") for name in missing]
        differences += [_difference(name, "surplus") for name in surplus]
        named = ", ".join(f"{one['problem']} '{one['column']}'" for one in differences[:3]) or "a column comes twice"
        details = {"differences": differences[:200], "count": len(differences)}
        raise Refusal("columns", f"the row does not fit the model: {named}", details)


def _difference(name: str, problem: str) -> dict[str, Json]:
    return {"column": name, "problem": problem, "expected": None, "found": None}


def array_from(buffer: Any, dtype: str, shape: Sequence[int]) -> Any:
    """Raw little-endian numbers as a read-only array. Raises Refusal when the sizes do not agree."""
    if dtype not in DTYPES or any(side < 0 for side in shape):
        raise Refusal("bad-input", "only numbers travel as raw arrays")
    kind = numpy.dtype(dtype)
    if math.prod(shape) * kind.itemsize != len(buffer):
        raise Refusal("bad-input", f"{len(buffer)} bytes are no {dtype} array of shape {tuple(shape)}")
    return numpy.frombuffer(buffer, dtype=kind).reshape(shape)


def raw_arrays(results: dict[str, Any]) -> tuple[list[Place], list[Any], dict[str, list[Json]]]:
    """Numeric outputs as contiguous little-endian arrays, of each its name, dtype and shape; what is not numbers as a
    JSON value for each row."""
    places: list[Place] = []
    arrays = []
    values: dict[str, list[Json]] = {}
    for name, result in results.items():
        array = numpy.asarray(result, order="C")
        dtype = array.dtype.str
        if dtype not in DTYPES and array.dtype.kind in _NUMBERS:
            array = array.astype(array.dtype.newbyteorder("<"))
            dtype = array.dtype.str
        if dtype not in DTYPES:
            values[name] = column(result)
            continue
        places.append((name, dtype, array.shape))
        arrays.append(array)
    return places, arrays, values


def raw_parts(results: dict[str, Any], counts: list[int], worker_ns: int) -> list[tuple[dict[str, Any], bytes]]:
    """The answers of a call for several, each with the rows that were its own: heads and bodies in their order."""
    places, arrays, values = raw_arrays(results)
    total = sum(counts)
    if any(not hasattr(result, "shape") or result.shape[:1] != (total,) for result in results.values()):
        raise Refusal("apart", "the answers do not tell whose they are")
    answers = []
    begin = 0
    for count_ in counts:
        end = begin + count_
        own = [(name, dtype, (count_, *shape[1:])) for name, dtype, shape in places]
        body = b"".join(array[begin:end].tobytes() for array in arrays)
        head: dict[str, Any] = {"worker_ns": worker_ns, "batch": total, "arrays": own}
        if values:
            head["values"] = {name: found[begin:end] for name, found in values.items()}
        answers.append((head, body))
        begin = end
    return answers


def zeros(inputs: Inputs) -> Any:
    """A row of zeros, a data frame where the model knows names."""
    row, names = numpy.zeros((1, inputs.count or 1)), inputs.names
    return row if names is None else frame_of(row, names)
