"""Delimited text into typed columns: read as text first, every row held against the header, then typed by column.

The columns come in pieces. A table that takes more memory than it may is gone through once for the types of its columns
and then read again, piece by piece, whenever its rows are asked for; a small one is kept as it is typed.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Callable, Optional

from backends.core.source import Source
from console.worker.child.data.blocks import Blocks, Row
from console.worker.child.data.cells import MISSING, Column
from console.worker.child.data.dialect import Dialect, dialect_of, other_separator
from console.worker.child.data.options import Extent, Knowledge, ReadOptions, all_named, say, say_ignore
from console.worker.child.data.plain_numbers import PlainNumbers
from console.worker.child.data.text import Text, bad, open_text
from console.worker.child.lazy import numpy

NO_ROWS = "no-rows"
"""The code of a refusal because a table has no rows."""
ROWS_CAP = 20_000_000
_FIRST_BLOCK, _BLOCK, _PLAIN_BLOCK = 1 << 20, 1 << 21, 1 << 22
"""Characters of the first block, of one that is read by cell, and of one that may be parsed at once."""
_TEXT = "text"
_ROW_LEFT_OUT = f"leave it out with {say_ignore(['row'])}"
_KINDS = {"O": _TEXT, "i": "int64", "f": "float64", "b": "bool"}

Typed = list[Any]
"""One array for each column."""


@dataclass
class Long:
    """A table that is not held in memory: so many rows, which take so many bytes there, and its typed pieces."""

    rows: int
    bytes: int
    pieces: Callable[[], Iterator[dict[str, Any]]]


@dataclass
class Columns:
    """Typed columns by name; `named` = by names of the file's own. `problems` tell why a column holds no numbers.

    Where `long` is there the columns hold only the first rows.
    """

    columns: dict[str, Any]
    named: bool = True
    decided: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    long: Optional[Long] = None


def read_delimited(source: Source, options: ReadOptions, known: Knowledge, extent: Optional[Extent] = None) -> Columns:
    """Read csv and its kin. Raises Refusal that names the line and what helps."""
    extent = extent or Extent()
    text = open_text(source, options.encoding, head=extent.rows is not None)
    while True:
        try:
            return _Reading(source, text, dialect_of(source, text, options, known), options, extent).read()
        except csv.Error as error:
            raise bad(source, f"cannot be read as csv: {error}") from None
        except UnicodeError as error:
            text.try_next(error)


class _Reading:
    """One file being read: rows are checked and typed in blocks; `_kinds` are the columns' types so far."""

    def __init__(self, source: Source, text: Text, dialect: Dialect, options: ReadOptions, extent: Extent) -> None:
        self._source = source
        self._text = text
        self._dialect = dialect
        self._missing = frozenset(options.missing)
        self._usual = self._missing | MISSING
        self._known = dialect.known
        self._extent = extent
        self._empty_tail = False
        self._names: list[str] = []
        self._kinds: list[str] = []
        self._spellings: list[frozenset[str]] = []
        self._problems: dict[str, str] = {}
        self._late = False
        self._begun = 0
        self._first = 0
        self._stamp = _stamp(source)

    def read(self) -> Columns:
        """All columns, or where they take more memory than they may the first rows of each."""
        kept, rows, size = self._surveyed()
        long = None
        if kept is None:
            long = Long(rows, size, self._pieces)
            kept = [list(next(self._pieces()).values())]
        elif self._late:
            kept = [list(piece.values()) for piece in self._pieces()]
        decided = [*self._dialect.decided, *(["an empty last column left out"] if self._empty_tail else [])]
        columns = dict(zip(self._names, _joined(kept)))
        return Columns(columns, self._dialect.names is not None, decided, self._problems, long)

    def _surveyed(self) -> tuple[Optional[list[Typed]], int, int]:
        """The blocks where they fit, the rows and their bytes; the types of all columns are known then."""
        kept: Optional[list[Typed]] = []
        rows = size = 0
        for line, columns, problems in self._blocks():
            self._merge(line, columns, problems)
            rows += len(columns[0])
            if self._extent.bytes is not None:
                size += sum(map(_bytes, columns))
                kept = None if size > self._extent.bytes else kept
            if kept is not None:
                kept.append(columns)
            if rows > ROWS_CAP:
                raise bad(self._source, f"has more than {ROWS_CAP} rows, which is the limit")
            if self._extent.progress is not None:
                self._extent.progress(rows, self._source.bytes_read - self._begun)
        return kept, rows, size

    def _merge(self, line: int, columns: Typed, problems: dict[int, str]) -> None:
        """Take the types of one more block into account: text after numbers makes a column one of text throughout."""
        for at, cells in enumerate(columns):
            kind, before = _KINDS[cells.dtype.kind], self._kinds[at]
            if before in ("", kind):
                self._kinds[at] = kind
                if at in problems:
                    self._problems.setdefault(self._names[at], problems[at])
            elif {before, kind} == {"int64", "float64"}:
                self._kinds[at] = "float64"
            elif before != _TEXT:
                self._kinds[at], self._late = _TEXT, True
                self._problems[self._names[at]] = problems.get(at, f"text, first in line {line}")

    def _pieces(self) -> Iterator[dict[str, Any]]:
        """The columns block by block, of the types that were found. Raises Refusal where the file was changed since."""
        for _line, columns, _problems in self._blocks():
            if self._stamp != _stamp(self._source):
                raise bad(self._source, "was changed while it was read: ask again")
            kinds = ("object" if kind == _TEXT else kind for kind in self._kinds)
            yield {name: cells.astype(kind, copy=False) for name, cells, kind in zip(self._names, columns, kinds)}

    def _blocks(self) -> Iterator[tuple[int, Typed, dict[int, str]]]:
        """The first line, the typed columns, and why they hold no numbers, of one block after another.

        A column whose type is known to be text is one of text. The first block is read by cell.
        """
        left = self._extent.rows
        self._begun = self._source.bytes_read
        with self._text.lines() as file:
            blocks = Blocks(file, self._dialect.skipped)
            block = blocks.take(_FIRST_BLOCK)
            first: Optional[Iterator[Row]] = None
            if block is not None:
                first = self._header(block.rows(self._dialect, self._dialect.header_rows + 1))
            plain = PlainNumbers(self._dialect, self._names, self._spellings)
            while block is not None and left != 0:
                line = block.line + 1
                found = None if first else plain.parsed(block.text, [kind == _TEXT for kind in self._kinds])
                if found is None:
                    columns, problems = self._by_cell(first or block.rows(self._dialect))
                    blocks.taken(block.end)
                else:
                    columns, problems = found, {}
                    blocks.taken(block.line + len(found[0]))
                if left is not None and columns:
                    columns = [cells[:left] for cells in columns]
                    left -= len(columns[0])
                if columns:
                    yield line, columns, problems
                first, block = None, blocks.take(_PLAIN_BLOCK if plain.usable else _BLOCK)

    def _by_cell(self, rows: Iterator[Row]) -> tuple[Typed, dict[int, str]]:
        """Typed columns of rows of cells, and why they hold no numbers; none where there is no row."""
        width = len(self._names)
        block: list[list[str]] = []
        lines: list[int] = []
        for line, row in rows:
            block.append(row if len(row) == width else self._fitted(line, row, width))
            lines.append(line)
        if not block:
            return [], {}
        names = self._dialect.names
        if names is not None and len(names) > 1:
            called = set(names)
            for line, row in zip(lines, block):
                if row[0].strip() in called and row[1].strip() in called:
                    self._refuse_header(line, row, names)
        columns, problems = [], {}
        for at, cells in enumerate(zip(*block)):
            is_text, missing = self._kinds[at] == _TEXT, self._spellings[at]
            column = Column(self._names[at], text=is_text, decimal=self._dialect.decimal, missing=missing)
            column.take(cells, lines)
            columns.append(column.values())
            if column.problem:
                problems[at] = column.problem
        return columns, problems

    def _refuse_header(self, line: int, row: list[str], names: list[str]) -> None:
        found = [cell.strip() for cell in row]
        if found == names[: len(row)]:
            raise bad(self._source, f"repeats its header in line {line}, as joined files do: remove that line")
        if sorted(found) == sorted(names):
            what = f"has its header once more in line {line}, in another order, as joined files do"
            raise bad(self._source, f"{what}: make one file of the lines above it and one of it and the lines below")

    def _header(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows below the header, which names the columns; a last one where the first row holds nothing may be left
        out."""
        for _ in range(self._dialect.header_rows):
            next(rows, None)
        first = next(rows, None)
        if first is None:
            raise bad(self._source, "has a header and no rows", NO_ROWS)
        self._first = first[0]
        if not self._names:
            self._names = self._named(first[1])
            self._kinds = [_TEXT if name in self._known.texts else "" for name in self._names]
            self._spellings = [self._missing_in(name) for name in self._names]
        return chain([first], rows)

    def _named(self, first: list[str]) -> list[str]:
        width, filled = len(first), bool(first[-1].strip())
        if self._dialect.names is None:
            return [str(index) for index in range(width)]
        names = list(self._dialect.names)
        if len(names) > 1 and not names[-1] and (width < len(names) or not filled):
            names.pop()
        self._empty_tail = width == len(names) + 1 and not filled
        doubled = next((name for name, count in Counter(names).items() if name and count > 1), None)
        if doubled is not None:
            raise bad(self._source, f"has two columns called '{doubled}' in its header: name each once")
        return all_named(names)

    def _fitted(self, line: int, row: list[str], width: int) -> list[str]:
        """The row without the empty cell behind its last separator. Raises Refusal for any other width."""
        if self._empty_tail and len(row) == width + 1 and not row[-1].strip():
            return row[:width]
        stands = "its header" if self._dialect.names is not None else "its first row"
        what = f"has {len(row)} cells in line {line}, where {stands} has {width}"
        other = other_separator(self._text, self._dialect)
        helps = f", or another separator is meant: {say('sep', other)}" if other else ""
        if len(row) < width:
            no_row = "the line was cut short or is no row (a total, another table): complete or remove it"
            raise bad(self._source, f"{what}: {no_row}{helps}")
        quotes = "put a cell that holds the separator in quotes"
        if line == self._first and len(row) == width + 1 and self._dialect.names is not None:
            quotes += f"; if the first column holds names of rows, call it 'row' in the header, and {_ROW_LEFT_OUT}"
        elif line == self._first and self._dialect.names is not None:
            quotes += "; if the header stands in a later line, remove what is above it"
        raise bad(self._source, f"{what}: {quotes}{helps}")

    def _missing_in(self, name: str) -> frozenset[str]:
        """Spellings of a missing value: text keeps every spelling that is not asked for as missing, unless the model
        was fitted with gaps there."""
        known = self._known
        if name not in known.texts and name not in known.categories:
            return self._usual
        missing = frozenset() if name in known.texts and name not in known.gaps else MISSING
        return (missing - known.categories.get(name, frozenset())) | self._missing


def _joined(pieces: list[Typed]) -> Iterator[Any]:
    """Each column in one piece; its parts are let go as it is made."""
    for at in range(len(pieces[0])):
        parts = [piece[at] for piece in pieces]
        for piece in pieces:
            piece[at] = None
        yield parts[0] if len(parts) == 1 else numpy.concatenate(parts)


def _bytes(cells: Any) -> int:
    """Bytes of a column in memory, its texts included."""
    if cells.dtype.kind != "O":
        return int(cells.nbytes)
    return int(cells.nbytes) + sum(map(sys.getsizeof, {id(cell): cell for cell in cells}.values()))


def _stamp(source: Source) -> Optional[tuple[int, int]]:
    if source.fd < 0:
        return None
    found = os.fstat(source.fd)
    return found.st_size, found.st_mtime_ns
