"""Flat buffers, bounded: tables, vectors and texts of a file, each held against its size before it is read.

Encoding: https://flatbuffers.dev/internals. A table begins with the signed distance back to its vtable, which has its
own size, the table's, and for each field its place in the table, 0 where it has its default.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

from backends.core.errors import Damaged
from backends.core.source import Source

_BLOCK = 1 << 16
_BLOCKS = 256
_BUDGET = 500_000
MOST_TEXT = 1 << 16


class Vector(NamedTuple):
    """The elements of a vector: where the first one stands, and how many there are."""

    start: int
    length: int


class FlatBuffer:
    """Reads of a source through blocks; `end` is behind the last byte that anything it read occupies."""

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self.end = 0
        self._source = source
        self._blocks: dict[int, bytes] = {}
        self._budget = _BUDGET

    def take(self, position: int, length: int) -> bytes:
        """So many bytes there. Raises Damaged where the file does not have them."""
        self._budget -= 1
        if self._budget < 0:
            raise Damaged(f"more than {_BUDGET:,} fields, which no model of this format has", offset=position)
        self.claim(position, length)
        first, start = divmod(position, _BLOCK)
        data = self._block(first)[start : start + length]
        while len(data) < length:
            first += 1
            more = self._block(first)[: length - len(data)]
            if not more:
                raise Damaged("the file ends before what it announces", offset=position)
            data += more
        return data

    def claim(self, position: int, length: int) -> None:
        """Count bytes as occupied. Raises Damaged where the file does not have them."""
        if position < 0 or length < 0 or position + length > self.size:
            raise Damaged(f"{length:,} bytes are announced where the file has {self.size:,}", offset=max(position, 0))
        self.end = max(self.end, position + length)

    def number(self, position: int, form: str) -> int:
        """A number in the form that `struct` calls so. Raises Damaged."""
        found: int = struct.unpack("<" + form, self.take(position, struct.calcsize("<" + form)))[0]
        return found

    def numbers(self, vector: Optional[Vector], form: str, most: int) -> tuple[int, ...]:
        """The first `most` numbers of a vector. Raises Damaged."""
        if vector is None:
            return ()
        size, count = struct.calcsize("<" + form), min(vector.length, most)
        self.claim(vector.start, vector.length * size)
        self._budget -= count // 8
        return struct.unpack(f"<{count}{form}", self.take(vector.start, count * size)) if count else ()

    def root(self) -> Table:
        """The table that the file is. Raises Damaged."""
        return Table(self, self.number(0, "I"))

    def _block(self, number: int) -> bytes:
        found = self._blocks.get(number)
        if found is None:
            if len(self._blocks) >= _BLOCKS:
                self._blocks.clear()
            found = self._blocks[number] = self._source.read(number * _BLOCK, _BLOCK)
        return found


class Table:
    """One table, whose fields are called by their numbers in the schema."""

    def __init__(self, buffer: FlatBuffer, position: int) -> None:
        self.position = position
        self._buffer = buffer
        vtable = position - buffer.number(position, "i")
        size, self._size = buffer.number(vtable, "H"), buffer.number(vtable + 2, "H")
        if size < 4 or size % 2 or self._size < 4:
            raise Damaged("a table whose fields cannot be told", offset=position)
        buffer.claim(position, self._size)
        self._fields = struct.unpack(f"<{size // 2 - 2}H", buffer.take(vtable + 4, size - 4))

    def _at(self, field: int, size: int) -> Optional[int]:
        place = self._fields[field] if field < len(self._fields) else 0
        if place and not 4 <= place <= self._size - size:
            raise Damaged("a field that lies outside of its table", offset=self.position)
        return self.position + place if place else None

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A number, its default where it is left out. Raises Damaged."""
        at = self._at(field, struct.calcsize("<" + form))
        return default if at is None else self._buffer.number(at, form)

    def table(self, field: int) -> Optional[Table]:
        """The table that a field leads to. Raises Damaged."""
        at = self._target(field)
        return None if at is None else Table(self._buffer, at)

    def vector(self, field: int, size: int) -> Optional[Vector]:
        """The vector that a field leads to, of elements of this size. Raises Damaged."""
        at = self._target(field)
        if at is None:
            return None
        count = self._buffer.number(at, "I")
        self._buffer.claim(at + 4, count * size)
        return Vector(at + 4, count)

    def numbers(self, field: int, form: str, most: int = 1 << 16) -> tuple[int, ...]:
        """The first numbers of a vector. Raises Damaged."""
        return self._buffer.numbers(self.vector(field, struct.calcsize("<" + form)), form, most)

    def tables(self, field: int) -> list[Table]:
        """The tables of a vector. Raises Damaged."""
        vector = self.vector(field, 4)
        if vector is None:
            return []
        offsets = self._buffer.numbers(vector, "I", vector.length)
        return [Table(self._buffer, vector.start + 4 * number + offset) for number, offset in enumerate(offsets)]

    def text(self, field: int) -> str:
        """A text, "" where it is left out; long ones are cut. Raises Damaged."""
        vector = self.vector(field, 1)
        if vector is None:
            return ""
        self._buffer.claim(vector.start, vector.length + 1)
        return self._buffer.take(vector.start, min(vector.length, MOST_TEXT)).decode("utf-8", "replace")

    def _target(self, field: int) -> Optional[int]:
        at = self._at(field, 4)
        return None if at is None else at + self._buffer.number(at, "I")
