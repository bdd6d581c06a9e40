"""Dialect of a text table, decided from its first lines: separator, comments, header, decimal sign."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional

from backends.base import Source
from console.worker.child.data.options import Knowledge, ReadOptions
from console.worker.child.data.text import Text, bad

__all__ = ["Dialect", "dialect_of", "is_number", "records"]

_SEPARATORS = (",", ";", "\t", "|", " ")
_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 20
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+(?:[eE][+-]?\d+)?\Z")
_SPOKEN = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'", " ": "blanks"}
csv.field_size_limit(1 << 24)


@dataclass
class Dialect:
    """How the lines of one file are cut into cells.

    `names` are the header's, None where there is none; `header_rows` is how many rows of cells it takes up (0 where it
    stands in a comment), `skipped` how many lines lie before the first row, `decided` all of it in words.
    """

    sep: str
    names: Optional[list[str]] = None
    header_rows: int = 0
    skipped: int = 0
    comments: bool = False
    blanks: bool = False
    decimal: str = "."
    decided: list[str] = field(default_factory=list)


def records(text: Text, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Rows of cells with the number of the line each ends on, without blank lines and comments. Raises csv.Error."""
    with text.lines() as file:
        for _ in range(dialect.skipped):
            file.readline()
        lines: Iterator[str] = _uncommented(file) if dialect.comments else file
        reader = csv.reader(lines, delimiter=dialect.sep, skipinitialspace=dialect.blanks)
        for row in reader:
            if row and (len(row) > 1 or row[0].strip() or dialect.sep != " "):
                yield dialect.skipped + reader.line_num, row


def _uncommented(lines: Iterator[str]) -> Iterator[str]:
    """The lines with comments made empty, so that the count of lines stays right."""
    return ("\n" if line.startswith("#") else line for line in lines)


def dialect_of(source: Source, text: Text, options: ReadOptions, known: Knowledge) -> Dialect:
    """Decide how this file is cut into cells. Raises Refusal for a file without a row, csv.Error."""
    lines = _sample(text)
    dialect = Dialect(options.sep or ",")
    said = _said_separator(lines)
    dialect.skipped = int(said is not None)
    body = lines[dialect.skipped :]
    dialect.comments = any(line.startswith("#") for line in body) and not _header_begins_with_hash(body)
    content = [line for line in body if line.strip() and not (dialect.comments and line.startswith("#"))]
    if not content:
        raise bad(source, "holds only blank lines and comments" if any(map(str.strip, lines)) else "is empty")
    sample = content[:_SAMPLE_ROWS]
    dialect.sep, dialect.blanks = _separator(sample, options.sep or said)
    rows = _cells(sample, dialect)
    heading = _header_in_comment(body, dialect, rows[0]) if dialect.comments and options.header is None else None
    if heading is not None:
        dialect.names = heading
    elif _has_header(rows, options, known):
        dialect.names, dialect.header_rows = [name.strip() for name in rows[0]], 1
    dialect.decimal = options.decimal or _decimal(rows[dialect.header_rows :], dialect)
    dialect.decided = _in_words(text, dialect, said)
    return dialect


def _sample(text: Text) -> list[str]:
    with text.lines() as file:
        head = file.read(_SAMPLE_CHARACTERS)
    lines = head.splitlines()
    return lines[:-1] if len(head) == _SAMPLE_CHARACTERS and len(lines) > 1 else lines


def _said_separator(lines: Sequence[str]) -> Optional[str]:
    """The separator of a first line `sep=;`, as spreadsheets write it."""
    found = re.fullmatch(r'"?sep=(.)"?', lines[0].strip("\ufeff"), re.IGNORECASE) if lines else None
    return found.group(1) if found else None


def _header_begins_with_hash(body: Sequence[str]) -> bool:
    """Whether the first line is a header whose first name begins with a hash (`#id,a,b`), not a comment."""
    first = next((line for line in body if line.strip()), "")
    others = sum(line.startswith("#") for line in body[1:])
    return first.startswith("#") and not others and re.match(r"#\w[^ ]*[,;\t|]", first) is not None


def _separator(lines: Sequence[str], said: Optional[str]) -> tuple[str, bool]:
    """The separator, and whether blanks follow it: the one that cuts all lines into the same number of cells, two or
    more. Of several the one that leaves whole numbers, then the one of more cells."""
    if said is not None:
        return said, _blanks_follow(lines, said)
    best, rank = ",", (0.0, 0.0, 0)
    for sep in _SEPARATORS:
        blanks = sep == " " or _blanks_follow(lines, sep)
        rows = [row for row in csv.reader(lines, delimiter=sep, skipinitialspace=blanks) if row]
        widths = [len(row) for row in rows]
        width = max(set(widths), key=widths.count)
        if width < 2:
            continue
        alike = widths.count(width) / len(widths)
        numbers = _share_of_numbers(rows, commas=sep != ",")
        if sep == " " and (alike < 1 or _share_of_numbers(rows[1:] or rows, commas=True) < 1):
            continue
        found = (
            round(alike, 2) if alike < 1 else 1.0,
            _share_of_decimal_commas(rows) if sep != "," else numbers / 2,
            width,
        )
        if found[0] > 0.5 and found > rank:
            best, rank = sep, found
    return best, best == " " or _blanks_follow(lines, best)


