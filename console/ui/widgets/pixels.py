"""A small picture in half-block characters: two pixels a cell, so that they are about square."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.color import Color
from textual.content import Content
from textual.style import Style

LEAST_SIDE = 8
_SHADES = " ░▒▓█"
_PLAIN_SHADES = " .:-=+*#%@"


def image_side(values: Sequence[object]) -> int | None:
    """The side of the square picture these numbers are; None where they are something else."""
    side = math.isqrt(len(values))
    if side < LEAST_SIDE or side * side != len(values):
        return None
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return side if len(numbers) == len(values) and min(numbers) >= 0 else None


def scale_for(side: int, columns: int, rows: int) -> int:
    """How many cells wide a pixel may be so that the picture fits; at least 1."""
    return max(1, min(columns // side, 2 * rows // side, 24 // side))


def half_blocks(values: Sequence[float], side: int, scale: int, dark: Color, light: Color) -> list[Content]:
    """The picture between two colours, `scale` cells a pixel across and `scale` half cells down."""
    grey = _normalised(values)
    lines = []
    for top in range(0, side * scale, 2):
        cells = []
        for x in range(side):
            upper = dark.blend(light, grey[top // scale * side + x])
            below = (top + 1) // scale
            lower = dark.blend(light, grey[below * side + x]) if below < side else dark
            cells.append(("▀" * scale, Style(foreground=upper, background=lower)))
        lines.append(Content.assemble(*cells))
    return lines


def shades(values: Sequence[float], side: int, *, plain: bool) -> list[Content]:
    """The picture in characters of growing density, two a pixel, for terminals without colours to spare."""
    grey, marks = _normalised(values), _PLAIN_SHADES if plain else _SHADES
    rows = (grey[start : start + side] for start in range(0, side * side, side))
    return [Content("".join(2 * marks[round(value * (len(marks) - 1))] for value in row)) for row in rows]


def _normalised(values: Sequence[float]) -> list[float]:
    top = max(values, default=0.0) or 1.0
    return [value / top for value in values]
