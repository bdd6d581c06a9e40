"""The literals of a pickle: numbers, text and bytes; long ones are passed over unread."""

from __future__ import annotations

import codecs
import struct

from backends.pickle_opcodes import LINE_CHECKS, looks_like_nested_pickle
from backends.pickle_reader import Stopped
from backends.pickle_stack import PickleStack
from backends.pickle_values import Opaque, Span, Value

__all__ = ["KEEP", "PickleLiterals"]

KEEP = 4096
"""Text and bytes up to this length are kept; of longer ones the place alone."""
_NESTED_HEAD = 256
_double = struct.Struct(">d").unpack_from


class PickleLiterals(PickleStack):
    """The opcodes that push a constant; each method is one opcode."""

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
        line = self._checked("INT")
        self.stack.append(line == b"01" if line in (b"00", b"01") else self._number(line))

    def _long(self) -> None:
        self.stack.append(self._number(self._checked("LONG").rstrip(b"L")))

    def _number(self, line: bytes) -> Value:
        return int(line or 0) if len(line) < 4000 else Opaque(f"an integer of {len(line)} digits")

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
        self.stack.append(float(self._checked("FLOAT") or 0))

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
        if isinstance(line, Span):
            self.stack.append(line)
        elif len(line) < 2 or not LINE_CHECKS["STRING"].match(line):
            raise Stopped("malformed", "a string without its quotes", self.offset)
        else:
            try:
                self.stack.append(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))
            except ValueError:
                raise Stopped("malformed", "a string with a broken escape", self.offset) from None

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
            raise Stopped("malformed", "a string of negative length", self.offset)
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
        nested = length >= 16 and start + 2 <= self.end and self.data[start] == 0x80
        head = self.head(start, min(length, _NESTED_HEAD)) if nested or start + 2 > self.end else b""
        data = self.take(start, length, encoding, KEEP)
        if head and looks_like_nested_pickle(head):
            self.report("nested-pickle", f"{length} bytes that are a pickle themselves", offset)
        if data is None:
            self.stack.append(Span(self.source, offset, length, encoding))
        else:
            self.stack.append(data if encoding == "bytes" else data.decode(encoding))
