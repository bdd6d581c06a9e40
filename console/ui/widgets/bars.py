"""Named numbers as bars, the largest first: operators of a graph by count, features of a booster by gain."""

from __future__ import annotations

import math

from textual.content import Content

from backends.core.inspection import Json
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.keyvalue import Value, pairs

_MOST = 40
_LONGEST = 20


def is_counted(value: Json) -> bool:
    """Whether a detail is names with numbers, which bars can show."""
    return isinstance(value, dict) and bool(value) and all(_is_number(number) for number in value.values())


def bar_lines(value: Json, width: int) -> list[Content]:
    """A line for each name: its number, and a bar as long as its part of the largest; none for anything else."""
    if not is_counted(value) or not isinstance(value, dict):
        return []
    ranked = sorted(
        ((safe(name, 40), float(number)) for name, number in value.items() if isinstance(number, (int, float))),
        key=lambda pair: -pair[1],
    )
    shown = ranked[:_MOST]
    whole = all(number == int(number) for _, number in shown)
    numbers = [f"{int(number):,}" if whole else text.number(number) for _, number in shown]
    wide, most = max(map(len, numbers)), max(shown[0][1], 0.0)
    rows: list[tuple[str, Value]] = [
        (name, Content.assemble(f"{said:>{wide}}  ", (_bar(number, most), "$accent")))
        for (name, number), said in zip(shown, numbers, strict=True)
    ]
    lines = pairs(rows, width)
    if len(ranked) > _MOST:
        lines.append(Content.styled(f"and {len(ranked) - _MOST:,} more", "$quiet"))
    return lines


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _bar(number: float, most: float) -> str:
    if most <= 0 or number <= 0:
        return ""
    return ("=" if text.is_ascii() else "━") * max(1, round(_LONGEST * number / most))
