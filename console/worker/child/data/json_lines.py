"""JSON lines into typed columns: an object a line, or an array of values a line; also one array of such objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Optional

from backends.core.source import Source
from console.worker.child.data.cells import is_number
from console.worker.child.data.delimited import NO_ROWS, ROWS_CAP, Columns
from console.worker.child.data.options import Knowledge, ReadOptions
from console.worker.child.data.text import Text, bad, open_text, peek
from console.worker.child.lazy import numpy

_COMMENTS = ("#", "//")


def is_json_lines(source: Source, options: ReadOptions) -> bool:
    """Whether the first line that is not blank begins a JSON object or array and nothing else was asked for."""
    if options.sep is not None:
        return False
    head = peek(source, options.encoding).lstrip()
    while head.startswith(_COMMENTS):
        head = head.partition("\n")[2].lstrip()
    if head[:1] != "[":
        return head[:1] == "{"
    return head[1:].lstrip()[:1] in ("{", "[") or _is_array(head)


def _is_array(head: str) -> bool:
    try:
        return isinstance(json.loads(head.split("\n", 1)[0]), list)
    except ValueError:
        return False


def read_json_lines(source: Source, options: ReadOptions, known: Knowledge) -> Columns:
    """Read the lines. Every row must have the same columns. Raises Refusal that names the line."""
    text = open_text(source, options.encoding)
    columns: dict[str, list[Any]] = {}
    lines: list[int] = []
    named = True
    for line, value in _values(source, text):
        found = value if isinstance(value, dict) else {str(at): cell for at, cell in enumerate(value)}
        if not lines:
            named, columns = isinstance(value, dict), {name: [] for name in found}
        if found.keys() != columns.keys() or isinstance(value, dict) != named or not found:
            raise bad(source, _other_columns(list(columns), list(found), line))
        for name, cell in found.items():
            if isinstance(cell, (dict, list)):
                raise bad(source, _nested(value, name, line))
            columns[name].append(None if options.missing and _is_missing(cell, options.missing) else cell)
        lines.append(line)
        if len(lines) > ROWS_CAP:
            raise bad(source, f"has more than {ROWS_CAP} rows, which is the limit")
    if not lines:
        raise bad(source, "holds no row", NO_ROWS)
    known = known.of(list(columns), options.ignore, by_place=not named)
    typed = {name: _typed(cells, name in known.texts) for name, cells in columns.items()}
    problems = {
        name: _problem(columns[name], lines)
        for name, cells in typed.items()
        if cells.dtype.kind == "O" and name not in known.texts
    }
    return Columns(typed, named, ["JSON lines", text.encoding.replace("-sig", "")], problems)


def _is_missing(cell: Any, missing: tuple[str, ...]) -> bool:
    """Whether a value is one that was said to stand for a missing one."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return any(is_number(one) and float(one) == cell for one in missing)
    return isinstance(cell, str) and cell in missing


def _other_columns(names: list[str], found: list[str], line: int) -> str:
    lacking = next((name for name in names if name not in found), None)
    surplus = next((name for name in found if name not in names), None)
    if not found:
        what = "holds a row without a column"
    elif lacking is not None:
        what = f"lacks '{lacking}'"
    else:
        what = "has other columns than the first row" + (f", such as '{surplus}'," if surplus is not None else "")
    return f"{what} in line {line}: every row must have the same columns (null where one is missing)"


def _nested(row: Any, name: str, line: int) -> str:
    """A nested value; a table that was written as one object is named as what it is."""
    cells = list(row.values()) if isinstance(row, dict) else []
    if len(cells) == 1 and isinstance(cells[0], list) and all(isinstance(cell, dict) for cell in cells[0]):
        return f"holds its rows in a list under '{name}': write that list alone, or a row a line"
    form = _form(set(row) if isinstance(row, dict) else set(), cells)
    if form is not None:
        what = f"is one JSON object of a whole table, as pandas writes with orient='{form}'"
        return f"{what}: write it with orient='records', lines=True"
    return f"holds a nested value in '{name}', line {line}: a table has one value a cell"


