"""From the bytes of one line of output to the text that a terminal would be left with."""

from __future__ import annotations

import codecs
import re

LINE_CAP = 4_000
"""Bytes kept of a line; the others are counted."""

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, moves, erasures
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
    r"|\x1b[()][0-9A-Za-z]|\x1b[=>78cDEHM]"
)
_RUBBED_OUT = re.compile(r"[^\x08]\x08")


def last_state(line: bytes) -> bytes:
    """The bytes behind the last carriage return that anything follows."""
    return line[line.rstrip(b"\r").rfind(b"\r") + 1 :]


def line_text(line: bytes, left_out: int = 0, *, ended: bool = True) -> str:
    """A line as text: colours and moves taken out, a character before a backspace too, bad bytes as escapes.

    A line that has not `ended` may stop within a character, which is waited for.
    """
    if line.isascii():
        text = line.decode("ascii")
    else:
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        text = decoder.decode(line, final=ended and not left_out)
    if "\x1b" in text:
        text = _SEQUENCES.sub("", text)
    text = text.rstrip("\r")
    if "\r" in text:
        text = text[text.rfind("\r") + 1 :]
    while "\x08" in text:
        text, found = _RUBBED_OUT.subn("", text)
        if not found:
            text = text.replace("\x08", "")
    return f"{text}… {left_out:,} bytes more" if left_out else text
