"""Flat buffers of a CatBoost file, bounded: each table and vector is held against the size before it is read.

Encoding: https://flatbuffers.dev/internals. A table begins with the signed distance back to its vtable, which has its
own size, the table's, and for each field its place in the table, 0 where it has its default.
"""

from __future__ import annotations

import struct
from array import array
from typing import Any, NamedTuple, Optional

from backends.core.errors import Damaged
from backends.core.source import Source

_BLOCK = 1 << 16
_BLOCKS = 64
_READS = 400_000
_MOST_TABLES = 50_000
_MOST_TEXT = 1 << 20


class UncheckedError(Exception):
    """Something that is not looked at to its end, so that the model is not given to CatBoost; `code` is its finding."""

    def __init__(self, message: str, code: str = "limit") -> None:
        super().__init__(message)
        self.code = code


class Vector(NamedTuple):
    """The elements of a vector: where the first one stands, and how many there are."""

    start: int
    length: int


class Core:
    """Small reads of a source, through blocks, and large ones of its arrays."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks: dict[int, bytes] = {}
        self._left = _READS

    def root(self) -> Table:
        """The table that the source is. Raises Damaged, UncheckedError, OSError."""
        return Table(self, self.number(0, "I"))

    def number(self, at: int, form: str) -> int:
        """A number in the form that `struct` calls so. Raises Damaged, UncheckedError, OSError."""
        found: int = struct.unpack("<" + form, self.take(at, struct.calcsize("<" + form)))[0]
        return found

    def take(self, at: int, size: int) -> bytes:
        """So many bytes there. Raises Damaged, UncheckedError, OSError."""
        self.claim(at, size)
        self._left -= 1
        if self._left < 0:
            raise UncheckedError(f"more than {_READS:,} fields, of which no more are checked")
        number, start = divmod(at, _BLOCK)
        if start + size > _BLOCK:
            return self._source.read(at, size)
        found = self._blocks.get(number)
        if found is None:
            if len(self._blocks) >= _BLOCKS:
                self._blocks.clear()
            found = self._blocks[number] = self._source.read(number * _BLOCK, _BLOCK)
        return found[start : start + size]

    def claim(self, at: int, size: int) -> None:
        """Raise Damaged where the source does not have these bytes."""
        if at < 0 or at + size > self._source.size:
            raise Damaged(f"{size:,} bytes are announced where there are {self._source.size:,}", offset=max(at, 0))


class Table:
    """One table, whose fields are called by their numbers in the schema."""

    def __init__(self, core: Core, position: int) -> None:
        self.position = position
        self._core = core
        vtable = position - core.number(position, "i")
        size, self._size = struct.unpack("<HH", core.take(vtable, 4))
        if size < 4 or size % 2 or self._size < 4:
            raise Damaged("a table whose fields cannot be told", offset=position)
        core.claim(position, self._size)
        self._places = struct.unpack(f"<{size // 2 - 2}H", core.take(vtable + 4, size - 4))

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A number, its default where it is left out. Raises Damaged, UncheckedError, OSError."""
        at = self._at(field, struct.calcsize("<" + form))
        return default if at is None else self._core.number(at, form)

    def table(self, field: int) -> Optional[Table]:
        """The table that a field leads to. Raises Damaged, UncheckedError, OSError."""
        at = self._target(field)
        return None if at is None else Table(self._core, at)

    def vector(self, field: int, size: int) -> Optional[Vector]:
        """The vector that a field leads to, of elements of this size. Raises Damaged, UncheckedError, OSError."""
        at = self._target(field)
        if at is None:
            return None
        length = self._core.number(at, "I")
        self._core.claim(at + 4, length * size)
        return Vector(at + 4, length)

    def length(self, field: int, size: int) -> int:
        """The number of elements of this size that a vector has, 0 where it is left out. Raises as `vector` does."""
        found = self.vector(field, size)
        return 0 if found is None else found.length

    def bytes_of(self, field: int, size: int = 1, most: int = _MOST_TEXT) -> bytes:
        """The elements of a vector as they stand there. Raises Damaged, UncheckedError, OSError."""
        vector = self.vector(field, size)
        if vector is None:
            return b""
        if vector.length > most:
            raise UncheckedError(f"an array of {vector.length:,} elements, of which at most {most:,} are checked")
        return self._core.take(vector.start, vector.length * size)

    def numbers(self, field: int, form: str, most: int) -> array[Any]:
        """The numbers of a vector, in the form that `array` calls so. Raises Damaged, UncheckedError, OSError."""
        found: array[Any] = array(form)
        found.frombytes(self.bytes_of(field, found.itemsize, most))
        return found

    def text(self, field: int) -> str:
        """A text, "" where it is left out. Raises Damaged, UncheckedError, OSError."""
        return self.bytes_of(field).decode("utf-8", "replace")

    def tables(self, field: int) -> list[Table]:
        """The tables of a vector. Raises Damaged, UncheckedError, OSError."""
        return [Table(self._core, at) for at in self._elements(field)]

    def texts(self, field: int) -> list[str]:
        """The texts of a vector. Raises Damaged, UncheckedError, OSError."""
        sizes = [(at, self._core.number(at, "I")) for at in self._elements(field)]
        for at, size in sizes:
            self._core.claim(at + 4, size)
        return [self._core.take(at + 4, min(size, 1000)).decode("utf-8", "replace") for at, size in sizes]

    def _elements(self, field: int) -> list[int]:
        """Places of the elements that a vector leads to."""
        vector = self.vector(field, 4)
        if vector is None:
            return []
        distances = self.numbers(field, "I", _MOST_TABLES)
        return [vector.start + 4 * number + distance for number, distance in enumerate(distances)]

    def _at(self, field: int, size: int) -> Optional[int]:
        place = self._places[field] if field < len(self._places) else 0
        if place and not 4 <= place <= self._size - size:
            raise Damaged("a field that lies outside of its table", offset=self.position)
        return self.position + place if place else None

    def _target(self, field: int) -> Optional[int]:
        at = self._at(field, 4)
        return None if at is None else at + self._core.number(at, "I")
