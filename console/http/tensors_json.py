"""Tensors of the Open Inference Protocol in JSON: their values checked against datatype and shape, flat or nested."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from console.errors import InputError, UsageError
from console.http.json_body import SPELLED
from console.records import NUMPY_DTYPES

DATATYPES = (*NUMPY_DTYPES, "BYTES")
CODES: Mapping[str, str] = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""The datatypes of numbers as `struct` and `array` write them."""
SIZES: Mapping[str, int] = {name: struct.calcsize(f"<{code}") for name, code in CODES.items()}
MAX_DIMENSIONS = 32

_FLAT: Mapping[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
    for kind in (float, int, bool, str)
}
_ROWS: Mapping[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(list[list[kind]])  # type: ignore[valid-type]
    for kind in (float, int, bool, str)
}
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def kind_of(datatype: str) -> type:
    """The Python type of its values. Raises UsageError for a datatype that the protocol does not have."""
    if datatype.startswith("FP") and datatype in SIZES:
        return float
    if "INT" in datatype and datatype in SIZES:
        return int
    if datatype in ("BOOL", "BYTES"):
        return bool if datatype == "BOOL" else str
    raise UsageError(f"Datatype {datatype[:40]!r} is not known; expected one of {', '.join(DATATYPES)}.")


def count_of(name: str, shape: Sequence[int]) -> int:
    """How many values a shape has. Raises UsageError for one that no tensor can have."""
    if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
        found = f"{len(shape)} dimensions" if len(shape) > MAX_DIMENSIONS else list(shape)
        raise UsageError(f"Input {name!r}: expected a shape of up to 32 sizes that are not negative, found {found}.")
    return math.prod(shape)


def read_values(name: str, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> list[Any]:
    """The values of a tensor, row by row; a value that is missing is None in texts, NaN in floats.

    Raises InputError, UsageError.
    """
    kind = kind_of(datatype)
    count = count_of(name, shape)
    try:
        values: list[Any] = _FLAT[kind].decode(data)
    except msgspec.ValidationError:
        return _read_nested(name, datatype, kind, shape, data)
    if len(values) != count:
        raise _wrong_count(name, shape, count, len(values))
    return values


def _read_nested(name: str, datatype: str, kind: type, shape: Sequence[int], data: msgspec.Raw) -> list[Any]:
    if len(shape) == 2:
        try:
            rows: list[list[Any]] = _ROWS[kind].decode(data)
        except msgspec.ValidationError:
            pass
        else:
            if len(rows) == shape[0] and all(len(row) == shape[1] for row in rows):
                return list(chain.from_iterable(rows))
    values = _flattened(name, shape, _ANY.decode(data))
    return [_converted(name, datatype, kind, value, index) for index, value in enumerate(values)]


def _flattened(name: str, shape: Sequence[int], value: Any) -> list[Any]:
    """The values of a list that is flat, or nested as the shape says."""
    values: list[Any] = value if isinstance(value, list) else [value]
    if len(shape) < 2 or not any(isinstance(item, list) for item in values):
        if len(values) != math.prod(shape):
            raise _wrong_count(name, shape, math.prod(shape), len(values))
        return values
    level: list[Any] = [values]
    for size in shape:
        if not all(isinstance(item, list) and len(item) == size for item in level):
            raise InputError(f"Input {name!r}: expected data nested as its shape {list(shape)}, found lists of others.")
        level = list(chain.from_iterable(level))
    return level


def _converted(name: str, datatype: str, kind: type, value: Any, index: int) -> Any:
    """One value as its datatype has it."""
    if kind is float:
        if value is None:
            return math.nan
        if isinstance(value, str) and value in SPELLED:
            return SPELLED[value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind is int:
        if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
            return int(value)
    elif kind is bool:
        if value in (True, False):
            return bool(value)
    elif value is None or isinstance(value, str):
        return value
    raise InputError(f"Input {name!r}: expected {datatype} values, found {_shown(value)} at place {index}.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _wrong_count(name: str, shape: Sequence[int], expected: int, found: int) -> InputError:
    return InputError(f"Input {name!r}: its shape {list(shape)} expects {expected} values, found {found}.")


def packed(name: str, datatype: str, values: list[Any]) -> bytes:
    """Numbers as they stand in a body. Raises InputError for those that the datatype does not hold."""
    try:
        if datatype == "BOOL":
            return bytes(values)
        if datatype == "FP16":
            return struct.pack(f"<{len(values)}e", *values)
        numbers = array(CODES[datatype], values)
    except (OverflowError, struct.error) as error:
        raise InputError(f"Input {name!r}: a number is beyond what {datatype} holds.") from error
    if datatype == "FP32" and _infinities(numbers) != _infinities(values):
        raise InputError(f"Input {name!r}: a number is beyond what FP32 holds.")
    return numbers.tobytes()


def _infinities(values: Sequence[float]) -> int:
    return values.count(math.inf) + values.count(-math.inf)


def unpacked(datatype: str, data: bytes | memoryview) -> list[Any]:
    """The numbers of a part of a body."""
    if datatype in ("BOOL", "FP16"):
        return list(struct.unpack(f"<{len(data) // SIZES[datatype]}{CODES[datatype]}", data))
    numbers: array[Any] = array(CODES[datatype])
    numbers.frombytes(data)
    return numbers.tolist()
