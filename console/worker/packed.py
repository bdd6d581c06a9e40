"""Packed heads of the calls that may travel ten thousand times a second, and of their answers.

Numbers are big-endian. Both forms of a head, this one and JSON, decode to the same object:

    array call    !BBBBQ     1, methods, dtype (index in DTYPES), ndim, id; then ndim uint64 sides
    its answer    !BBQQ      2, number of arrays, id, nanoseconds in the model; then for each array
                  !BBB       method (index), dtype (index), ndim; then ndim uint64 sides; the arrays are the body
    table call    !BBBBQQQQ  3, methods, what (1 = outputs, 2 = score), 0, id, table, first row, last row + 1
    its answer    !BBQQd     4, kind of score (0 = none, i + 1 = SCORES[i]), id, rows, milliseconds in the model; then
                             a float64 for each number of the score

In `methods` bit i stands for METHODS[i], and the highest bit says that another call follows soon after the answer.
Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Optional

Head = dict[str, Any]

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score")
"""What a model can be asked, in an order that the packed form relies on."""
DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "<u8", "<u4", "<u2", "<c8", "<c16", "|b1", "|i1", "|u1")
"""The arrays that travel, as numpy writes their dtypes; the packed form relies on the order."""
SCORES = (("rows", "correct"), ("rows", "absolute", "squared"))
"""What a score consists of, in an order that the packed form relies on."""
_ITEM_SIZES = (8, 4, 2, 8, 4, 2, 8, 4, 2, 8, 16, 1, 1, 1)
_DTYPE_INDEX = {name: index for index, name in enumerate(DTYPES)}
_METHOD_INDEX = {name: index for index, name in enumerate(METHODS)}
_SCORE_INDEX = {frozenset(names): index + 1 for index, names in enumerate(SCORES)}

SIDES_CAP = 8
SIZES = struct.Struct("!II")
"""Begins every frame: the length of the head, and that of the body."""
PACKED = 1 << 31
"""Marks the length of a head that is packed."""
SOON = 1 << 7
_CALL, _ANSWER, _TABLE_CALL, _TABLE_ANSWER = 1, 2, 3, 4
_CALL_HEAD = struct.Struct("!BBBBQ")
_ANSWER_HEAD = struct.Struct("!BBQQ")
_PLACE_HEAD = struct.Struct("!BBB")
_TABLE_CALL_HEAD = struct.Struct("!BBBBQQQQ")
_TABLE_ANSWER_HEAD = struct.Struct("!BBQQd")
ROW_RANGE = struct.Struct("!QQ")
"""Ends the head of a table call: first row, last row + 1."""
_SPENT = struct.Struct("!QQ")
_SIDES = tuple(struct.Struct(f"!{count}Q") for count in range(SIDES_CAP + 1))
NUMBER_AT, NUMBER_ENDS = SIZES.size + 4, SIZES.size + 12
"""Where the number stands in the frame of a call."""
_REPEATED_CAP = 256
"""So many heads that only differ from one before in numbers are known by heart, if they are as short as this."""

Place = tuple[str, str, tuple[int, ...]]
"""Method, dtype and shape of one array of an answer."""


class WireError(Exception):
    """The other side broke the protocol, or closed the line in the middle of a frame."""


def packed(head: Head) -> Optional[bytes]:
    """The packed form of a head that has one."""
    form = _FORMS.get(frozenset(head))
    try:
        return None if form is None else form(head)
    except (KeyError, IndexError, TypeError, OverflowError, struct.error):
        return None


def _mask(head: Head) -> int:
    mask = SOON if head.get("soon") else 0
    for name in head["methods"]:
        mask |= 1 << _METHOD_INDEX[name]
    return mask


def _packed_call(head: Head) -> Optional[bytes]:
    if head["op"] != "call_array":
        return None
    shape = head["shape"]
    fixed = _CALL_HEAD.pack(_CALL, _mask(head), _DTYPE_INDEX[head["dtype"]], len(shape), head["id"])
    return fixed + _SIDES[len(shape)].pack(*shape)


def _packed_answer(head: Head) -> Optional[bytes]:
    places = head["arrays"]
    return _ANSWER_HEAD.pack(_ANSWER, len(places), head["id"], head["worker_ns"]) + packed_places(tuple(places))


@lru_cache(maxsize=_REPEATED_CAP)
def packed_places(places: tuple[Place, ...]) -> bytes:
    """Where the arrays of an answer stand. Raises KeyError, IndexError or struct.error for what has no packed form."""
    parts = []
    for name, dtype, shape in places:
        parts.append(_PLACE_HEAD.pack(_METHOD_INDEX[name], _DTYPE_INDEX[dtype], len(shape)))
        parts.append(_SIDES[len(shape)].pack(*shape))
    return b"".join(parts)


def _packed_table_call(head: Head) -> Optional[bytes]:
    if head["op"] != "call" or not isinstance(head["outputs"], bool) or not isinstance(head["score"], bool):
        return None
    what = head["outputs"] + 2 * head["score"]
    return _TABLE_CALL_HEAD.pack(
        _TABLE_CALL, _mask(head), what, 0, head["id"], head["data"], head["start"], head["stop"]
    )


def _packed_table_answer(head: Head) -> Optional[bytes]:
    score = head.get("score", {})
    kind = _SCORE_INDEX[frozenset(score)] if score else 0
    numbers = [score[name] for name in SCORES[kind - 1]] if score else []
    if not all(map(math.isfinite, numbers)):
        return None
    fixed = _TABLE_ANSWER_HEAD.pack(_TABLE_ANSWER, kind, head["id"], head["rows"], head["worker_ms"])
    return fixed + struct.pack(f"!{len(numbers)}d", *numbers)


_CALL_FIELDS = ("op", "id", "dtype", "shape", "methods")
_TABLE_FIELDS = ("op", "id", "data", "start", "stop", "methods", "outputs", "score")
_FORMS = {
    frozenset(_CALL_FIELDS): _packed_call,
    frozenset((*_CALL_FIELDS, "soon")): _packed_call,
    frozenset(("id", "worker_ns", "arrays")): _packed_answer,
    frozenset(_TABLE_FIELDS): _packed_table_call,
    frozenset((*_TABLE_FIELDS, "soon")): _packed_table_call,
    frozenset(("id", "rows", "worker_ms")): _packed_table_answer,
    frozenset(("id", "rows", "worker_ms", "score")): _packed_table_answer,
}
"""What packs a head, by the fields that it has."""


def unpacked(text: bytes) -> Head:
    """The object of a packed head. Raises WireError for whatever is not exactly one."""
    try:
        reader = _READERS.get(text[0])
        if reader is None:
            raise WireError(f"packed head of unknown kind {text[0]}")
        return reader(text)
    except (IndexError, struct.error):
        raise WireError("packed head is cut off") from None


@lru_cache(maxsize=_REPEATED_CAP)
def _methods(mask: int) -> tuple[str, ...]:
    if (mask & ~SOON) >> len(METHODS):
        raise WireError("packed head of a call names an unknown method")
    return tuple(name for index, name in enumerate(METHODS) if mask >> index & 1)


def _unpacked_call(text: bytes) -> Head:
    _kind, mask, dtype, sides, number = _CALL_HEAD.unpack_from(text)
    shape = _SIDES[sides].unpack_from(text, _CALL_HEAD.size)
    if len(text) != _CALL_HEAD.size + 8 * sides:
        raise WireError("packed head of a call is malformed")
    head = {"op": "call_array", "id": number, "dtype": DTYPES[dtype], "shape": shape, "methods": list(_methods(mask))}
    if mask & SOON:
        head["soon"] = True
    return head


def _unpacked_table_call(text: bytes) -> Head:
    _kind, mask, what, nothing, number, data, start, stop = _TABLE_CALL_HEAD.unpack(text)
    if nothing or what > 3:
        raise WireError("packed head of a table call is malformed")
    rows = {"data": data, "start": start, "stop": stop, "outputs": bool(what & 1), "score": bool(what & 2)}
    head = {"op": "call", "id": number, **rows, "methods": list(_methods(mask))}
    if mask & SOON:
        head["soon"] = True
    return head


def _unpacked_answer(text: bytes) -> Head:
    _kind, count, number, spent = _ANSWER_HEAD.unpack_from(text)
    rest = text[_ANSWER_HEAD.size :]
    places = _repeated_places(rest, count) if len(rest) <= _REPEATED_CAP else _unpacked_places(rest, count)
    return {"id": number, "worker_ns": spent, "arrays": places}


def _unpacked_places(text: bytes, count: int) -> tuple[Place, ...]:
    places, at = [], 0
    for _ in range(count):
        method, dtype, sides = _PLACE_HEAD.unpack_from(text, at)
        shape = _SIDES[sides].unpack_from(text, at + _PLACE_HEAD.size)
        at += _PLACE_HEAD.size + 8 * sides
        places.append((METHODS[method], DTYPES[dtype], shape))
    if at != len(text):
        raise WireError("packed head of an answer is malformed")
    return tuple(places)


_repeated_places = lru_cache(maxsize=_REPEATED_CAP)(_unpacked_places)


def _unpacked_table_answer(text: bytes) -> Head:
    _kind, kind, number, rows, spent = _TABLE_ANSWER_HEAD.unpack_from(text)
    head = {"id": number, "rows": rows, "worker_ms": spent}
    names = SCORES[kind - 1] if kind else ()
    numbers = struct.unpack(f"!{len(names)}d", text[_TABLE_ANSWER_HEAD.size :])
    if not math.isfinite(spent) or not all(map(math.isfinite, numbers)):
        raise WireError("packed head of an answer holds what is no number")
    if names:
        head["score"] = dict(zip(names, numbers))
    return head


_READERS = {
    _CALL: _unpacked_call,
    _ANSWER: _unpacked_answer,
    _TABLE_CALL: _unpacked_table_call,
    _TABLE_ANSWER: _unpacked_table_answer,
}


class AnswerForm:
    """The frame of the answer to an array call but for number, time and body: whatever else an answer like it tells."""

    def __init__(self, front: bytes, rest: bytes) -> None:
        self._front = front
        self._rest = rest

    @classmethod
    def of(cls, frame: bytes, body_size: int) -> Optional[AnswerForm]:
        """The form of the answer that this frame is; None where it is none, or not packed."""
        head = SIZES.size
        if not frame[0] >> 7 or frame[head] != _ANSWER:
            return None
        return cls(frame[: head + 2], frame[head + _ANSWER_HEAD.size : len(frame) - body_size])

    def frame(self, number: int, worker_ns: int, body: bytes) -> bytes:
        """The frame of one answer."""
        return b"".join((self._front, _SPENT.pack(number, worker_ns), self._rest, body))


TableCall = tuple[int, tuple[str, ...], bool, bool, int, int, int]
"""Number, methods, whether outputs and a score are wanted, table, first row, last row + 1."""


def table_call(frame: bytes) -> Optional[TableCall]:
    """What a frame asks that is exactly one packed table call, None for any other."""
    if len(frame) != _TABLE_CALL_SIZE or frame[: SIZES.size + 1] != _TABLE_CALL_BEGINS:
        return None
    _kind, mask, what, _nothing, number, data, start, stop = _TABLE_CALL_HEAD.unpack_from(frame, SIZES.size)
    return number, _methods(mask), bool(what & 1), bool(what & 2), data, start, stop


_TABLE_CALL_SIZE = SIZES.size + _TABLE_CALL_HEAD.size
_TABLE_CALL_BEGINS = SIZES.pack(PACKED | _TABLE_CALL_HEAD.size, 0) + bytes([_TABLE_CALL])


def packed_call(fields: Head, body_size: int) -> Optional[bytes]:
    """The frame of a call, but for its body and with the number 0; None where it has no packed form."""
    head = packed({**fields, "id": 0})
    return None if head is None else SIZES.pack(PACKED | len(head), body_size) + head


def call_form(frame: bytes) -> bytes:
    """What a frame of a packed array call has in common with all of the same sizes, dtype, shape and methods."""
    return frame[:NUMBER_AT] + frame[NUMBER_ENDS : NUMBER_ENDS + 8 * frame[NUMBER_AT - 1]]


def call_number(frame: bytes) -> int:
    """The number in a frame of a packed call."""
    return int.from_bytes(frame[NUMBER_AT:NUMBER_ENDS], "big")


def followed(frame: bytes) -> bool:
    """Whether another call will follow soon after the answer to this frame of a packed call."""
    return frame[SIZES.size + 1] >= SOON


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
