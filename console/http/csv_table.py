"""A table in CSV: the names of its columns, and their values as numbers where all of a column are."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from typing import Any

from console.errors import InputError, UsageError

_MISSING = frozenset({"", "NA", "NaN", "nan", "null", "None"})
_BOOLS = {"True": True, "true": True, "False": False, "false": False}


def read_csv(body: bytes) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows. Raises InputError, UsageError."""
    try:
        lines = list(csv.reader(body.decode("utf-8-sig").splitlines(keepends=True), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"The body is no CSV in UTF-8: {error}.") from error
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise UsageError("Expected a line with the names of the columns, and at least one row after it.")
    columns, rows = lines[0], lines[1:]
    if any(len(row) != len(columns) for row in rows):
        at, row = next((at, row) for at, row in enumerate(rows) if len(row) != len(columns))
        raise InputError(f"Row {at}: expected {len(columns)} values, found {len(row)}.")
    values = [_column(list(texts)) for texts in zip(*rows, strict=True)]
    return columns, list(zip(*values, strict=True))


def _column(texts: Sequence[str]) -> list[Any]:
    """A column as whole numbers, numbers, truths or texts, whichever all of it is; what is missing is None."""
    for reader in (int, float, _BOOLS.__getitem__):
        if (found := _read(texts, reader)) is not None:
            return found
    return [None if text in _MISSING else text for text in texts]


def _read(texts: Sequence[str], reader: Callable[[str], Any]) -> list[Any] | None:
    try:
        return [None if text in _MISSING else reader(text) for text in texts]
    except (ValueError, KeyError):
        return None
