"""The text of a model as blocks of `key=value` lines, each told with its offset; and the lists of numbers in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from backends.core.errors import Damaged

T = TypeVar("T")
_WHOLE = re.compile(r"-?\d{1,18}")
_ONES = re.compile(r"(?:-?\d{1,18}(?: +|$))*")
_REALS = re.compile(r"(?:[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?|\.\d+|inf|nan|NaN|Infinity|1\.#INF)(?: +|$))*")


class Block(NamedTuple):
    """Lines of one part of a file: values by key, the offset of the first, and the lines that hold no `=`."""

    values: dict[str, str]
    offset: int
    words: tuple[str, ...]

    def text(self, key: str) -> str:
        """A value that must be there. Raises Damaged."""
        if key not in self.values:
            raise Damaged(f"'{key}' is missing", offset=self.offset)
        return self.values[key]

    def whole(self, key: str, least: int, most: int) -> int:
        """A number between two others. Raises Damaged."""
        text = self.text(key).strip()
        number = int(text) if _WHOLE.fullmatch(text) else least - 1
        if not least <= number <= most:
            raise Damaged(f"'{key}' is {text[:40]!r}, and {least} to {most} can be", offset=self.offset)
        return number

    def ones(self, key: str, count: int) -> list[int]:
        """So many whole numbers. Raises Damaged."""
        text = self.text(key).strip()
        if _ONES.fullmatch(text) is None:
            raise Damaged(f"'{key}' holds something that is no whole number", offset=self.offset)
        return self._counted(key, list(map(int, text.split())), count)

    def reals(self, key: str, count: int) -> None:
        """Check that there are so many numbers. Raises Damaged."""
        text = self.text(key).strip()
        if _REALS.fullmatch(text) is None:
            raise Damaged(f"'{key}' holds something that is no number", offset=self.offset)
        self._counted(key, text.split(), count)

    def _counted(self, key: str, found: list[T], count: int) -> list[T]:
        if len(found) != count:
            raise Damaged(f"'{key}' has {len(found):,} values where {count:,} belong", offset=self.offset)
        return found


def block(text: str, offset: int) -> Block:
    """The lines of this text. Raises Damaged for a key that stands there twice."""
    values: dict[str, str] = {}
    words = []
    for line in _lines(text):
        key, equals, value = line.partition("=")
        if not equals:
            words.append(line)
        elif key in values:
            raise Damaged(f"'{key[:100]}' stands there twice", offset=offset)
        else:
            values[key] = value
    return Block(values, offset, tuple(words))


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.replace("\r\n", "\n").split("\n") if line)
