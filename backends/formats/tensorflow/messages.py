"""Messages of TensorFlow on the wire, as far as they are walked: field by field, with their spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from backends.core.errors import Damaged
from backends.core.protobuf import LENGTH, VARINT, WireReader

_MOST_RANK = 255
_TEXT = 1 << 16
_LARGEST = 1 << 40
BUDGET = 1_000_000
"""Fields of one file that are walked."""
_DTYPES = (
    "float32 4|float64 8|int32 4|uint8 1|int16 2|int8 1|str 0|complex64 8|int64 8|bool 1|qint8 1|quint8 1|qint32 4"
    "|bfloat16 2|qint16 2|quint16 2|uint16 2|complex128 16|float16 2|resource 0|variant 0|uint32 4|uint64 8"
)
DTYPES = {
    number: (name, int(size)) for number, (name, size) in enumerate((one.split() for one in _DTYPES.split("|")), 1)
}
"""`DataType` of tensorflow/core/framework/types.proto: name and bytes; what has no size of its own has none."""


class Field(NamedTuple):
    """One field of a message: its value where that is a number, else where its content starts and ends."""

    number: int
    value: int
    start: int
    end: int


def fields(reader: WireReader, start: int, end: int) -> Iterator[Field]:
    """The fields between two places. Raises Damaged."""
    position = start
    while position < end:
        tag, position = reader.varint(position, end)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, after = reader.varint(position, end)
            yield Field(number, value, position, after)
        elif wire == LENGTH:
            first, after = reader.span(position, end)
            yield Field(number, 0, first, after)
        else:
            after = reader.skip(wire, position, end)
            yield Field(number, 0, position, after)
        position = after


def text(reader: WireReader, one: Field) -> str:
    """The text in a field, cut where it is long. Raises Damaged."""
    return reader.read(one.start, min(one.end - one.start, _TEXT)).decode("utf-8", "replace")


def entry(reader: WireReader, one: Field) -> tuple[str, Optional[Field]]:
    """Key and value of an entry of a map. Raises Damaged."""
    key, value = "", None
    for part in fields(reader, one.start, one.end):
        if part.number == 1:
            key = text(reader, part)
        elif part.number == 2:
            value = part
    return key, value


def shape(reader: WireReader, one: Field) -> Optional[tuple[Optional[int], ...]]:
    """A TensorShapeProto; None where not even the rank is known. Raises Damaged."""
    sides: list[Optional[int]] = []
    for part in fields(reader, one.start, one.end):
        if part.number == 3 and part.value:
            return None
        if part.number == 2 and len(sides) < _MOST_RANK:
            size = next((held.value for held in fields(reader, part.start, part.end) if held.number == 1), 0)
            if _LARGEST < size < 1 << 63:
                raise Damaged(f"a tensor with a side of {size:,}", offset=part.start)
            sides.append(size if size < 1 << 63 else None)
    return tuple(sides)


def dtype(number: int) -> str:
    """The name of an element type; references have the same."""
    return DTYPES.get(number - 100 if number > 100 else number, ("", 0))[0]
