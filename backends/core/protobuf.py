"""Protocol buffers on the wire: bounded reads of a source, varints, spans and runs of repeated values.

Encoding: https://protobuf.dev/programming-guides/encoding/. Nothing is read before its length was held against the
message around it, and what is skipped is never read.
"""

from __future__ import annotations

import re
from typing import Optional

from backends.core.errors import Damaged
from backends.core.source import Source

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_FIRST, _LARGEST = 4096, 1 << 18
_BUDGET = 2_000_000
_RUN = 4096
_SHORT = 40
"""Texts up to this length are passed over in runs, as the lists of a tree ensemble hold them by the thousand."""


class WireReader:
    """Fields of messages, read through one window that grows while reading goes straight on."""

    def __init__(self, source: Source, budget: Optional[int] = None) -> None:
        self.size = source.size
        self._source = source
        self._data = b""
        self._start = 0
        self._step = _FIRST
        self._budget = self._most = _BUDGET if budget is None else budget
        self._runs: dict[int, re.Pattern[bytes]] = {}

    def varint(self, position: int, end: int) -> tuple[int, int]:
        """An unsigned number of at most 64 bits, and where it ends. Raises Damaged."""
        self._budget -= 1
        if self._budget < 0:
            raise Damaged(f"more than {self._most:,} fields, which no model of this format has", offset=position)
        index = position - self._start
        if index < 0 or index + 10 > len(self._data):
            index = self._window(position, min(10, end - position))
        data, value = self._data, 0
        for number in range(min(10, end - position)):
            byte = data[index + number]
            value |= (byte & 0x7F) << (7 * number)
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, position + number + 1
        raise Damaged("a number is cut off or longer than 64 bits", offset=position)

    def span(self, position: int, end: int) -> tuple[int, int]:
        """Start and end of what stands behind its length, inside `end`. Raises Damaged."""
        length, start = self.varint(position, end)
        if start + length > end:
            what = "the file ends" if end == self.size else "the message around it ends"
            raise Damaged(f"{length:,} bytes are announced where {what} after {end - start:,}", offset=position)
        return start, start + length

    def skip(self, wire: int, position: int, end: int) -> int:
        """The end of a value of this wire type. Raises Damaged."""
        if wire == VARINT:
            return self.varint(position, end)[1]
        if wire == LENGTH:
            return self.span(position, end)[1]
        width = {FIXED32: 4, FIXED64: 8}.get(wire)
        if width is None or position + width > end:
            raise Damaged("a value is cut off" if width else f"wire type {wire} is none of the format", offset=position)
        return position + width

    def read(self, position: int, length: int) -> bytes:
        """So many bytes that are known to be there. Raises Damaged where they are not any more."""
        index = self._window(position, length)
        return self._data[index : index + length]

    def run(self, tag: int, position: int, end: int) -> int:
        """The end of further values of a repeated field that follow one another, short ones alone."""
        pattern = self._runs.get(tag)
        if pattern is None:
            pattern = self._runs[tag] = re.compile(_run_of(tag), re.DOTALL)
        while position < end:
            index = self._window(position, min(end - position, _SHORT + 12))
            match = pattern.match(self._data, index, min(len(self._data), index + end - position))
            if match is None:
                break
            position += match.end() - index
        return position

    def _window(self, position: int, length: int) -> int:
        """The place of these bytes in the window, which is moved where they are not in it."""
        index = position - self._start
        if index >= 0 and index + length <= len(self._data):
            return index
        onward = self._start < position <= self._start + len(self._data)
        self._step = min(self._step * 4, _LARGEST) if onward else _FIRST
        self._data = self._source.read(position, max(length, self._step))
        self._start = position
        if len(self._data) < length:
            raise Damaged("the file ends before what it announces", offset=position + len(self._data))
        return 0


def _run_of(tag: int) -> bytes:
    """A pattern of repeated values of one field with a tag of one byte."""
    key, wire = re.escape(bytes((tag,))), tag & 7
    if wire == VARINT:
        value = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
    elif wire == LENGTH:
        lengths = (re.escape(bytes((size,))) + b".{%d}" % size for size in range(_SHORT + 1))
        value = b"(?:" + b"|".join(lengths) + b")"
    else:
        value = b".{4}" if wire == FIXED32 else b".{8}"
    return b"(?:" + key + value + b"){1,%d}" % _RUN
