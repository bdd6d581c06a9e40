"""Cells of one column, typed: whole numbers, numbers or truth values where all are, else text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Optional

__all__ = ["MISSING", "Column"]

MISSING = frozenset(
    (
        *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "None"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    )
)
"""Spellings of a missing value, as pandas.read_csv takes them."""
_BOOLS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_NAN = float("nan")
_SHARED_TEXTS = 1 << 16
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+\Z")
_SHAPES = (
    ("percentages", "write them as numbers", re.compile(r"[+-]?\d[\d.,]*\s*%\Z")),
    (
        "amounts with a currency",
        "write them as numbers",
        re.compile(r"(?:[+-]?\s*[$€£¥₹]\s*[\d.,]+|[+-]?[\d.,]+\s*(?:[$€£¥₹]|EUR|USD|GBP|CHF))\Z"),
    ),
    ("numbers that may have a decimal comma", "say [data] read.decimal = ','", re.compile(r"[+-]?\d{1,3},\d{3}\Z")),
    (
        "numbers with separators of thousands",
        "write them without",
        re.compile(r"[+-]?\d{1,3}(?:[ ,.'\u00a0\u202f]\d{3})+(?:[.,]\d+)?\Z"),
    ),
    ("numbers with a decimal comma", "say [data] read.decimal = ','", re.compile(r"[+-]?\d+,\d+\Z")),
    (
        "yes and no",
        "write them as the model was fitted, such as 1 and 0",
        re.compile(r"(?:yes|no|ja|nein|on|off|y|n)\Z", re.I),
    ),
    (
        "dates",
        "write them as the numbers the model was fitted on",
        re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d.*)?\Z"),
    ),
)


class Column:
    """One column while it is read: `take` blocks of cells, then ask its `values`.

    With `text` everything stays as it is written, and only cells in `missing` are missing. `decimal` is the decimal
    sign of the file. Blocks are typed as they come; `is_late` tells that text came after numbers, so that the column is
    to be read once more as text.
    """

    def __init__(self, name: str, *, text: bool, decimal: str, missing: frozenset[str]) -> None:
        self.name = name
        self.is_late = False
        self.problem = ""
        """Why the column holds no numbers: the first cell that is none, by kind and line; "" where all are."""
        self._text = text
        self._comma = decimal == ","
        self._missing = missing
        self._pieces: list[Any] = []
        self._shared: dict[str, str] = {}
        self._bools: Optional[bool] = None

    def take(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """The next cells, and the lines they stand on."""
        if self._text:
            self._pieces.append(self._texts(cells))
        elif self._bools is not False and all(cell in _BOOLS for cell in cells):
            self._bools = True
            self._pieces.append([_BOOLS[cell] for cell in cells])
        elif not self.is_late:
            numbers = None if self._bools else self._numbers(cells)
            self._bools = False if numbers is not None else self._bools
            if numbers is not None:
                self._pieces.append(numbers)
            else:
                self._give_up(cells, lines)

    def _give_up(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        self.problem = next(_described(cell, line) for cell, line in zip(cells, lines) if self._number(cell) is None)
        if self._pieces:
            self.is_late = True
        else:
            self._text = True
            self._pieces.append(self._texts(cells))

    def values(self) -> Any:
        """The column as an array: int64, float64, bool, or objects that are texts and NaN."""
        import numpy

        pieces, self._pieces = self._pieces, []
        if not pieces:
            return numpy.empty(0)
        if not self._text and not self._bools:
            return numpy.concatenate(pieces)
        flat = [value for piece in pieces for value in piece]
        found = numpy.empty(len(flat), dtype=object if self._text else bool)
        found[:] = flat
        return found

    def _texts(self, cells: Sequence[str]) -> list[Any]:
        shared, missing = self._shared, self._missing
        if len(shared) > _SHARED_TEXTS:
            return [_NAN if cell in missing else cell for cell in cells]
        return [_NAN if cell in missing else shared.setdefault(cell, cell) for cell in cells]

    def _numbers(self, cells: Sequence[str]) -> Any:
        """The cells as numbers; None where one is none. What Python takes for a number but no file means is none."""
        import numpy

        for kind, dtype in ((int, "int64"), (float, "float64"))[: 1 if self._comma else 2]:
            try:
                found = numpy.asarray(list(map(kind, cells)), dtype=dtype)
            except (ValueError, OverflowError):
                continue
            return None if any("_" in cell for cell in cells) else found
        read = [self._number(cell) for cell in cells]
        return None if any(value is None for value in read) else numpy.asarray(read, dtype="float64")

    def _number(self, cell: str) -> Optional[float]:
        """The number of a cell, NaN where it is missing, None where it is neither."""
        cell = cell.strip()
        if cell in self._missing or not cell:
            return _NAN
        if self._comma and "," in cell:
            cell = cell.replace(".", "").replace(",", ".", 1)
        elif self._comma and _GROUPED.match(cell):
            cell = cell.replace(".", "")
        try:
            return None if "_" in cell else float(cell)
        except ValueError:
            return None


def _described(cell: str, line: int) -> str:
    """The kind of a cell that is no number, never its value."""
    for kind, advice, shape in _SHAPES:
        if shape.match(cell.strip()):
            return f"{kind}, first in line {line}: {advice}"
    return f"text, first in line {line}"
