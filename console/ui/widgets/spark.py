"""A strip of values one line high: braille columns, or ASCII where braille is not available."""

from __future__ import annotations

from collections.abc import Sequence

from console.ui import text

_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_ASCII_LEVELS = " .-=#"


def spark(values: Sequence[float | None]) -> str:
    """`values` as half as many characters, scaled from zero to the greatest; None is a gap, not a zero."""
    known = [value for value in values if value is not None]
    top = max(known, default=0.0) or 1.0
    levels = [0 if value is None else max(1, min(4, round(4 * value / top))) for value in values]
    if len(levels) % 2:
        levels.insert(0, 0)
    pairs = list(zip(levels[::2], levels[1::2], strict=True))
    if text.is_ascii():
        return "".join(_ASCII_LEVELS[max(pair)] for pair in pairs)
    return "".join(chr(0x2800 | _LEFT[left] | _RIGHT[right]) if left or right else " " for left, right in pairs)
