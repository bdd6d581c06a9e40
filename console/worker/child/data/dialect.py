"""Dialect of a text table, decided from its first lines: comments, separator, quotes, header, decimal sign."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Optional

from backends.core.source import Source
from console.worker.child.data.cells import MISSING, is_decimal_comma, is_number
from console.worker.child.data.header import has_header, header_below
from console.worker.child.data.options import Knowledge, ReadOptions, all_named, say
from console.worker.child.data.text import Text, bad

_SEPARATORS = (",", ";", "\t", "|", " ")
_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 20
_SPOKEN = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'", " ": "blanks"}
_END_OF_FILE = "\x1a"
"""Ctrl-Z, which DOS writes behind the last line."""
_ERROR_CELL = re.compile(r"#(?:N/A(?: N/A)?|NA|VALUE!|DIV/0!|REF!|NAME\?|NULL!|NUM!)\s*(?:[,;\t| ]|$)")
"""A first cell that begins with a hash as spreadsheets and pandas write what is missing."""
csv.field_size_limit(1 << 24)


@dataclass
class Dialect:
    """How the lines of one file are cut into cells.

    `names` are the header's, None where there is none; `header_rows` is how many rows of cells it takes up (0 where it
    stands in a comment), `skipped` how many lines lie before the first row. `comments` tells whether lines below it may
    be comments, `sparse` whether a line of blanks is a row. `known` is what the model knows under the names of the
    file's columns, `decided` all of it in words.
    """

    sep: str
    names: Optional[list[str]] = None
    header_rows: int = 0
    skipped: int = 0
    comments: bool = False
    blanks: bool = False
    quote: str = '"'
    sparse: bool = False
    decimal: str = "."
    known: Knowledge = field(default_factory=Knowledge)
    decided: list[str] = field(default_factory=list)


def records(text: Text, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Rows of cells with the number of the line each ends on, without blank lines and comments. Raises csv.Error."""
    with text.lines() as file:
        for _ in range(dialect.skipped):
            file.readline()
        for line, row in _rows(file, dialect):
            yield dialect.skipped + line, row


