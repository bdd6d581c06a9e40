"""The text form of protocol buffers, bounded: messages as mappings from field to all of its values."""

from __future__ import annotations

import re
from typing import Any, NoReturn, Optional

from backends.core.errors import Damaged

MAX_BYTES = 1 << 18
_MAX_TOKENS = 50_000
_MAX_DEPTH = 20
_BLANK = re.compile(r"(?:[\s,;]|#[^\n]*)*")
_TOKEN = re.compile(
    r"""([A-Za-z_][\w./-]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([-+]?\.?[0-9][\w.+-]*)|(.)""", re.DOTALL
)
_CLOSING = {"{": "}", "<": ">"}

Message = dict[str, list[Any]]


def parse(data: bytes, what: str) -> Message:
    """The message that a text called `what` holds. Raises Damaged."""
    if len(data) > MAX_BYTES:
        raise Damaged(f"{what} has {len(data):,} bytes, and at most {MAX_BYTES:,} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not valid UTF-8", offset=error.start) from None
    return _Reader(text, what).message("", 0)


class _Reader:
    """Tokens of one text, in order."""

    def __init__(self, text: str, what: str) -> None:
        self._what = what
        self._tokens: list[tuple[int, str, Any]] = []
        self._next = 0
        at = _end(_BLANK.match(text))
        while (match := _TOKEN.match(text, at)) is not None:
            self._tokens.append((at, *_told(match)))
            at = _end(_BLANK.match(text, match.end()))
        if len(self._tokens) > _MAX_TOKENS:
            self._fail("it holds more than any such text")

    def _fail(self, why: str) -> NoReturn:
        at = self._tokens[min(self._next, len(self._tokens) - 1)][0] if self._tokens else 0
        raise Damaged(f"{self._what} is not valid: {why}", offset=at)

    def _peek(self) -> tuple[str, Any]:
        return self._tokens[self._next][1:] if self._next < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, Any]:
        found = self._peek()
        self._next += 1
        return found

    def message(self, closing: str, depth: int) -> Message:
        """Fields until the closing mark, or the end of the text where that is empty."""
        if depth > _MAX_DEPTH:
            self._fail("it is nested too deep")
        found: Message = {}
        while True:
            kind, value = self._take()
            if (kind, value) == ("mark", closing) or (kind == "end" and not closing):
                return found
            if kind != "name":
                self._fail("no field stands there")
            field = found.setdefault(value, [])
            if self._peek() == ("mark", ":"):
                self._next += 1
            field.extend(self._values(depth))

    def _values(self, depth: int) -> list[Any]:
        kind, value = self._take()
        if kind == "mark" and value in _CLOSING:
            return [self.message(_CLOSING[value], depth + 1)]
        if (kind, value) == ("mark", "["):
            found: list[Any] = []
            while self._peek() != ("mark", "]"):
                if depth > _MAX_DEPTH:
                    self._fail("it is nested too deep")
                found.extend(self._values(depth + 1))
            self._next += 1
            return found
        if kind in ("mark", "end"):
            self._fail("a field has no value")
        while kind == "text" and self._peek()[0] == "text":
            value += self._take()[1]
        return [value]


def _end(match: Optional[re.Match[str]]) -> int:
    return match.end() if match is not None else 0


def _told(match: re.Match[str]) -> tuple[str, Any]:
    name, text, number, mark = match.groups()
    if name is not None:
        return "name", name
    if text is not None:
        return "text", re.sub(r"\\(.)", r"\1", text[1:-1])
    if number is not None:
        return "number", int(number) if re.fullmatch(r"[-+]?[0-9]{1,18}", number) else number
    return "mark", mark
