"""Columns of a data file that do not fit the model, expected and found side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.safe_text import safe

if TYPE_CHECKING:
    from console.records import Failure, Json

__all__ = ["as_json", "table_lines"]

_SHOWN = 20
_KEYS = ("column", "problem", "expected", "found")


def as_json(failure: Failure | None) -> list[Json]:
    """An object for each column; often none."""
    found = failure.differences if failure is not None else ()
    return [{key: getattr(one, key) for key in _KEYS} for one in found]


def table_lines(failure: Failure) -> Iterable[str]:
    """An aligned table, of which only the first rows are shown; nothing where all columns fit."""
    rows = [[safe(getattr(one, key) or "-", 240) for key in _KEYS] for one in failure.differences[:_SHOWN]]
    widths = [max(map(len, column)) for column in zip(_KEYS, *rows, strict=True)]
    for cells in (_KEYS, *rows) if rows else ():
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    if failure.differing > len(rows):
        yield f"  and {failure.differing - len(rows):,} more"