def _rows(lines: Iterator[str], dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    lines = _uncommented(lines, dialect.quote) if dialect.comments else lines
    reader = csv.reader(lines, delimiter=dialect.sep, quotechar=dialect.quote, skipinitialspace=dialect.blanks)
    for row in reader:
        if len(row) == 1 and not row[0].strip() and (row[0] or dialect.sep == " ") and not dialect.sparse:
            continue
        if row == [_END_OF_FILE]:
            rest = next(reader, None)
            if rest is None:
                return
            raise csv.Error(f"line {dialect.skipped + reader.line_num} follows the sign of a file's end (Ctrl-Z)")
        if row:
            yield reader.line_num, row


def _uncommented(lines: Iterator[str], quote: str) -> Iterator[str]:
    """The lines with comments made empty, so that the count of lines stays right; none begins inside quotes."""
    quoted = False
    for line in lines:
        if _is_comment(line) and not quoted:
            yield "\n"
            continue
        quoted ^= line.count(quote) % 2 == 1
        yield line


def _is_comment(line: str) -> bool:
    """Whether a line begins as comments do."""
    return line.lstrip(" \t").startswith("#") and not _ERROR_CELL.match(line)


def dialect_of(source: Source, text: Text, options: ReadOptions, known: Knowledge) -> Dialect:
    """Decide how this file is cut into cells. Raises Refusal for a file without a row, csv.Error."""
    lines = _sample(text)
    dialect = Dialect(options.sep or ",")
    said = _said_separator(lines)
    hashes = any(text.startswith("#") for texts in known.categories.values() for text in texts)
    dialect.skipped = _begin(lines, int(said is not None), hashes)
    skipped, body = lines[: dialect.skipped], lines[dialect.skipped :]
    if not body:
        raise bad(source, "holds only blank lines and comments" if any(map(str.strip, lines)) else "is empty")
    rows = _cut(body, dialect, options.sep or said, known, hashes)
    _head(source, rows, body, skipped, dialect, options, known)
    dialect.decimal = options.decimal or _decimal(rows[dialect.header_rows :], dialect)
    dialect.decided = _in_words(text, dialect, said, skipped) + dialect.decided
    return dialect


def _cut(body: Sequence[str], dialect: Dialect, said: Optional[str], known: Knowledge, hashes: bool) -> list[list[str]]:
    """The first rows of cells, once it is decided what cuts them and which lines are comments."""
    plain = [line for line in body if line.strip() and not _is_comment(line)][:_SAMPLE_ROWS] or body[:_SAMPLE_ROWS]
    dialect.sep, dialect.blanks = _separator(plain, said, sure=known.all_text)
    dialect.quote = _quote(plain, dialect, known)
    dialect.comments = not hashes and any(map(_is_comment, body[1:])) and _are_comments(body, dialect, known)
    rows = _cells(body[: 2 * _SAMPLE_ROWS], dialect)
    dialect.sparse = known.all_text and _width(rows) == 1
    return rows


def _head(
    source: Source,
    rows: Sequence[Sequence[str]],
    body: Sequence[str],
    skipped: Sequence[str],
    dialect: Dialect,
    options: ReadOptions,
    known: Knowledge,
) -> None:
    """Decide which names the columns have, and what the model knows of them. Raises Refusal where that is in doubt."""
    width, number = _width(rows), dialect.skipped + 1
    below = header_below(rows, known, options)
    if below > 1 or (below and len(rows[0]) > 1):
        line = number + _lines_before(body, dialect, below)
        raise bad(source, f"has the names of the model's columns in line {line}, below others: remove what is above it")
    if len(rows[0]) == 1 < width:
        what = f"has a line of 1 cell, line {number}, above rows of {width}"
        other = _cutting_alike(body, dialect.sep)
        helps = f"; if another separator is meant, {say('sep', other)}" if other else ""
        raise bad(source, f"{what}: remove it, or begin it with '#' if it is a title or a comment{helps}")
    by_place = known.of([str(at) for at in range(width)], options.ignore, by_place=True)
    heading = _header_in_comment(skipped, dialect, rows) if options.header is None else None
    header = heading is None and has_header(rows, options, by_place)
    if header is None:
        told = f"{say('header', 'true')}, or false"
        raise bad(source, f"does not show whether its line {number} is a header or a row: {told}")
    if heading or header:
        dialect.names, dialect.header_rows = heading or _names(rows[0], known, dialect.decided), int(header)
    columns = all_named(dialect.names or [])
    dialect.known = known.of(columns, options.ignore, by_place=False) if dialect.names else by_place


def _sample(text: Text) -> list[str]:
    """The first lines with their ends, which only `\\n` and `\\r` are."""
    with text.lines() as file:
        head = file.read(_SAMPLE_CHARACTERS)
    lines = list(io.StringIO(head, newline=""))
    return lines[:-1] if len(head) == _SAMPLE_CHARACTERS and len(lines) > 1 else lines


def _said_separator(lines: Sequence[str]) -> Optional[str]:
    """The separator of a first line `sep=;`, as spreadsheets write it."""
    first = lines[0].strip("\ufeff\r\n") if lines else ""
    found = re.fullmatch(r'"?sep=(.)"? *', first, re.IGNORECASE)
    return found.group(1) if found else None


def _begin(lines: Sequence[str], begin: int, hashes: bool) -> int:
    """The first line that is neither blank nor a comment. A header may begin with a hash (`#id,a,b`), and with `hashes`
    so may rows."""
    for at in range(begin, len(lines)):
        line = lines[at].strip()
        if not hashes and _is_comment(lines[at]) and not _header_begins_with_hash(lines, at):
            continue
        if line and line != _END_OF_FILE:
            return at
    return len(lines)


def _header_begins_with_hash(lines: Sequence[str], at: int) -> bool:
    others = any(_is_comment(line) for line in lines[at + 1 : at + 1 + _SAMPLE_ROWS])
    return not others and re.match(r"#\w[^ ]*[,;\t|]", lines[at]) is not None


def _are_comments(body: Sequence[str], dialect: Dialect, known: Knowledge) -> bool:
    """Whether lines below the first that begin with a hash are comments: they are cut into other cells than rows are,
    or have a hash where all others have a number."""
    rows = _cells(body[: 2 * _SAMPLE_ROWS], dialect)
    hashed = [row for row in rows[1:] if _is_comment(row[0])]
    others = [row for row in rows[1:] if not _is_comment(row[0])]
    if any(len(row) != len(rows[0]) for row in hashed):
        return True
    names = [name.strip() for name in rows[0]]
    is_text = names[0] in known.of(names, (), by_place=not set(names) & set(known.names)).texts
    numbers = (
        row[0].strip() in MISSING or is_number(row[0].strip()) or bool(_ERROR_CELL.match(row[0])) for row in others
    )
    return not is_text and bool(others) and all(numbers)


def _separator(lines: Sequence[str], said: Optional[str], *, sure: bool) -> tuple[str, bool]:
    """The separator, and whether blanks follow it: the one that cuts all lines into the same number of cells, two or
    more. Of several the one that leaves whole numbers, then the one of more cells. With `sure` no line may differ:
    texts hold whatever separates elsewhere."""
    if said is not None:
        return said, _blanks_follow(lines, said)
    best, rank = ",", (0.0, 0.0, 0)
    for sep in _SEPARATORS:
        blanks = sep == " " or _blanks_follow(lines, sep)
        rows = [row for row in csv.reader(lines, delimiter=sep, skipinitialspace=blanks) if row]
        width = _width(rows)
        if width < 2:
            continue
        alike = sum(len(row) == width for row in rows) / len(rows)
        numbers = _share_of_numbers(rows, commas=sep != ",")
        if sep == " " and len(rows) > 2 and len(rows[0]) == width - 1:
            alike = sum(len(row) == width for row in rows[1:]) / len(rows[1:])
        if sep == " " and (alike < 1 or _share_of_numbers(rows[1:] or rows, commas=True) < 1):
            continue
        found = (
            round(alike, 2) if alike < 1 else 1.0,
            _share_of_decimal_commas(rows) if sep != "," else numbers / 2,
            width,
        )
        if found[0] > (0.99 if sure else 0.5) and found > rank:
            best, rank = sep, found
    return best, best == " " or _blanks_follow(lines, best)


def _width(rows: Sequence[Sequence[str]]) -> int:
    """How many cells most rows have."""
    widths = [len(row) for row in rows]
    return max(set(widths), key=widths.count)


def _quote(lines: Sequence[str], dialect: Dialect, known: Knowledge) -> str:
    """A single quote where every cell that is no number stands in two, else the usual one."""
    cells = [cell.strip() for row in _cells(lines, dialect) for cell in row]
    texts = [cell for cell in cells if cell and not is_number(cell)]
    wrapped = all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in texts)
    return "'" if texts and wrapped and not set(texts) & set(known.names) else '"'


