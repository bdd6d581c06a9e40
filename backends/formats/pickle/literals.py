"""The literals of a pickle: numbers, text and bytes; long ones are passed over unread."""

from __future__ import annotations

import codecs
import struct

from backends.core.inspection import Finding
from backends.core.source import MemorySource, Part, Source
from backends.formats.pickle.heads import STARTS, may_hold_pickle
from backends.formats.pickle.lines import read_float, read_int, read_long
from backends.formats.pickle.opcodes import LINE_CHECKS
from backends.formats.pickle.reader import Budget, Stopped
from backends.formats.pickle.stack import PickleStack
from backends.formats.pickle.values import Opaque, Span, Value

KEEP = 4096
"""Text and bytes up to this length are kept; of longer ones the place alone."""
NESTED_HEAD = 512
_LEAST_NESTED = 3
_MOST_ESCAPED = 1 << 20
_double = struct.Struct(">d").unpack_from


class PickleLiterals(PickleStack):
    """The opcodes that push a constant; each method is one opcode.

    `inner` collects the bytes among them that could be a pickle themselves.
    """

    def __init__(self, source: Source, budget: Budget, findings: list[Finding]) -> None:
        super().__init__(source, budget, findings)
        self.inner: list[Source] = []

    def _none(self) -> None:
        self.stack.append(None)

    def _newtrue(self) -> None:
        self.stack.append(True)

    def _newfalse(self) -> None:
        self.stack.append(False)

    def _binint1(self) -> None:
        position = self.position
        self.position = position + 1
        self.stack.append(self.data[position])

    def _binint2(self) -> None:
        self.stack.append(self._fixed(2))

    def _binint(self) -> None:
        value = self._fixed(4)
        self.stack.append(value - (1 << 32) if value >> 31 else value)

    def _int(self) -> None:
        self.stack.append(self._number("INT", read_int))

    def _long(self) -> None:
        self.stack.append(self._number("LONG", read_long))

    def _long1(self) -> None:
        self._long_bytes(self._fixed(1))

    def _long4(self) -> None:
        length = self._fixed(4)
        if length >> 31:
            raise Stopped("malformed", "an integer of negative length", self.offset)
        self._long_bytes(length)

    def _long_bytes(self, length: int) -> None:
        data = self.take(self.position, length, "bytes", KEEP)
        value = Opaque(f"an integer of {length} bytes") if data is None else int.from_bytes(data, "little", signed=True)
        self.stack.append(value)

    def _float(self) -> None:
        self.stack.append(self._number("FLOAT", read_float))

    def _binfloat(self) -> None:
        position = self.position
        self.position = position + 8
        self.stack.append(_double(self.data, position)[0])

    # text and bytes

    def _short_binunicode(self) -> None:
        position = self.position
        start = position + 1
        stop = start + self.data[position]
        if stop > self.end:
            self._text(start, stop - start)
        else:
            self.stack.append(str(self.data[start:stop], "utf-8", "surrogatepass"))
            self.position = stop

    def _binunicode(self) -> None:
        length = self._fixed(4)
        self._text(self.position, length)

    def _binunicode8(self) -> None:
        length = self._fixed(8)
        self._text(self.position, length)

    def _text(self, start: int, length: int) -> None:
        offset = self.base + start
        data = self.take(start, length, "utf-8", KEEP)
        if data is None:
            self.stack.append(Span(self.source, offset, length, "utf-8"))
        else:
            self.stack.append(str(data, "utf-8", "surrogatepass"))

    def _unicode(self) -> None:
        span = self._text_line("raw-unicode-escape")
        self.stack.append(str(span, "raw-unicode-escape") if isinstance(span, bytes) else span)

    def _string(self) -> None:
        line = self._text_line("escaped")
        span = isinstance(line, Span)
        ends = line.source.read(line.offset, 1) + line.source.read(line.offset + line.length - 1, 1) if span else line
        if len(ends) < 2 or not LINE_CHECKS["STRING"].match(ends):
            raise Stopped("malformed", "a string without its quotes", self.offset)
        if span:
            self.stack.append(line)
            self._look_inside(line.read(_MOST_ESCAPED).encode("latin-1"))
            return
        try:
            data = codecs.escape_decode(line[1:-1])[0]
        except ValueError:
            raise Stopped("malformed", "a string with a broken escape", self.offset) from None
        self.stack.append(data.decode("latin-1"))
        self._look_inside(data)

    def _text_line(self, encoding: str) -> Value:
        start = self.position
        stop = self.data.find(b"\n", start, self.end)
        if 0 <= stop <= start + KEEP:
            self.position = stop + 1
            return self.data[start:stop]
        return self.long_line(encoding)

    def _short_binstring(self) -> None:
        self._bytes(self._fixed(1), "latin-1")

    def _binstring(self) -> None:
        length = self._fixed(4)
        if length >> 31:
            self.report("odd-literal", "a string of negative length, which CPython's C unpickler takes for a long one")
        self._bytes(length, "latin-1")

    def _short_binbytes(self) -> None:
        self._bytes(self._fixed(1), "bytes")

    def _binbytes(self) -> None:
        self._bytes(self._fixed(4), "bytes")

    def _binbytes8(self) -> None:
        self._bytes(self._fixed(8), "bytes")

    def _bytearray8(self) -> None:
        self._bytes(self._fixed(8), "bytes")

    def _bytes(self, length: int, encoding: str) -> None:
        start = self.position
        offset = self.base + start
        if length >= _LEAST_NESTED and (start >= self.end or self.data[start] in STARTS):
            head = self.head(start, min(length, NESTED_HEAD))
            if may_hold_pickle(head, length):
                self.inner.append(Part(self.source, offset, min(length, max(0, self.size - offset))))
        data = self.take(start, length, encoding, KEEP)
        if data is None:
            self.stack.append(Span(self.source, offset, length, encoding))
        else:
            self.stack.append(data if encoding == "bytes" else data.decode(encoding))

    def _look_inside(self, data: bytes) -> None:
        """Note bytes that are spelled otherwise than as they are, where they could be a pickle themselves."""
        if len(data) >= _LEAST_NESTED and may_hold_pickle(data[:NESTED_HEAD], len(data)):
            self.inner.append(MemorySource(data))