def _blanks_follow(lines: Sequence[str], sep: str) -> bool:
    """Whether each separator of the first lines is followed by a blank."""
    if sep in (" ", "\t"):
        return sep == " "
    counted = [(line.count(sep), line.count(f"{sep} ")) for line in lines[:20]]
    return any(all_ for all_, _ in counted) and all(all_ == followed for all_, followed in counted)


def _share_of_numbers(rows: Sequence[Sequence[str]], *, commas: bool) -> float:
    cells = [cell.strip() for row in rows for cell in row if cell.strip()]
    good = sum(is_number(cell) or (commas and _DECIMAL_COMMA.match(cell) is not None) for cell in cells)
    return good / len(cells) if cells else 0.0


def _share_of_decimal_commas(rows: Sequence[Sequence[str]]) -> float:
    cells = [cell.strip() for row in rows for cell in row if "," in cell]
    whole = sum(_DECIMAL_COMMA.match(cell) is not None for cell in cells)
    return whole / len(cells) if cells else 0.25


def is_number(cell: str) -> bool:
    """Whether a cell is a number as Python writes them; digits with underscores are none."""
    if "_" in cell:
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _cells(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    return [row for row in csv.reader(lines, delimiter=dialect.sep, skipinitialspace=dialect.blanks) if row]


def _header_in_comment(body: Sequence[str], dialect: Dialect, first: Sequence[str]) -> Optional[list[str]]:
    """The names in the last comment before the first row, as numpy.savetxt writes them, where their number agrees."""
    last = ""
    for line in body:
        if line.strip() and not line.startswith("#"):
            break
        last = line if line.startswith("#") else last
    names = _cells([last.lstrip("# ")], dialect) if last else []
    if not names or len(names[0]) != len(first) or len(first) < 2 or not all(is_number(one) for one in first if one):
        return None
    return [name.strip() for name in names[0]]


def _has_header(rows: Sequence[Sequence[str]], options: ReadOptions, known: Knowledge) -> bool:
    """Whether the first row holds names: the recipe says so, the model knows them, or the cells below are of another
    kind."""
    if options.header is not None:
        return options.header
    first = [cell.strip() for cell in rows[0]]
    filled = [cell for cell in first if cell]
    if known.names and len(set(known.names) & set(first)) * 2 > min(len(known.names), len(first)):
        return True
    if not filled:
        return False
    if _counts_up(first, rows[1:]):
        return True
    if all(is_number(cell) for cell in filled):
        return False
    over_numbers = [cell for at, cell in enumerate(first) if cell and _numbers_below(rows, at)]
    if not all(is_number(cell) for cell in over_numbers):
        return True
    return not over_numbers and len(set(filled)) == len(filled)


def _counts_up(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the cells are 0, 1, 2 …, as pandas heads an array, beside the empty head of an index or without one."""
    numbered = first[1:] if first[:1] == [""] else first
    if list(numbered) != [str(index) for index in range(len(numbered))] or not numbered:
        return False
    return len(numbered) > 1 or (bool(below) and all("." in row[-1] for row in below if row))


def _numbers_below(rows: Sequence[Sequence[str]], at: int) -> bool:
    below = [row[at].strip() for row in rows[1:] if len(row) > at and row[at].strip()]
    numbers = sum(is_number(cell) or _DECIMAL_COMMA.match(cell) is not None for cell in below)
    return bool(below) and numbers * 2 > len(below)


def _decimal(rows: Sequence[Sequence[str]], dialect: Dialect) -> str:
    """The decimal sign: a comma where cells have one that is no separator of thousands."""
    if dialect.sep == ",":
        quoted = [cell for row in rows for cell in row if "," in cell]
        if not quoted or not all(_DECIMAL_COMMA.match(cell.strip()) for cell in quoted):
            return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if _DECIMAL_COMMA.match(cell)]
    sure = any(len(cell.rpartition(",")[2]) != 3 or cell.partition(",")[0].lstrip("+-") in ("", "0") for cell in commas)
    points = any(re.fullmatch(r"[+-]?\d*\.\d+", cell) and len(cell.rpartition(".")[2]) != 3 for cell in cells)
    return "," if sure and not points else "."


def _in_words(text: Text, dialect: Dialect, said: Optional[str]) -> list[str]:
    found = [f"separated by {_SPOKEN.get(dialect.sep, repr(dialect.sep))}{' (as its first line says)' if said else ''}"]
    found.append("no header" if dialect.names is None else "header" if dialect.header_rows else "header in a comment")
    found.append(text.encoding.replace("-sig", ""))
    if text.around:
        found.append(text.around)
    if dialect.decimal == ",":
        found.append("decimal comma")
    return found