def _blanks_follow(lines: Sequence[str], sep: str) -> bool:
    """Whether each separator of the first lines is followed by a blank."""
    if sep in (" ", "\t"):
        return sep == " "
    counted = [(line.count(sep), line.count(f"{sep} ")) for line in lines[:20]]
    return any(all_ for all_, _ in counted) and all(all_ == followed for all_, followed in counted)


def _share_of_numbers(rows: Sequence[Sequence[str]], *, commas: bool) -> float:
    cells = [cell.strip() for row in rows for cell in row if cell.strip()]
    good = sum(is_number(cell) or (commas and is_decimal_comma(cell)) for cell in cells)
    return good / len(cells) if cells else 0.0


def _share_of_decimal_commas(rows: Sequence[Sequence[str]]) -> float:
    cells = [cell.strip() for row in rows for cell in row if "," in cell]
    whole = sum(map(is_decimal_comma, cells))
    return whole / len(cells) if cells else 0.25


def _cells(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    return [row for _line, row in _rows(iter(lines), dialect)]


def _lines_before(lines: Sequence[str], dialect: Dialect, count: int) -> int:
    """How many lines lie before the one that the row behind so many others ends on."""
    return next(islice(_rows(iter(lines), dialect), count, None))[0] - 1


def other_separator(text: Text, dialect: Dialect) -> Optional[str]:
    """Another separator that cuts the first lines into the same number of cells; None where none does."""
    return _cutting_alike(_sample(text)[dialect.skipped :], dialect.sep)


def _cutting_alike(lines: Sequence[str], but: str) -> Optional[str]:
    lines = [line for line in lines if line.strip()][:_SAMPLE_ROWS]
    for sep in _SEPARATORS:
        widths = {len(row) for row in csv.reader(lines, delimiter=sep, skipinitialspace=sep == " ") if row}
        if sep != but and len(widths) == 1 and max(widths) > 1:
            return sep
    return None


def _header_in_comment(comments: Sequence[str], dialect: Dialect, rows: Sequence[Sequence[str]]) -> Optional[list[str]]:
    """The names in the last comment before the first row, as numpy.savetxt writes them, where their number agrees."""
    last = next((line for line in reversed(comments) if line.strip().startswith("#")), "")
    names = _cells([last.lstrip("# ")], dialect) if last else []
    first = rows[0]
    if not names or len(names[0]) != len(first) or len(first) < 2 or not all(is_number(one) for one in first if one):
        return None
    return [name.strip() for name in names[0]]


def _names(cells: Sequence[str], known: Knowledge, decided: list[str]) -> list[str]:
    """The names of a header, without the blanks around them unless the model has them so, which is told."""
    wanted = set(known.names)
    names = [cell if cell in wanted else cell.strip(" \t") for cell in cells]
    if any(name != cell for name, cell in zip(names, cells)):
        decided.append("blanks around names left out")
    return names


def _decimal(rows: Sequence[Sequence[str]], dialect: Dialect) -> str:
    """The decimal sign: a comma where cells have one that is no separator of thousands."""
    if dialect.sep == ",":
        quoted = [cell for row in rows for cell in row if "," in cell]
        if not quoted or not all(is_decimal_comma(cell.strip()) for cell in quoted):
            return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if is_decimal_comma(cell)]
    sure = any(len(cell.rpartition(",")[2]) != 3 or cell.partition(",")[0].lstrip("+-") in ("", "0") for cell in commas)
    points = any(re.fullmatch(r"[+-]?\d*\.\d+", cell) and len(cell.rpartition(".")[2]) != 3 for cell in cells)
    return "," if sure and not points else "."


def _in_words(text: Text, dialect: Dialect, said: Optional[str], skipped: Sequence[str]) -> list[str]:
    found = [f"separated by {_SPOKEN.get(dialect.sep, repr(dialect.sep))}{' (as its first line says)' if said else ''}"]
    found.append("no header" if dialect.names is None else "header" if dialect.header_rows else "header in a comment")
    found.append(text.encoding.replace("-sig", ""))
    if text.around:
        found.append(text.around)
    if dialect.quote != '"':
        found.append("single quotes")
    if dialect.comments or any(map(_is_comment, skipped)):
        found.append("comment lines left out")
    if dialect.decimal == ",":
        found.append("decimal comma")
    return found
