"""The one door for text from outside: what passes here can no longer steer a terminal or mislead an eye."""

from __future__ import annotations

import os
import re
import unicodedata

SIGNS = {
    "●": "*",
    "○": "o",
    "▲": "!",
    "✖": "x",
    "✔": "+",
    "▶": ">",
    "◐": "~",
    "◌": ":",
    "…": "..",
    "·": "-",
    "›": ">",
    "─": "-",
    "–": "-",
    "▌": ">",
    "◆": "#",
    "↑": "^",
    "↓": "v",
    "→": "->",
    "←": "<-",
    "│": "|",
    "━": "=",
    "×": "x",
    "±": "~",
    "µ": "u",
    "“": '"',
    "”": '"',
    "’": "'",
    "—": "-",
}
"""Our own signs, and what stands for them where a terminal has ASCII alone."""
_KEEP_LINES = "\n"
_MARKS_IN_A_ROW = 2
_BYTES = ("\udc80", "\udcff")
"""What os.fsdecode makes of the bytes 0x80 to 0xff of a name that is no UTF-8; they are shown as bytes."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_STEERING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of characters that steer a terminal, hide, or stand for nothing."""


def safe(text: object, limit: int = 500, *, lines: bool = False) -> str:
    """`text` as visible characters: controls, bidirectional and zero-width signs and lone surrogates are escaped,
    and the bytes of a name that are no UTF-8 read as such (`\\xff`).

    `limit` caps the result in characters, the cut marked by an ellipsis (0 = no cap). With `lines` newlines stay and
    tabs become spaces. Combining marks beyond two on one character are dropped. The result is plain text, not markup.
    """
    if isinstance(text, (bytes, bytearray)):
        text = os.fsdecode(bytes(text))
    raw = text if isinstance(text, str) else str(text)
    if limit and len(raw) > limit:
        raw = raw[: limit - 1] + "…"
    if raw.isascii() and raw.isprintable():
        return raw
    out: list[str] = []
    marks = 0
    for char in raw:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MARKS_IN_A_ROW:
            continue
        if lines and char == _KEEP_LINES:
            out.append(char)
        elif lines and char == "\t":
            out.append("    ")
        elif category in _STEERING:
            out.append(_escape(char))
        else:
            out.append(char)
    return "".join(out)


def safe_signs(text: str) -> str:
    """`text` with one sign for each of its characters, for a line with a cursor: what steers is `�`."""
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        out.append("�" if category in _STEERING or marks > _MARKS_IN_A_ROW else char)
    return "".join(out)


def as_ascii(text: str) -> str:
    """`text` as ASCII has it: our own signs by what stands for them, all else escaped."""
    return "".join(SIGNS.get(char) or (char if char.isascii() else _escape(char)) for char in text)


def in_utf8(text: str) -> bytes:
    """`text` to be written elsewhere as it stands; what UTF-8 does not have is escaped."""
    return _SURROGATE.sub(lambda found: _escape(found[0]), text).encode()


def _escape(char: str) -> str:
    code = ord(char)
    if _BYTES[0] <= char <= _BYTES[1]:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"
