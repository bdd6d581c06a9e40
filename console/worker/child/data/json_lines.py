"""JSON lines into typed columns: an object a line, or an array of values a line; also one array of such objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from backends.base import Source
from console.worker.child.data.delimited import ROWS_CAP, Columns
from console.worker.child.data.options import Knowledge, ReadOptions
from console.worker.child.data.text import Text, bad, head_of, open_text

__all__ = ["is_json_lines", "read_json_lines"]


def is_json_lines(source: Source, options: ReadOptions) -> bool:
    """Whether the first line that is not blank begins a JSON object or array and nothing else was asked for."""
    if options.sep is not None:
        return False
    head = head_of(source, 4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] != b"[":
        return head[:1] == b"{"
    return head[1:].lstrip()[:1] in (b"{", b"[") or _is_array(head)


def _is_array(head: bytes) -> bool:
    try:
        return isinstance(json.loads(head.split(b"\n", 1)[0]), list)
    except ValueError:
        return False


def read_json_lines(source: Source, options: ReadOptions, known: Knowledge) -> Columns:
    """Read the lines. Every row must have the same columns. Raises Refusal that names the line."""
    text = open_text(source, options.encoding)
    columns: dict[str, list[Any]] = {}
    rows, named = 0, True
    for line, value in _values(source, text):
        named = isinstance(value, dict)
        found = value if named else {str(at): cell for at, cell in enumerate(value)}
        if not rows:
            columns = {name: [] for name in found}
        if found.keys() != columns.keys():
            odd = next((name for name in columns if name not in found), None)
            what = f"lacks '{odd}'" if odd is not None else "has other columns than the first row"
            raise bad(
                source, f"{what} in line {line}: every row must have the same columns (null where one is missing)"
            )
        for name, cell in found.items():
            if isinstance(cell, (dict, list)):
                raise bad(source, f"holds a nested value in '{name}', line {line}: a table has one value a cell")
            columns[name].append(cell)
        rows += 1
        if rows > ROWS_CAP:
            raise bad(source, f"has more than {ROWS_CAP} rows, which is the limit")
    if not rows:
        raise bad(source, "holds no row")
    typed = {name: _typed(cells, name in known.texts) for name, cells in columns.items()}
    return Columns(typed, named, ["JSON lines", text.encoding.replace("-sig", "")])


def _values(source: Source, text: Text) -> Iterator[tuple[int, Any]]:
    """Each row with its line; a file that is one array holds its rows in it."""
    with text.lines() as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                if number == 1 and line.lstrip("\ufeff \t")[:1] == "[":
                    yield from _whole(source, text)
                    return
                raise bad(source, f"is no JSON in line {number}: {error}") from None
            if number == 1 and isinstance(value, list) and value and isinstance(value[0], (dict, list)):
                yield from ((1, row) for row in value)
                continue
            if not isinstance(value, (dict, list)):
                raise bad(source, f"holds no object and no array in line {number}: a row is one of them")
            yield number, value


def _whole(source: Source, text: Text) -> Iterator[tuple[int, Any]]:
    with text.lines() as file:
        try:
            value = json.load(file)
        except ValueError as error:
            raise bad(source, f"is neither JSON lines nor one JSON array: {error}") from None
    if not isinstance(value, list) or not all(isinstance(row, (dict, list)) for row in value):
        raise bad(source, "is JSON, but no array of objects: a row is an object")
    yield from ((at, row) for at, row in enumerate(value, 1))


def _typed(cells: list[Any], text: bool) -> Any:
    """Numbers where all are (null is a missing one), truth values, else texts and None as NaN."""
    import numpy

    present = [cell for cell in cells if cell is not None]
    if not text and present and all(isinstance(cell, bool) for cell in cells):
        return numpy.asarray(cells, dtype=bool)
    numeric = all(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in present)
    if not text and numeric:
        whole = len(present) == len(cells) and all(isinstance(cell, int) and abs(cell) < 1 << 63 for cell in cells)
        if whole and cells:
            return numpy.asarray(cells, dtype="int64")
        return numpy.asarray([float("nan") if cell is None else float(cell) for cell in cells])
    found = numpy.empty(len(cells), dtype=object)
    found[:] = [float("nan") if cell is None else cell if isinstance(cell, str) else _spelled(cell) for cell in cells]
    return found


def _spelled(cell: Any) -> str:
    return json.dumps(cell)
