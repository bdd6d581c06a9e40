"""Columns of a data file that do not fit the model, expected and found side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from console.safe_text import safe

if TYPE_CHECKING:
    from console.records import Json

__all__ = ["as_json", "differences_of", "table_lines"]

_SHOWN = 20
_KEYS = ("column", "problem", "expected", "found")


def differences_of(error: ConsoleError) -> list[dict[str, str | None]]:
    """What a worker told of the columns, an object each with column, problem, expected and found; often nothing."""
    told = getattr(error, "details", {}).get("differences")
    rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    return [{key: _text(row.get(key)) for key in _KEYS} for row in rows]


def as_json(error: ConsoleError) -> list[Json]:
    """Them as JSON."""
    return [dict(row) for row in differences_of(error)]


def table_lines(differences: list[dict[str, str | None]]) -> Iterable[str]:
    """Them as an aligned table, of which only the first rows are shown."""
    rows = [[safe(row[key] or "-", 240) for key in _KEYS] for row in differences[:_SHOWN]]
    widths = [max(map(len, column)) for column in zip(_KEYS, *rows, strict=True)]
    for cells in (_KEYS, *rows):
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    if len(differences) > _SHOWN:
        yield f"  and {len(differences) - _SHOWN} more"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
