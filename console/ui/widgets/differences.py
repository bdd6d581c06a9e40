"""Columns of data that does not fit a model: what is expected beside what was found, in an aligned table."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from console.records import Difference, Failure
from console.safe_text import safe
from console.ui import text

_GAP = 3
_LEAST_NAME = 12


def difference_lines(failure: Failure, width: int, most: int = 200) -> list[Content]:
    """A heading and a line a column, `most` of them, of at most `width` cells; names keep both their ends."""
    rows = [_cells(one) for one in failure.differences[:most]]
    if not rows:
        return []
    name, expected, _found = (
        max(map(cell_len, column)) for column in zip(("column", "expected", ""), *rows, strict=True)
    )
    expected = min(expected, max(len("expected"), (width - _LEAST_NAME) // 3))
    name = min(name, max(_LEAST_NAME, (width - expected - 2 * _GAP) // 2))
    found = max(8, width - name - expected - 2 * _GAP)

    def line(cells: tuple[str, str, str], styles: tuple[str, str, str]) -> Content:
        parts = (text.cut_middle(cells[0], name), text.cut(cells[1], expected), text.cut(cells[2], found))
        padded = (text.padded(parts[0], name + _GAP), text.padded(parts[1], expected + _GAP), parts[2])
        return Content.assemble(*zip(padded, styles, strict=True))

    head = line(("column", "expected", "found"), ("bold $quiet",) * 3)
    lines = [line(cells, ("bold", "$quiet", "$error")) for cells in rows]
    more = failure.differing - len(rows)
    return [head, *lines, *([Content.styled(f"and {more:,} more", "$quiet")] if more > 0 else [])]


def _cells(one: Difference) -> tuple[str, str, str]:
    column = safe(one.column, 200) if one.column else "columns in all"
    return column, safe(one.expected or "not wanted", 80), safe(one.found or "missing", 200)
