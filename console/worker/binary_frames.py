"""Packed heads of the calls that carry arrays, and of their answers.

Numbers are big-endian. Both forms of a head, this one and JSON, decode to the same object:

    array call    !BBBBQ     1, methods, dtype (index in DTYPES), ndim, id; then ndim uint64 sides
    its answer    !BBQQI     2, number of arrays, id, nanoseconds in the model, rows in that call; then for each array
                  !BBB       method (index), dtype (index), ndim; then ndim uint64 sides; the arrays are the body

In `methods` bit i stands for METHODS[i].
Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Optional

Head = dict[str, Any]

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score")
"""What a model can be asked, in an order that the packed form relies on."""
DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "<u8", "<u4", "<u2", "<c8", "<c16", "|b1", "|i1", "|u1")
"""The arrays that travel, as numpy writes their dtypes; the packed form relies on the order."""
_ITEM_SIZES = (8, 4, 2, 8, 4, 2, 8, 4, 2, 8, 16, 1, 1, 1)
_DTYPE_INDEX = {name: index for index, name in enumerate(DTYPES)}
_METHOD_INDEX = {name: index for index, name in enumerate(METHODS)}

SIDES_CAP = 8
SIZES = struct.Struct("!II")
"""Begins every frame: the length of the head, and that of the body."""
PACKED = 1 << 31
"""Marks the length of a head that is packed."""
_CALL, _ANSWER = 1, 2
_CALL_HEAD = struct.Struct("!BBBBQ")
_ANSWER_HEAD = struct.Struct("!BBQQI")
_PLACE_HEAD = struct.Struct("!BBB")
_SIDES = tuple(struct.Struct(f"!{count}Q") for count in range(SIDES_CAP + 1))
_CALL_FIELDS = {"op", "id", "dtype", "shape", "methods"}
_ANSWER_FIELDS = {"id", "worker_ns", "batch", "arrays"}

Place = tuple[str, str, tuple[int, ...]]
"""Method, dtype and shape of one array of an answer."""


class WireError(Exception):
    """The other side broke the protocol, or closed the line in the middle of a frame."""


def packed(head: Head) -> Optional[bytes]:
    """The packed form of a head that has one."""
    try:
        if head.keys() == _CALL_FIELDS and head["op"] == "call_array":
            return _packed_call(head)
        return _packed_answer(head) if head.keys() == _ANSWER_FIELDS else None
    except (KeyError, IndexError, TypeError, struct.error):
        return None


def _packed_call(head: Head) -> bytes:
    shape, mask = head["shape"], 0
    for name in head["methods"]:
        mask |= 1 << _METHOD_INDEX[name]
    fixed = _CALL_HEAD.pack(_CALL, mask, _DTYPE_INDEX[head["dtype"]], len(shape), head["id"])
    return fixed + _SIDES[len(shape)].pack(*shape)


def _packed_answer(head: Head) -> bytes:
    places = head["arrays"]
    parts = [_ANSWER_HEAD.pack(_ANSWER, len(places), head["id"], head["worker_ns"], head["batch"])]
    for name, dtype, shape in places:
        parts.append(_PLACE_HEAD.pack(_METHOD_INDEX[name], _DTYPE_INDEX[dtype], len(shape)))
        parts.append(_SIDES[len(shape)].pack(*shape))
    return b"".join(parts)


def unpacked(text: bytes) -> Head:
    """The object of a packed head. Raises WireError for whatever is not exactly one."""
    try:
        reader = _READERS.get(text[0])
        if reader is None:
            raise WireError(f"packed head of unknown kind {text[0]}")
        return reader(text)
    except (IndexError, struct.error):
        raise WireError("packed head is cut off") from None


def _unpacked_call(text: bytes) -> Head:
    _kind, mask, dtype, sides, number = _CALL_HEAD.unpack_from(text)
    shape = _SIDES[sides].unpack_from(text, _CALL_HEAD.size)
    if len(text) != _CALL_HEAD.size + 8 * sides:
        raise WireError("packed head of a call is malformed")
    if mask >> len(METHODS):
        raise WireError("packed head of a call names an unknown method")
    methods = [name for index, name in enumerate(METHODS) if mask >> index & 1]
    return {"op": "call_array", "id": number, "dtype": DTYPES[dtype], "shape": shape, "methods": methods}


def _unpacked_answer(text: bytes) -> Head:
    _kind, count, number, spent, batch = _ANSWER_HEAD.unpack_from(text)
    places, at = [], _ANSWER_HEAD.size
    for _ in range(count):
        method, dtype, sides = _PLACE_HEAD.unpack_from(text, at)
        shape = _SIDES[sides].unpack_from(text, at + _PLACE_HEAD.size)
        at += _PLACE_HEAD.size + 8 * sides
        places.append((METHODS[method], DTYPES[dtype], shape))
    if at != len(text):
        raise WireError("packed head of an answer is malformed")
    return {"id": number, "worker_ns": spent, "batch": batch, "arrays": tuple(places)}


_READERS = {_CALL: _unpacked_call, _ANSWER: _unpacked_answer}


def size_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of an array of this dtype and shape. Raises WireError for another dtype than those of DTYPES."""
    index = _DTYPE_INDEX.get(dtype)
    if index is None:
        raise WireError(f"no array of {dtype[:40]} travels")
    size = _ITEM_SIZES[index]
    for side in shape:
        if side < 0:
            raise WireError("an array has a negative side")
        size *= side
    return size
