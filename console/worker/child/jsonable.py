"""Anything a model answers, as JSON that every parser reads: no NaN, no bytes, no object, bounded."""

from __future__ import annotations

import math
from typing import Any

from backends.core.inspection import Json

TEXT_CAP = 10_000
DEPTH_CAP = 20
_BIG = 1 << 63
_DECIMAL_BITS = 10_000
"""Longer integers are not written in decimal, which Python refuses."""


def jsonable(value: Any, depth: int = 0) -> Json:
    """`value` as JSON: nan and infinities become their names, numpy values plain ones, bytes and the rest text."""
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return _bounded(value)
    if kind is int:
        if -_BIG <= value < _BIG:
            return value  # type: ignore[no-any-return]
        return _bounded(str(value) if value.bit_length() < _DECIMAL_BITS else hex(value))
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if depth > DEPTH_CAP:
        return "…"
    if isinstance(value, dict):
        return {str(key)[:TEXT_CAP]: jsonable(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(one, depth + 1) for one in value]
    if isinstance(value, (set, frozenset)):
        return [jsonable(one, depth + 1) for one in sorted(value, key=str)]
    if isinstance(value, (bytes, bytearray)):
        return _bounded(bytes(value).decode("utf-8", "backslashreplace"))
    return _foreign(value, depth)


def _bounded(text: str) -> str:
    """A text as it is, or its beginning with a word that there was more."""
    if len(text) <= TEXT_CAP:
        return text
    return f"{text[:TEXT_CAP]}… (cut: the first {TEXT_CAP:,} of {len(text):,} characters)"


def _foreign(value: Any, depth: int) -> Json:
    """numpy scalars and arrays by their own conversion, subclasses of plain types as those, all else as text."""
    convert = getattr(value, "tolist", None)
    if callable(convert):
        plain = convert()
        if type(plain) is not type(value):
            return jsonable(plain, depth + 1)
    for plain_type in (bool, int, float, str):
        if isinstance(value, plain_type):
            return jsonable(plain_type(value), depth + 1)
    if type(value).__name__ == "NAType":  # pandas.NA
        return None
    try:
        return _bounded(str(value))
    except Exception as error:
        return f"<str() raised {type(error).__name__}>"


def column(values: Any) -> list[Json]:
    """One output with a value for each row, as a list; where it is an array for each of several targets, a row has
    a list of theirs."""
    if of_targets(values):
        return [list(row) for row in zip(*map(column, values))]
    plain = jsonable(values)
    return plain if isinstance(plain, list) else [plain]


def of_targets(values: Any) -> bool:
    """Whether this is a list of tables with the same rows, as scikit-learn answers the shares of several targets."""
    if not isinstance(values, (list, tuple)):
        return False
    shapes: list[Any] = [getattr(one, "shape", ()) for one in values]
    return {len(shape) for shape in shapes} == {2} and len({shape[0] for shape in shapes}) == 1