def _form(names: set[str], cells: list[Any]) -> Optional[str]:
    """The form in which pandas writes a whole table into one object; None where it is none."""
    if {"columns", "data"} <= names:
        return "split"
    if {"schema", "data"} <= names:
        return "table"
    if cells and all(isinstance(cell, dict) for cell in cells):
        return "columns"
    return "list" if len(cells) > 1 and all(isinstance(cell, list) for cell in cells) else None


def _values(source: Source, text: Text) -> Iterator[tuple[int, Any]]:
    """Each row with its line; a file that is one array holds its rows in it, one that is one object is one row."""
    first = True
    with text.lines() as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = _loaded(line)
            except _Doubled as error:
                raise bad(source, f"names '{error}' twice in line {number}: name each column once") from None
            except (ValueError, RecursionError) as error:
                if (first and line.strip("\ufeff \t\r\n") in ("[", "{")) or (
                    first and line.lstrip("\ufeff \t")[:1] == "["
                ):
                    yield from _whole(source, text)
                    return
                ends = ", whose last sign is a comma: leave it out" if line.rstrip().endswith("},") else ""
                ends = ends or (", which is a comment: remove it" if line.lstrip().startswith(_COMMENTS) else "")
                raise bad(source, f"is no JSON in line {number}{ends}: {error}") from None
            if first and isinstance(value, list) and (not value or isinstance(value[0], (dict, list))):
                yield from _rows_of(source, value)
                return
            first = False
            if not isinstance(value, (dict, list)):
                raise bad(source, f"holds no object and no array in line {number}: a row is one of them")
            yield number, value


class _Doubled(Exception):
    """A name that one object has twice."""


def _loaded(text: str) -> Any:
    return json.loads(text.lstrip("\ufeff"), object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise _Doubled(next(name for name in names if names.count(name) > 1))
    return found


def _whole(source: Source, text: Text) -> Iterator[tuple[int, Any]]:
    with text.lines() as file:
        try:
            value = _loaded(file.read())
        except _Doubled as error:
            raise bad(source, f"names '{error}' twice in one object: name each column once") from None
        except (ValueError, RecursionError) as error:
            raise bad(source, f"is neither JSON lines nor one JSON array: {error}") from None
    yield from _rows_of(source, value if isinstance(value, list) else [value])


def _rows_of(source: Source, value: list[Any]) -> Iterator[tuple[int, Any]]:
    if not all(isinstance(row, (dict, list)) for row in value):
        raise bad(source, "is JSON, but no array of objects: a row is an object")
    yield from ((at, row) for at, row in enumerate(value, 1))


def _problem(cells: list[Any], lines: list[int]) -> str:
    """Why a column holds no numbers: its first value that is none, by kind and line."""
    for cell, line in zip(cells, lines):
        if isinstance(cell, bool):
            return f"truth values among others, first in line {line}: write them all alike, such as 1 and 0"
        if isinstance(cell, str):
            kind = "numbers in quotes" if is_number(cell) else "text"
            return f"{kind}, first in line {line}" + (": write them without" if kind != "text" else "")
    return "numbers too large for a float"


def _typed(cells: list[Any], text: bool) -> Any:
    """Numbers where all are (null is a missing one), truth values, else texts and None as NaN."""
    present = [cell for cell in cells if cell is not None]
    if not text and present and all(isinstance(cell, bool) for cell in cells):
        return numpy.asarray(cells, dtype=bool)
    numeric = all(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in present)
    if not text and numeric:
        whole = len(present) == len(cells) and all(isinstance(cell, int) and abs(cell) < 1 << 63 for cell in cells)
        if whole and cells:
            return numpy.asarray(cells, dtype="int64")
        try:
            return numpy.asarray([float("nan") if cell is None else float(cell) for cell in cells])
        except OverflowError:
            pass
    found = numpy.empty(len(cells), dtype=object)
    found[:] = [float("nan") if cell is None else cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]
    return found
