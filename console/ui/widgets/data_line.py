"""How a data file was read, on one line: what does not fit gives way in the middle, since both ends tell most."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.cells import cell_len

from console.records import DataFile
from console.safe_text import safe
from console.ui import text

_LONGEST_NAME = 40
_OWN_WORDS = ("columns by", "ignored: ", "index left out: ", "an empty last column")
"""Words that may follow a list of names."""


def read_words(file: DataFile, width: int) -> str:
    """The target, and how the file was read, in at most `width` cells."""
    return fitted([f"target {safe(file.target)}" if file.target else "", *_decided(file)], width)


def file_words(file: DataFile, width: int) -> str:
    """The same behind the file's name and its rows."""
    name = text.cut_middle(safe(os.path.basename(file.path)), _LONGEST_NAME)
    target = f"target {safe(file.target)}" if file.target else ""
    return fitted([name, text.count(file.rows, "row"), target, *_decided(file)], width)


def _decided(file: DataFile) -> list[str]:
    """The words of `decided` one by one; the names behind a colon stay together."""
    parts: list[str] = []
    for part in safe(file.decided, 2000).split(", ") if file.decided else ():
        if parts and ": " in parts[-1] and not part.startswith(_OWN_WORDS):
            parts[-1] += f", {part}"
        else:
            parts.append(part)
    return parts


def fitted(parts: Sequence[str], width: int) -> str:
    """The parts side by side; where there is no room, those before the last one give way to a mark.

    The last one is how the columns were matched; which were left out, named before it, stays as well.
    """
    parts = [part for part in parts if part]
    whole = text.joined(parts)
    if cell_len(whole) <= width:
        return whole
    last = 2 if len(parts) > 1 and ": " in parts[-2] else 1
    for kept in range(len(parts) - 1 - last, 0, -1):
        shorter = text.joined([*parts[:kept], text.sign("…"), *parts[-last:]])
        if cell_len(shorter) <= width:
            return shorter
    return text.cut_middle(whole, width)
