"""Cells of one column, typed: whole numbers, numbers or truth values where all are, else text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Optional

from console.worker.child.data.options import say
from console.worker.child.lazy import numpy

MISSING = frozenset(
    (
        *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "None"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    )
)
"""Spellings of a missing value, as pandas.read_csv takes them."""
_GAP_MARKS = frozenset(
    (
        *("-", "--", "---", "?", ".", "..", "...", "*", "\u2013", "\u2014", "\\n", "(null)", "[null]", "<null>"),
        *("missing", "unknown", "undefined", "none", "nil", "null", "nan", "na", "nat", "n/a", "n/v", "n.a.", "k.a."),
        *("#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!", "#n/a"),
    )
)
"""Other spellings of a missing value, which are none to pandas.read_csv."""
_BOOLS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_NAN = float("nan")
_SHARED_TEXTS = 1 << 16
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+\Z")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+(?:[eE][+-]?\d+)?\Z")
_AS_NUMBERS = "write them as numbers"
_COMMA = say("decimal", ",")
_VALUES = (
    ("percentages", _AS_NUMBERS, re.compile(r"[+-]?\d[\d.,]*\s*[%\u2030]\Z")),
    (
        "amounts with a currency",
        _AS_NUMBERS,
        re.compile(
            r"(?:[+-]?\s*(?:[$\u20ac\u00a3\u00a5\u20b9]|[A-Z]{3}\b)\s*-?[\d.,' ]+"
            r"|[+-]?[\d.,' ]+(?:[$\u20ac\u00a3\u00a5\u20b9]|EUR|USD|GBP|CHF|JPY|kr|z\u0142|K\u010d)\.?)\Z"
        ),
    ),
    (
        "numbers with separators of thousands",
        "write them without",
        re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d+|(?:[ '\u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?)\Z"),
    ),
    ("numbers that may have a decimal comma", f"write them without, or {_COMMA}", re.compile(r"[+-]?\d{1,3},\d{3}\Z")),
    ("numbers with a decimal comma", _COMMA, _DECIMAL_COMMA),
    ("numbers with points between their thousands", _COMMA, re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}\Z")),
    (
        "dates",
        "write them as the numbers the model was fitted on",
        re.compile(
            r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d.*)?|\d{1,2}\.? [A-Za-z]{3,9}\.?,? \d{2,4}"
            r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{2,4}|\d{4}-W?\d{2}(?:-\d)?)\Z"
        ),
    ),
    ("times", "write them as the numbers the model was fitted on", re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\Z")),
    ("hexadecimal numbers", "write them as decimal ones", re.compile(r"[+-]?0[xX][\da-fA-F]+\Z")),
    ("numbers in parentheses", "write them with a minus", re.compile(r"\(\s*[\d.,]+\s*\)\Z")),
    ("numbers with a minus behind them", "write it before them", re.compile(r"[\d.,]+-\Z")),
)
"""Kinds of values that are no plain numbers: in words, what helps, and the shape of a cell."""
_WORDS = (
    (
        "yes and no",
        "write them as the model was fitted, such as 1 and 0",
        re.compile(r"(?:yes|no|ja|nein|oui|non|on|off|y|n|t|f)\Z", re.I),
    ),
    ("truth values among other values", "write them all alike, such as 1 and 0", re.compile(r"(?:true|false)\Z", re.I)),
    ("numbers with a unit", "write them without", re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*[A-Za-z\u00b0\u00b5]{1,5}\Z")),
    ("numbers with a D before the exponent", "write E", re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)[dD][+-]?\d+\Z")),
    (
        "numbers that a spreadsheet takes for text",
        "write the number alone",
        re.compile(r"""(?:=".*"|'[+-]?[\d.,]+)\Z"""),
    ),
    ("infinite numbers as 1.#INF", "write inf", re.compile(r"[+-]?1\.#INF0*\Z", re.I)),
    ("numbers with digits apart (1_000)", "write them without '_'", re.compile(r"[+-]?\d+(?:_\d+)+(?:\.\d*)?\Z")),
)


def is_number(cell: str) -> bool:
    """Whether a cell is a number as files write them: with ASCII digits alone, and none of Python's underscores."""
    if "_" in cell or not cell.isascii():
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_decimal_comma(cell: str) -> bool:
    """Whether a cell is a number with a decimal comma, perhaps with points between its thousands."""
    return _DECIMAL_COMMA.match(cell) is not None


def is_shaped(cell: str) -> bool:
    """Whether a cell is a value that is written in no number's way, such as a date or an amount."""
    return any(shape.match(cell) for _kind, _advice, shape in _VALUES)


def is_gap_mark(cell: str) -> bool:
    """Whether people write this for a missing value, though pandas.read_csv takes it for text."""
    return cell.lower() in _GAP_MARKS


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
        self._gaps = [float(one) for one in missing if is_number(one) and float(one) == float(one)]
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
        odd, line = next((cell, line) for cell, line in zip(cells, lines) if self._number(cell) is None)
        self.problem = self._described(odd.strip(), line)
        if self._pieces:
            self.is_late = True
        else:
            self._text = True
            self._pieces.append(self._texts(cells))

    def values(self) -> Any:
        """The column as an array: int64, float64, bool, or objects that are texts and NaN."""
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
        for kind, dtype in ((int, "int64"), (float, "float64"))[: 1 if self._comma else 2]:
            try:
                found = numpy.asarray(list(map(kind, cells)), dtype=dtype)
            except (ValueError, OverflowError):
                continue
            if any("_" in cell or not cell.isascii() for cell in cells):
                break
            gaps = numpy.isin(found, self._gaps) if self._gaps else numpy.zeros(0, dtype=bool)
            return numpy.where(gaps, _NAN, found) if gaps.any() else found
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
        if not is_number(cell):
            return None
        return _NAN if float(cell) in self._gaps else float(cell)

    def _described(self, cell: str, line: int) -> str:
        """The kind of a cell that is no number, never its value."""
        if cell == self.name:
            return f"its header once more in line {line}: remove that line"
        if is_gap_mark(cell):
            return f"'{cell}' where a value may be missing, first in line {line}: {say('missing', cell)}"
        for kind, advice, shape in (*_VALUES, *_WORDS):
            if shape.match(cell):
                return f"{kind}, first in line {line}: {advice}"
        if not cell.isascii() and is_number(_in_ascii(cell)):
            return f"numbers in signs that are not 0 to 9, '.' and '-', first in line {line}: write them in these"
        return f"text, first in line {line}"


def _in_ascii(cell: str) -> str:
    """The cell with the digits and dashes that other scripts have for ours."""
    plain = (str(unicodedata.digit(sign, sign)) for sign in cell)
    return "".join("-" if sign in "\u2212\u2013\u2014\uff0d" else sign for sign in plain).strip()
