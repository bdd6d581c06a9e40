"""The walk over a whole ONNX file: every byte belongs to a known field, or the walk says that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from backends.core.errors import Damaged
from backends.core.protobuf import LENGTH, VARINT, WireReader
from backends.core.source import Source
from backends.formats.onnx.schema import SCHEMA, Field

_DEPTH = 100
"""Messages inside messages: protocol buffers' own readers follow no more."""
_TEXTS = {"text": 4096, "long": 1 << 16}
"""How many bytes of a text are kept."""
_WIDTHS = {"float": 4, "double": 8, "numbers": 1, "texts": 1}
"""Kinds of lists that are passed over, and the least bytes of a value without its tag."""

Fold = Callable[[str, "dict[str, Any]", int], Any]
"""Makes a fact of a message (kind, fields, offset); None = there is nothing to keep of it."""


class ListField(NamedTuple):
    """A list that was passed over: `most` values or fewer, their fields between `start` and `end`."""

    most: int
    start: int
    end: int


class Walker:
    """Walks the messages of one source from the inside out and hands each to `fold`."""

    def __init__(self, source: Source, fold: Fold) -> None:
        self.unknown: list[int] = []
        self._reader = WireReader(source)
        self._fold = fold

    def message(self, kind: str, start: int, end: int, depth: int = 0) -> Any:
        """The fold of the message between these offsets. Raises Damaged, OSError."""
        if depth > _DEPTH:
            raise Damaged(f"messages nested more than {_DEPTH} levels deep, which no reader follows", offset=start)
        fields, position = SCHEMA[kind], start
        found: dict[str, Any] = {}
        while position < end:
            tag, after = self._reader.varint(position, end)
            field = fields.get(tag)
            if field is None:
                position = self._unknown(tag, position, after, end)
            elif field.kind in _WIDTHS:
                position = self._passed(field, found, tag, position, end)
            else:
                position = self._kept(field, found, after, end, depth)
        return self._fold(kind, found, start)

    def texts(self, listed: ListField, most: int) -> Iterator[str]:
        """The first values of a list of texts."""
        for start, end in self._values(listed, most):
            yield self._text(*self._reader.span(start, end), _TEXTS["text"])

    def numbers(self, listed: ListField, most: int) -> Iterator[int]:
        """The first values of a list of whole numbers, packed or not."""
        for start, end in self._values(listed, most):
            yield signed(self._reader.varint(start, end)[0])

    def _values(self, listed: ListField, most: int) -> Iterator[tuple[int, int]]:
        """Where values of a list stand: behind a tag each, or packed behind one."""
        reader, position = self._reader, listed.start
        first = reader.varint(position, listed.end)[0]
        while position < listed.end and most > 0:
            tag, after = reader.varint(position, listed.end)
            position = reader.skip(tag & 7, after, listed.end)
            if tag == first:
                yield after, position
                most -= 1

    def _unknown(self, tag: int, position: int, after: int, end: int) -> int:
        if not 0 < tag >> 3 < 1 << 29:
            raise Damaged(f"{tag >> 3} is no number of a field", offset=position)
        if len(self.unknown) < 100:
            self.unknown.append(position)
        return self._reader.skip(tag & 7, after, end)

    def _passed(self, field: Field, found: dict[str, Any], tag: int, position: int, end: int) -> int:
        """The end of a list, or of a part of it, whose values are not kept."""
        before = found.get(field.name, ListField(0, position, position))
        width = _WIDTHS[field.kind]
        _tag, after = self._reader.varint(position, end)
        stop = self._reader.skip(tag & 7, after, end)
        if field.packed >= 0:
            start, _end = self._reader.span(after, end)
            if (stop - start) % width:
                raise Damaged(f"{stop - start:,} bytes are no whole numbers of {width}", offset=position)
            count = (stop - start) // width
        else:
            stop = self._reader.run(tag, stop, end) if tag < 0x80 else stop
            count = (stop - position) // (width + 1)
        found[field.name] = ListField(before.most + count, before.start, stop)
        return stop

    def _kept(self, field: Field, found: dict[str, Any], position: int, end: int, depth: int) -> int:
        """The end of a value that was put among those found."""
        if field.wire != LENGTH:
            value, stop = self._scalar(field, position, end)
        else:
            start, stop = self._reader.span(position, end)
            value = self._spanned(field, start, stop, depth)
        if not field.many and field.name in found:
            raise Damaged(f"the field {field.name} stands twice, which no writer does", offset=position)
        if isinstance(value, list) and field.packed >= 0:
            found.setdefault(field.name, []).extend(value)
        elif field.many and value is not None:
            found.setdefault(field.name, []).append(value)
        elif not field.many:
            found[field.name] = value
        return stop

    def _scalar(self, field: Field, position: int, end: int) -> tuple[Any, int]:
        if field.wire == VARINT:
            value, stop = self._reader.varint(position, end)
            return signed(value), stop
        return None, self._reader.skip(field.wire, position, end)

    def _spanned(self, field: Field, start: int, end: int, depth: int) -> Any:
        if field.kind == "skipped":
            return None
        if field.kind in _TEXTS:
            return self._text(start, end, _TEXTS[field.kind])
        if field.kind == "bytes":
            return start, end
        if field.kind == "int":
            return self._packed(start, end)
        return self.message(field.kind, start, end, depth + 1)

    def _packed(self, start: int, end: int) -> list[int]:
        values = []
        while start < end:
            value, start = self._reader.varint(start, end)
            values.append(signed(value))
        return values

    def _text(self, start: int, end: int, most: int) -> str:
        text = self._reader.read(start, min(end - start, most)).decode("utf-8", "backslashreplace")
        return text if end - start <= most else text + "…"


def signed(value: int) -> int:
    """A number of 64 bits with its sign."""
    return value - (1 << 64) if value >> 63 else value
