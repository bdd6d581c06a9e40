"""The index of a TensorFlow checkpoint: variables by name, and where their numbers lie in the files of data.

The index is a table of LevelDB (https://github.com/google/leveldb/blob/main/doc/table_format.md) whose values are the
messages of tensor_bundle.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from backends.core.counted import counted
from backends.core.errors import Damaged
from backends.core.inspection import ArrayInfo, Inspection
from backends.core.protobuf import WireReader
from backends.core.source import MemorySource, Source
from backends.formats.tensorflow.messages import DTYPES, dtype, fields, shape

_FOOTER = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
_TRAILER = 5
_MOST_BLOCK = 16 << 20
_MOST = 50_000
_LISTED = 10_000
_MOST_KEY = 1 << 16
_STRING = 7


class Variable(NamedTuple):
    """One entry: what it is, and which stretch of which file of data holds it."""

    info: ArrayInfo
    kind: int
    shard: int
    offset: int
    size: int


def inspect(source: Source) -> Inspection:
    """The variables of a checkpoint. Raises Damaged, OSError."""
    shards, variables = read_index(source)
    weights = sum(math.prod(one.info.shape) for one in variables if one.kind != _STRING)
    return Inspection(
        "tf-checkpoint",
        arrays=tuple(one.info for one in variables[:_LISTED]),
        n_weights=weights,
        complete=True,
        loadable=False,
        details={"files of data": shards},
        summary=f"Checkpoint · {len(variables)} tensors · {counted(weights)}",
    )


def read_index(source: Source) -> tuple[int, list[Variable]]:
    """How many files of data there are, and all entries. Raises Damaged."""
    footer = source.read(source.size - _FOOTER, _FOOTER)
    if len(footer) != _FOOTER or footer[-8:] != _MAGIC:
        raise Damaged("the index does not end as a table does: it is cut off", offset=max(0, source.size - _FOOTER))
    reader = WireReader(MemorySource(footer))
    _offset, position = reader.varint(0, 40)
    _size, position = reader.varint(position, 40)
    shards = 0
    found: list[Variable] = []
    for _key, handle in _entries(_block(source, *_handle(footer[position:40]))):
        for key, value in _entries(_block(source, *_handle(handle))):
            if not key:
                shards = _shards(value)
            elif len(found) >= _MOST:
                raise Damaged(f"more than {_MOST:,} variables, which no model of this format has")
            else:
                found.append(_variable(key, value))
    if not shards:
        raise Damaged("the index has no header that tells how many files of data there are")
    return shards, found


def _handle(data: bytes) -> tuple[int, int]:
    reader = WireReader(MemorySource(data))
    offset, position = reader.varint(0, len(data))
    return offset, reader.varint(position, len(data))[0]


def _block(source: Source, offset: int, size: int) -> bytes:
    """The entries of a block. Raises Damaged."""
    if size > _MOST_BLOCK or size < 4 or offset + size + _TRAILER > source.size:
        raise Damaged(f"a block of {size:,} bytes where the index has {source.size:,}", offset=min(offset, source.size))
    data = source.read(offset, size + _TRAILER)
    if len(data) != size + _TRAILER or data[size] != 0:
        raise Damaged("a block that is compressed or cut off", offset=offset)
    restarts = int.from_bytes(data[size - 4 : size], "little")
    if 4 + 4 * restarts > size:
        raise Damaged("a block without entries", offset=offset)
    return data[: size - 4 - 4 * restarts]


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys, each beginning like the one before, and values. Raises Damaged."""
    reader, end = WireReader(MemorySource(data)), len(data)
    key, position = b"", 0
    while position < end:
        shared, position = reader.varint(position, end)
        own, position = reader.varint(position, end)
        size, position = reader.varint(position, end)
        if shared > len(key) or own > _MOST_KEY or position + own + size > end:
            raise Damaged("an entry of the index that is longer than its block")
        key = key[:shared] + data[position : position + own]
        yield key, data[position + own : position + own + size]
        position += own + size


def _shards(value: bytes) -> int:
    reader = WireReader(MemorySource(value))
    return next((one.value for one in fields(reader, 0, len(value)) if one.number == 1), 0)


def _variable(key: bytes, value: bytes) -> Variable:
    reader = WireReader(MemorySource(value))
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    sides: tuple[int, ...] = ()
    for one in fields(reader, 0, len(value)):
        if one.number == 2:
            sides = tuple(side or 0 for side in shape(reader, one) or ())
        elif one.number in numbers:
            numbers[one.number] = one.value
    name = key.decode("utf-8", "replace")
    size = DTYPES.get(numbers[1], ("", 0))[1]
    if size and math.prod(sides) * size != numbers[5]:
        raise Damaged(f"the variable '{name[:100]}' has {numbers[5]:,} bytes for its shape {list(sides)[:16]}")
    info = ArrayInfo(name, sides, dtype(numbers[1]), numbers[5])
    return Variable(info, numbers[1], numbers[3], numbers[4], numbers[5])
