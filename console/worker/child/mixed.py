"""Columns that hold texts among numbers, which a model of unknown wants is likely to have failed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

_COLUMNS = 3
_ROWS = 100_000


def mixed(rows: Any) -> str:
    """Columns of mostly numbers and some texts, each with the row of the first text; "" where there is none.

    Rows are counted from 1, without a header. The texts themselves are not told.
    """
    found = []
    for name, cells in _of_objects(rows):
        row = _first_text(cells)
        if row is not None:
            found.append(f"'{name}' (row {row})")
        if len(found) == _COLUMNS:
            break
    return f"texts among the numbers of {', '.join(found)}" if found else ""


def _of_objects(rows: Any) -> Any:
    """The columns that are no array of numbers, by name or by position."""
    if hasattr(rows, "iloc"):
        for at, name in enumerate(rows):
            column = rows.iloc[:_ROWS, at]
            if getattr(column.dtype, "kind", "O") in "OUST":
                yield name, list(column)
    elif getattr(rows, "ndim", 0) == 2 and getattr(getattr(rows, "dtype", None), "kind", "") in "OUT":
        for at in range(rows.shape[1]):
            yield at, rows[:_ROWS, at].tolist()


def _first_text(cells: Sequence[Any]) -> Optional[int]:
    """The row of the first text, where more of the cells are numbers than texts."""
    texts = [row for row, cell in enumerate(cells, 1) if isinstance(cell, str) and cell.strip() and not _number(cell)]
    numbers = sum(1 for cell in cells if not isinstance(cell, str) or _number(cell))
    return texts[0] if texts and numbers > len(texts) else None


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
