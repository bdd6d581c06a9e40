"""Delimited text into typed columns: read as text first, every row held against the header, then typed by column."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from backends.base import Source
from console.worker.child.data.cells import MISSING, Column
from console.worker.child.data.dialect import Dialect, dialect_of, records
from console.worker.child.data.options import Knowledge, ReadOptions, say
from console.worker.child.data.text import Text, bad, open_text

__all__ = ["NO_ROWS", "ROWS_CAP", "Columns", "read_delimited"]

NO_ROWS = "no-rows"
"""The code of a refusal because a table has no rows."""
ROWS_CAP = 20_000_000
_BLOCK_CELLS = 1 << 18

Row = tuple[int, list[str]]
"""The line a row of cells ends on, and its cells."""


@dataclass
class Columns:
    """Typed columns by name; `named` = by names of the file's own. `problems` tell why a column holds no numbers."""

    columns: dict[str, Any]
    named: bool = True
    decided: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def read_delimited(source: Source, options: ReadOptions, known: Knowledge) -> Columns:
    """Read csv and its kin. Raises Refusal that names the line and what helps."""
    text = open_text(source, options.encoding)
    try:
        return _Reading(source, text, dialect_of(source, text, options, known), options).read()
    except csv.Error as error:
        raise bad(source, f"cannot be read as csv: {error}") from None


class _Reading:
    """One file being read: rows are checked and collected in blocks, whose columns are typed as they come."""

    def __init__(self, source: Source, text: Text, dialect: Dialect, options: ReadOptions) -> None:
        self._source = source
        self._text = text
        self._dialect = dialect
        self._missing = frozenset(options.missing)
        self._empty_tail = False

    def read(self) -> Columns:
        """All columns. One that turns out to hold text after numbers is read once more, as text."""
        columns = self._columns(frozenset())
        late = {column.name: column.problem for column in columns if column.is_late}
        if late:
            columns = self._columns(frozenset(late))
        problems = {column.name: column.problem for column in columns if column.problem} | late
        decided = [*self._dialect.decided, *(["an empty last column left out"] if self._empty_tail else [])]
        named = self._dialect.names is not None
        return Columns({column.name: column.values() for column in columns}, named, decided, problems)

    def _columns(self, texts: frozenset[str]) -> list[Column]:
        names, rows = self._names(records(self._text, self._dialect))
        columns = [self._column(name, texts) for name in names]
        width = len(columns)
        size = max(1, _BLOCK_CELLS // width)
        block: list[list[str]] = []
        lines: list[int] = []
        total = 0
        for line, row in rows:
            block.append(row if len(row) == width else self._fitted(line, row, width))
            lines.append(line)
            if len(block) == size:
                self._take(columns, block, lines)
                total += size
                block, lines = [], []
                if total > ROWS_CAP:
                    break
        self._take(columns, block, lines)
        if total + len(block) > ROWS_CAP:
            raise bad(self._source, f"has more than {ROWS_CAP} rows, which is the limit")
        return columns

    def _take(self, columns: list[Column], block: list[list[str]], lines: list[int]) -> None:
        names = self._dialect.names
        if names is not None and len(names) > 1:
            for line, row in zip(lines, block):
                if row[0].strip() == names[0] and row[1].strip() == names[1]:
                    self._refuse_header(line, row, names)
        for column, cells in zip(columns, zip(*block)):
            column.take(cells, lines)

    def _refuse_header(self, line: int, row: list[str], names: list[str]) -> None:
        if [cell.strip() for cell in row] == names[: len(row)]:
            raise bad(self._source, f"repeats its header in line {line}, as joined files do: remove that line")

    def _names(self, rows: Iterator[Row]) -> tuple[list[str], Iterator[Row]]:
        """The columns' names and the rows below; a last column in which the first row holds nothing may be left out."""
        for _ in range(self._dialect.header_rows):
            next(rows, None)
        first = next(rows, None)
        if first is None:
            raise bad(self._source, "has a header and no rows", NO_ROWS)
        rows = chain([first], rows)
        width, filled = len(first[1]), bool(first[1][-1].strip())
        if self._dialect.names is None:
            return [str(index) for index in range(width)], rows
        names = list(self._dialect.names)
        if len(names) > 1 and not names[-1] and (width < len(names) or not filled):
            names.pop()
        self._empty_tail = width == len(names) + 1 and not filled
        doubled = [name for name in names if name and names.count(name) > 1] if len(set(names)) < len(names) else []
        if doubled:
            raise bad(self._source, f"has two columns called '{doubled[0]}' in its header: name each once")
        return [name or f"Unnamed: {index}" for index, name in enumerate(names)], rows

    def _fitted(self, line: int, row: list[str], width: int) -> list[str]:
        """The row without the empty cell behind its last separator. Raises Refusal for any other width."""
        if self._empty_tail and len(row) == width + 1 and not row[-1].strip():
            return row[:width]
        stands = "its header" if self._dialect.names is not None else "its first row"
        what = f"has {len(row)} cells in line {line}, where {stands} has {width}"
        if len(row) > width:
            raise bad(self._source, f"{what}: put a cell that holds the separator in quotes, or {say('sep', ';')}")
        raise bad(self._source, f"{what}: the line was cut short, or another separator is meant: {say('sep', ';')}")

    def _column(self, name: str, texts: frozenset[str]) -> Column:
        """A column as the model knows it: text keeps every spelling that is not asked for as missing, unless the model
        was fitted with gaps there."""
        known = self._dialect.known
        missing = self._missing if name in known.texts and name not in known.gaps else self._missing | MISSING
        return Column(
            name,
            text=name in known.texts or name in texts,
            decimal=self._dialect.decimal,
            missing=missing - known.categories.get(name, frozenset()),
        )
