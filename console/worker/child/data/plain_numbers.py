"""Blocks of plain text through the parser of pandas, many times faster than cell by cell, where it must find the same.

That is so for lines of as many cells as the header has, without quotes that a cell would need, whose numbers pandas
takes for numbers: it rounds them as Python does, and knows the same missing values. Any other block is read by cell.
"""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Sequence
from typing import Any, Optional

from console.worker.child.data.cells import is_number
from console.worker.child.data.dialect import Dialect
from console.worker.child.lazy import numpy

_COLUMNS_CAP = 1000
"""Of more columns each takes pandas longer than its few cells in a block."""
_ROUNDS_RIGHT = (3, 1)
"""The version of pandas from which on its numbers are rounded right without being asked for."""


class PlainNumbers:
    """The parser for the blocks of one table; `missing` are the spellings of a missing value by column."""

    def __init__(self, dialect: Dialect, names: Sequence[str], missing: Sequence[frozenset[str]]) -> None:
        self._dialect = dialect
        self._names = names
        self._values = frozenset(("True", "TRUE", "true", "False", "FALSE", "false")).union(*missing)
        alike = all(one is missing[0] or one == missing[0] for one in missing)
        self._missing: Any = sorted(missing[0]) if alike else {at: sorted(one) for at, one in enumerate(missing)}
        self._pandas: Any = _pandas() if 1 < len(names) <= _COLUMNS_CAP and self._fits(missing) else None

    @property
    def usable(self) -> bool:
        """Whether it can read any block of this table."""
        return self._pandas is not None

    def _fits(self, missing: Sequence[frozenset[str]]) -> bool:
        dialect = self._dialect
        odd = {one for spellings in missing for one in spellings if is_number(one) and float(one) == float(one)}
        plain = dialect.decimal == "." and dialect.quote == '"' and not dialect.blanks and dialect.sep != " "
        return plain and not odd

    def parsed(self, text: str, texts: Sequence[bool]) -> Optional[list[Any]]:
        """Columns of a block of lines: objects where `texts` says so, else int64, float64 or bool; None for doubt."""
        data = _plain_lines(text.encode(), self._dialect.sep, len(self._names)) if self._is_plain(text) else None
        if data is None:
            return None
        rounding = {} if _version(self._pandas) >= _ROUNDS_RIGHT else {"float_precision": "round_trip"}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame = self._pandas.read_csv(
                    io.BytesIO(data),
                    sep=self._dialect.sep,
                    header=None,
                    names=range(len(self._names)),
                    index_col=False,
                    quoting=3,
                    keep_default_na=False,
                    na_values=self._missing,
                    dtype={at: object for at, is_text in enumerate(texts) if is_text},
                    low_memory=False,
                    skip_blank_lines=False,
                    **rounding,
                )
        except (ValueError, TypeError, OverflowError):
            return None
        found = [cells.to_numpy() for _name, cells in frame.items()]
        fits = all(is_text or cells.dtype.kind in "ifb" for is_text, cells in zip(texts, found))
        return found if fits and not self._may_repeat_header(found) else None

    def _is_plain(self, text: str) -> bool:
        if not self.usable or "\0" in text or text.startswith("\ufeff") or text.count("\r") != text.count("\r\n"):
            return False
        return not (self._dialect.comments and (text.startswith("#") or "\n#" in text))

    def _may_repeat_header(self, columns: Sequence[Any]) -> bool:
        """Whether a row may begin with two names of the header, in whatever order."""
        names = self._dialect.names
        if names is None:
            return False
        called, masks = set(names), []
        numbers = [float(name) for name in names if is_number(name)]
        for cells in columns[:2]:
            if cells.dtype.kind == "O":
                masks.append([isinstance(cell, str) and cell.strip() in called for cell in cells])
            elif cells.dtype.kind != "b" and called.isdisjoint(self._values):
                masks.append(numpy.isin(cells, numbers))
            elif called.isdisjoint(self._values):
                return False
        return any(map(all, zip(*masks))) if masks else True


def _plain_lines(data: bytes, sep: str, width: int) -> Optional[bytes]:
    """The lines without their quotes; None unless each has as many cells as the table has columns, and each quote is
    at the beginning or the end of a cell that needs none."""
    if len(sep.encode()) != 1:
        return None
    data = data if data.endswith(b"\n") else data + b"\n"
    found = numpy.frombuffer(data, dtype="uint8")
    ends, cuts = numpy.flatnonzero(found == 10), numpy.flatnonzero(found == ord(sep))
    if len(cuts) != len(ends) * (width - 1):
        return None
    if not (numpy.searchsorted(cuts, ends) == numpy.arange(1, len(ends) + 1) * (width - 1)).all():
        return None
    if b'"' not in data:
        return data
    quotes = numpy.flatnonzero(found == ord('"'))
    if len(quotes) % 2:
        return None
    opening, closing = quotes[::2], quotes[1::2]
    border = numpy.isin(found, (ord(sep), 10, 13))
    alone = border[opening - 1].all() and border[closing + 1].all()
    pairs = ((numpy.searchsorted(marks, opening), numpy.searchsorted(marks, closing)) for marks in (cuts, ends))
    whole = all((one == other).all() for one, other in pairs)
    return data.replace(b'"', b"") if alone and whole else None


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError:
        return None


def _version(library: Any) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in str(library.__version__).split(".")[:2])
    except ValueError:
        return ()
