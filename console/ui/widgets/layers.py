"""The layers of a network as a table: name, class, the shape that each gives, and how many numbers it has."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from backends.core.inspection import Inspection, Json
from console.safe_text import safe
from console.ui.widgets.keyvalue import pairs

DETAIL = "layers"
"""The key of the details that has a record for each layer."""
_MOST = 200


def layer_lines(found: Inspection, width: int) -> list[Content]:
    """A line for each layer; none where the details list no layers."""
    listed = found.details.get(DETAIL)
    rows = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not rows:
        return []
    shown = rows[:_MOST]
    classes = [safe(str(one.get("class", "")), 30) for one in shown]
    shapes = [_shape(one.get("output_shape")) for one in shown]
    wide, shape_wide = max(map(len, classes)), max(map(len, shapes))
    table = [
        (safe(str(row.get("name", "")), 40), f"{kind:<{wide}}  {shape:<{shape_wide}}  {_count(row)}".strip())
        for row, kind, shape in zip(shown, classes, shapes, strict=True)
    ]
    lines = pairs(table, width)
    if len(rows) > _MOST:
        lines.append(Content.styled(f"and {len(rows) - _MOST} more", "$quiet"))
    return lines


def _shape(value: Json) -> str:
    """`? x 28 x 28 x 1`: a question mark is a side of any length."""
    sides = value if isinstance(value, list) else []
    return safe(" x ".join("?" if side is None else str(side) for side in sides), 40)


def _count(row: Mapping[str, Json]) -> str:
    number = row.get("parameters")
    return f"{number:,}" if isinstance(number, int) and number else ""
