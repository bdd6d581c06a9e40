"""The plain part of YAML that tools write about models: mappings, lists and scalars, strictly and bounded.

No anchors, aliases, tags, merge keys, complex keys or several documents: a text that has any is refused, not guessed.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn, Optional

from backends.core.errors import Damaged
from backends.core.inspection import Json

MAX_BYTES = 1 << 20
MAX_LINES = 20_000
_MAX_DEPTH = 20
_PLAIN_KEY = r"(?:[^\s'\"\[\]{},#&*!|>%@`?-]|-[^\s:])(?:[^\n:]|:(?!\s|$))*"
_KEY = re.compile(rf"(?:'((?:[^']|'')*)'\s*|\"([^\"\\]*)\"\s*|({_PLAIN_KEY})):(?=\s|$)")
_SINGLE = re.compile(r"'((?:[^']|'')*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_FLOW_PLAIN = re.compile(r"[^\s,\[\]{}:#&*!|>'\"%@`](?:[^,\[\]{}\n:]|:(?!\s|$))*")
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "_": "\xa0", "N": "\x85"}
_WORDS: dict[str, Json] = {"": None, "~": None, "null": None, "true": True, "false": False}


class _Line(NamedTuple):
    at: int
    indent: int
    text: str


def parse(data: bytes, what: str) -> dict[str, Json]:
    """The mapping that a text called `what` holds. Raises Damaged with the line that is none of this."""
    if len(data) > MAX_BYTES or data.count(b"\n") > MAX_LINES:
        raise Damaged(f"{what} is longer than any such text, and is not read")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not valid UTF-8", offset=error.start) from None
    return _Reader(text, what).whole()


class _Reader:
    """One text, read line by line; `_next` is the line that is read next."""

    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what
        self._next = 0
        self._lines: list[_Line] = []
        at = 0
        for line in text.split("\n"):
            bare = line.strip(" ")
            self._lines.append(_Line(at, len(line) - len(line.lstrip(" ")), "" if bare.startswith("#") else bare))
            at += len(line) + 1

    def whole(self) -> dict[str, Json]:
        """The mapping that the whole text is."""
        first = self._peek()
        if first is not None and first.text == "---":
            self._next += 1
            first = self._peek()
        if first is None:
            return {}
        found = self._flow_document(first) if first.text[0] == "{" else self._block(first.indent, 0)
        if self._peek() is not None:
            self._fail("what follows is no part of the mapping")
        if not isinstance(found, dict):
            self._fail("it is no mapping")
        return found

    def _flow_document(self, line: _Line) -> Json:
        return self._flow_value(line.at + line.indent)

    def _fail(self, why: str) -> NoReturn:
        at = self._lines[min(self._next, len(self._lines) - 1)].at
        raise Damaged(f"{self._what} is not read from its line {self._next + 1} on: {why}", offset=at)

    def _peek(self) -> Optional[_Line]:
        while self._next < len(self._lines) and not self._lines[self._next].text:
            self._next += 1
        return self._lines[self._next] if self._next < len(self._lines) else None

    def _block(self, indent: int, depth: int) -> Json:
        if depth > _MAX_DEPTH:
            self._fail("it is nested too deep")
        line = self._peek()
        if line is not None and (line.text == "-" or line.text.startswith("- ")):
            return self._sequence(indent, depth)
        return self._mapping(indent, depth)

    def _mapping(self, indent: int, depth: int) -> Json:
        found: dict[str, Json] = {}
        while (line := self._peek()) is not None and line.indent == indent:
            match = _KEY.match(line.text)
            if match is None or "\t" in line.text[: match.end()]:
                self._fail("no key stands there")
            single, double, plain = match.groups()
            key = single.replace("''", "'") if single is not None else double if double is not None else plain.rstrip()
            if key in found or key == "<<":
                self._fail(f"the key '{key[:60]}' stands twice" if key in found else "a merge key")
            found[key] = self._value(line, match.end(), indent, depth, lists=True)
        if (line := self._peek()) is not None and line.indent > indent:
            self._fail("the line is indented further than it can be")
        return found

    def _sequence(self, indent: int, depth: int) -> Json:
        found: list[Json] = []
        while (line := self._peek()) is not None and line.indent == indent:
            if line.text != "-" and not line.text.startswith("- "):
                break
            rest = line.text[1:].lstrip(" ")
            inner = len(line.text) - len(rest)
            if rest == "-" or rest.startswith("- ") or (rest and rest[0] not in "[{|>" and _KEY.match(rest)):
                self._lines[self._next] = _Line(line.at, indent + inner, rest)
                found.append(self._block(indent + inner, depth + 1))
            else:
                found.append(self._value(line, inner, indent, depth, lists=False))
        return found

    def _value(self, line: _Line, start: int, indent: int, depth: int, *, lists: bool) -> Json:
        """The value behind a key or a dash, which may go on in the lines beneath."""
        rest = line.text[start:].lstrip(" ")
        at = line.at + line.indent + len(line.text) - len(rest)
        if not rest or rest.startswith("#"):
            self._next += 1
            beneath = self._peek()
            if beneath is None or beneath.indent < indent:
                return None
            listed = beneath.text == "-" or beneath.text.startswith("- ")
            if beneath.indent > indent or (lists and listed):
                return self._block(beneath.indent, depth + 1)
            return None
        if rest[0] in "&*!%@`" or rest.startswith("? "):
            self._fail("anchors, aliases and tags are not read")
        if rest[0] in "'\"":
            return self._quoted(at)
        if rest[0] in "[{":
            return self._flow_value(at)
        if rest[0] in "|>":
            return self._literal(rest, indent)
        return _scalar(self._plain(rest, indent))

    def _plain(self, rest: str, indent: int) -> str:
        parts = [rest]
        self._next += 1
        while (line := self._peek()) is not None and line.indent > indent:
            parts.append(line.text)
            self._next += 1
        text = " ".join(parts)
        if re.search(r":\s", text) or text.endswith(":"):
            self._fail("a mapping stands in a value")
        return re.split(r"\s#", text)[0].strip()

    def _literal(self, rest: str, indent: int) -> str:
        """A block of lines as they are, or folded into one."""
        self._next += 1
        parts = []
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if line.text and line.indent <= indent:
                break
            parts.append(line.text)
            self._next += 1
        return ("\n" if rest[0] == "|" else " ").join(parts).strip("\n")

    def _quoted(self, at: int) -> str:
        text, end = self._quoted_at(at)
        self._end_at(end)
        return text

    def _quoted_at(self, at: int) -> tuple[str, int]:
        double = self._text[at] == '"'
        match = (_DOUBLE if double else _SINGLE).match(self._text, at)
        if match is None:
            self._fail("a quoted text does not end")
        folded = _folded(match[1], double)
        return (_unescaped(folded) if double else folded.replace("''", "'")), match.end()

    def _end_at(self, end: int) -> None:
        """Go on behind the line where a value ended; nothing but a comment may follow it there."""
        rest, _, _ = self._text[end:].partition("\n") if end - len(self._text) else ("", "", "")
        if rest.strip(" ") and not rest.lstrip(" ").startswith("#"):
            self._fail("something follows a value that has ended")
        while self._next < len(self._lines) and self._lines[self._next].at <= end:
            self._next += 1

    def _flow_value(self, at: int) -> Json:
        found, end = self._flow(at, 0)
        self._end_at(end)
        return found

    def _flow(self, at: int, depth: int) -> tuple[Json, int]:
        """A value in brackets, braces or quotes, or a plain one; where it ends."""
        at = self._blank(at)
        if depth > _MAX_DEPTH or at >= len(self._text):
            self._fail("a list in brackets does not end, or is nested too deep")
        mark = self._text[at]
        if mark in "'\"":
            return self._quoted_at(at)
        if mark in "[{":
            return self._flow_items(at, depth)
        match = _FLOW_PLAIN.match(self._text, at)
        if match is None:
            self._fail("no value stands there")
        return _scalar(match[0].strip()), match.end()

    def _flow_items(self, at: int, depth: int) -> tuple[Json, int]:
        closing = "]" if self._text[at] == "[" else "}"
        items: list[Json] = []
        pairs: dict[str, Json] = {}
        at = self._blank(at + 1)
        while self._text[at : at + 1] != closing:
            item, at = self._flow(at, depth + 1)
            if closing == "}":
                at = self._blank(at)
                if self._text[at : at + 1] != ":" or not isinstance(item, (str, int)) or str(item) in pairs:
                    self._fail("a key in braces is none")
                pairs[str(item)], at = self._flow(at + 1, depth + 1)
            else:
                items.append(item)
            at = self._blank(at)
            if self._text[at : at + 1] == ",":
                at = self._blank(at + 1)
            elif self._text[at : at + 1] != closing:
                self._fail("a list in brackets does not end")
        return (items if closing == "]" else pairs), at + 1

    def _blank(self, at: int) -> int:
        while at < len(self._text) and self._text[at] in " \n":
            at += 1
        return at


def _folded(text: str, double: bool) -> str:
    """A quoted text over several lines as one: a line end is a space, an empty line is a line end."""
    lines = text.split("\n")
    out = lines[0]
    ends = 0
    for number, line in enumerate(lines[1:], 1):
        bare = line.strip(" ") if number < len(lines) - 1 else line.lstrip(" ")
        if not bare and number < len(lines) - 1:
            ends += 1
            continue
        goes_on = double and out.endswith("\\") and not ends
        out = out[:-1] + bare if goes_on else out.rstrip(" ") + ("\n" * ends or " ") + bare
        ends = 0
    return out


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
        return _ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", one, text, flags=re.DOTALL)


def _scalar(text: str) -> Json:
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        return _WORDS[text.lower()]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text
