"""A cursor over the header of a GGUF file: numbers and texts in its byte order, each checked against the file first.

Specification: docs/gguf.md of ggml, versions 2 and 3.
"""

from __future__ import annotations

import struct
from typing import Any, Union

from backends.core.errors import Damaged
from backends.core.source import Source

_BLOCK = 1 << 18
MOST_KEPT = 1 << 18
"""Bytes of one text that are kept; what is longer is cut there, and the rest stepped over."""
_MOST_IN_ALL = 16 << 20
"""Bytes of all texts of a header that are kept."""
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9
Scalar = Union[int, float, bool, str]


class Cursor:
    """The position in a header; every read is bounded by the file."""

    def __init__(self, source: Source, at: int, order: str) -> None:
        self._source = source
        self._order = order
        self._block = b""
        self._begin = 0
        self._kept = 0
        self.at = at

    def number(self, kind: int) -> Any:
        """A number of this type. Raises Damaged."""
        code = self._order + NUMBERS[kind]
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def count(self, least_each: int, what: str) -> int:
        """A number of things that take so many bytes each at least. Raises Damaged where the file is too short."""
        found = int(self.number(10))
        if found > (self._source.size - self.at) // max(least_each, 1):
            raise Damaged(f"{found:,} {what} are announced, more than the file has bytes for", offset=self.at)
        return found

    def text(self) -> str:
        """A text with its length before it, cut at MOST_KEPT. Raises Damaged."""
        length = self.count(1, "bytes of a text")
        end = self.at + length
        kept = self.take(min(length, MOST_KEPT))
        self._kept += len(kept)
        if self._kept > _MOST_IN_ALL:
            raise Damaged("more texts than the header of any model has", offset=self.at)
        self.at = end
        return kept.decode("utf-8", "replace")

    def pass_texts(self, count: int) -> None:
        """Step over so many texts, which a tokenizer has by the hundred thousand. Raises Damaged."""
        length_at = struct.Struct(f"{self._order}Q").unpack_from
        while count:
            self._fill(8)
            block, at, last = self._block, self.at - self._begin, len(self._block) - 8
            while count and at <= last:
                at += 8 + length_at(block, at)[0]
                count -= 1
            self.at = self._begin + at
            if self.at > self._source.size:
                raise Damaged("cut off: the file ends within its header", offset=self._source.size)

    def take(self, length: int) -> bytes:
        """So many bytes. Raises Damaged."""
        self._fill(length)
        begin = self.at - self._begin
        self.at += length
        return self._block[begin : begin + length]

    def _fill(self, length: int) -> None:
        """Have so many bytes from here on in the block. Raises Damaged."""
        end = self.at + length
        if end > self._source.size:
            raise Damaged("cut off: the file ends within its header", offset=self._source.size)
        if not (self._begin <= self.at and end <= self._begin + len(self._block)):
            self._begin, self._block = self.at, self._source.read(self.at, max(length, _BLOCK))

    def skip(self, length: int) -> None:
        """Step over so many bytes. Raises Damaged."""
        if self.at + length > self._source.size:
            raise Damaged("cut off: the file ends within its header", offset=self._source.size)
        self.at += length
