"""Around one call of the model: the rows that go in, the columns that come out, how right they are."""

from __future__ import annotations

from typing import Any, Callable, Optional

from backends.base import Json
from console.worker.child.jsonable import column
from console.worker.child.live import METHODS, attribute
from console.worker.child.main import Refusal

__all__ = ["column", "count", "describe_input", "method", "score", "typed_rows"]


def method(model: Any, name: str) -> Callable[[Any], Any]:
    """The model's method of this name. Raises Refusal when it has none."""
    found = attribute(model, name) if name in METHODS and name != "score" else None
    if not callable(found):
        raise Refusal("bad-input", f"{type(model).__name__} has no {name}")
    return found  # type: ignore[no-any-return]


def count(rows: Any) -> int:
    """How many rows."""
    shape = getattr(rows, "shape", None)
    return int(shape[0]) if shape else len(rows)


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


def typed_rows(rows: list[Json], columns: Optional[list[str]], model: Any) -> Any:
    """Typed rows as the model wants them: texts stay a list, lists become an array, or a frame if columns have names."""
    if rows and all(isinstance(row, str) for row in rows):
        return rows
    import numpy

    names = columns or attribute(model, "feature_names_in_")
    if names is not None:
        from console.worker.child.tables import frame_of

        return frame_of(rows, [str(name) for name in names])
    array = numpy.asarray(rows)
    if array.dtype.kind in "US":
        return numpy.asarray(rows, dtype=object)
    return array


def score(truth: Any, answer: Any) -> dict[str, float]:
    """Sums that add up over calls: `rows` and `correct` for labels, `absolute` and `squared` error for numbers."""
    import numpy

    expected, found = numpy.asarray(truth), numpy.asarray(answer)
    if expected.dtype.kind == "f" and found.dtype.kind == "f":
        error = numpy.abs(expected - found)
        return {"rows": float(len(expected)), "absolute": float(error.sum()), "squared": float((error**2).sum())}
    if expected.dtype.kind != found.dtype.kind:
        expected, found = expected.astype(str), found.astype(str)
    return {"rows": float(len(expected)), "correct": float((expected == found).sum())}
