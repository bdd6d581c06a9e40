"""Named arrays of a file as rows for a model of several tensors: what belongs to one row stands in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from backends.core.model import Model
from backends.core.source import Source
from backends.core.table_signature import width_of
from console.worker.child.data.text import bad
from console.worker.child.lazy import numpy

_NUMBERS = frozenset("biuf")
_EXACT = 1 << 53
"""The whole numbers below it are exact as floats."""


def tensor_widths(model: Optional[Model]) -> dict[str, int]:
    """The inputs of a model of several tensors and how many values of a row each takes; empty where that is open."""
    if model is None or len(model.signature.takes) < 2:
        return {}
    widths = {one.name: width_of(None if one.shape is None else list(one.shape)) for one in model.signature.takes}
    known = {name: width for name, width in widths.items() if width is not None}
    return known if len(known) == len(model.signature.takes) else {}


def side_by_side(source: Source, arrays: Mapping[str, Any], widths: Mapping[str, int]) -> dict[str, Any]:
    """The arrays; those that bear the names of all inputs are one of their rows, which is called X.

    Raises Refusal where they do not fit the inputs, or one another.
    """
    if not widths or not widths.keys() <= arrays.keys():
        return dict(arrays)
    parts = [_rows(source, name, arrays[name], width) for name, width in widths.items()]
    lengths = {name: len(part) for name, part in zip(widths, parts)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {rows}" for name, rows in lengths.items())
        raise bad(source, f"has other numbers of rows for each input ({found})")
    rows = numpy.concatenate(parts, axis=1)
    if rows.dtype.kind == "f" and any(part.dtype.kind in "iu" and _beyond(part) for part in parts):
        raise bad(source, "holds whole numbers that are not exact beside the fractions of another input")
    return {"X": rows, **{name: one for name, one in arrays.items() if name not in widths}}


def _rows(source: Source, name: str, array: Any, width: int) -> Any:
    if array.ndim == 0 or array.dtype.kind not in _NUMBERS:
        raise bad(
            source, f"holds {array.dtype} of the shape {list(array.shape)} for the input {name}: expected numbers"
        )
    rows = array.reshape(len(array), array.size // max(1, len(array)))
    if rows.shape[1] != width:
        found = f"{rows.shape[1]} values a row for the input {name}, which takes {width}"
        raise bad(source, f"has {found} (its shape is {list(array.shape)})")
    return rows


def _beyond(part: Any) -> bool:
    return bool(part.size) and max(abs(int(part.max())), abs(int(part.min()))) > _EXACT
