"""Universal Binary JSON as XGBoost writes it, read strictly: what it announces is checked before memory is asked for.

Specification: ubjson.org, draft 12; typed arrays are kept as arrays of their numbers.
"""

from __future__ import annotations

import array
import struct
import sys
from typing import Any, Union

from backends.core.errors import Damaged

Numbers = Union["array.array[int]", "array.array[float]"]
_DEPTH = 16
_MOST_TEXT = 1 << 24
_INTEGERS = {b"i": "b", b"U": "B", b"I": "h", b"l": "i", b"L": "q"}
_REALS = {b"d": "f", b"D": "d"}
_CODES = {**_INTEGERS, **_REALS}
_WORDS = {b"T": True, b"F": False, b"Z": None}


class OverBudgetError(Exception):
    """More in a file than is read: nobody looked at the rest."""


class Reader:
    """One document of at most so many values beside those in typed arrays; `document` reads it from its first byte to
    its last."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._at = 0
        self._left = most

    def document(self) -> Any:
        """The value that the whole of the bytes are. Raises Damaged, OverBudgetError."""
        found = self._value(self._take(1), 0)
        if self._at != len(self._data):
            raise self._damaged(f"{len(self._data) - self._at:,} bytes follow the model and belong to nothing")
        return found

    def _value(self, mark: bytes, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise OverBudgetError("more values than are checked in a moment")
        if mark in _CODES:
            return self._number(mark)
        if mark == b"S":
            return self._text()
        if mark in _WORDS:
            return _WORDS[mark]
        if depth >= _DEPTH:
            raise self._damaged(f"nested more than {_DEPTH} levels deep")
        if mark == b"{":
            return self._object(depth)
        if mark == b"[":
            return self._array(depth)
        raise self._damaged(f"{mark!r} begins no value")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (mark := self._take(1)) != b"}":
            if mark not in _INTEGERS:
                raise self._damaged(f"{mark!r} begins no name of a field")
            self._at -= 1
            name = self._text()
            if name in found:
                raise self._damaged(f"the field '{name[:60]}' stands there twice")
            found[name] = self._value(self._take(1), depth + 1)
        return found

    def _array(self, depth: int) -> Union[Numbers, list[Any]]:
        mark = self._take(1)
        if mark == b"$":
            kind = self._take(1)
            if kind not in _CODES or self._take(1) != b"#":
                raise self._damaged(f"an array of {kind!r}")
            return self._numbers(kind)
        if mark == b"#":
            count = self._count(1)
            return [self._value(self._take(1), depth + 1) for _ in range(count)]
        found = []
        while mark != b"]":
            found.append(self._value(mark, depth + 1))
            mark = self._take(1)
        return found

    def _numbers(self, kind: bytes) -> Numbers:
        found: Any = array.array(_CODES[kind])
        count = self._count(found.itemsize)
        found.frombytes(self._take(count * found.itemsize))
        if sys.byteorder == "little":
            found.byteswap()
        return found  # type: ignore[no-any-return]

    def _count(self, size: int) -> int:
        """A number of things of which each takes so many bytes at least."""
        count = self._number(self._take(1), whole=True)
        if not 0 <= count <= (len(self._data) - self._at) // size:
            raise self._damaged(f"{count:,} values are announced, more than the file has bytes for")
        return int(count)

    def _text(self) -> str:
        length = self._number(self._take(1), whole=True)
        if not 0 <= length <= _MOST_TEXT:
            raise self._damaged(f"a text of {length:,} bytes")
        raw = self._take(int(length))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self._damaged("a text that is not UTF-8") from None

    def _number(self, mark: bytes, *, whole: bool = False) -> Any:
        code = _INTEGERS.get(mark) if whole else _CODES.get(mark)
        if code is None:
            raise self._damaged(f"{mark!r} where a number belongs")
        return struct.unpack(f">{code}", self._take(struct.calcsize(f">{code}")))[0]

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise Damaged("cut off: the file ends within the model", offset=len(self._data))
        self._at += length
        return self._data[self._at - length : self._at]

    def _damaged(self, problem: str) -> Damaged:
        return Damaged(problem, offset=self._at)
