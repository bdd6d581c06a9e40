"""A row as it is typed: its values separated by commas, or a text."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from console.records import Json
from console.safe_text import safe
from console.ui.widgets.keyvalue import value_text


def typed_line(inputs: dict[str, Json]) -> str:
    """A row as it can be typed: its text, or its values separated by commas."""
    values = flat(inputs)
    if len(values) == 1 and isinstance(values[0], str):
        return safe(values[0], 0)
    return ", ".join(value_text(value) if not isinstance(value, str) else safe(value, 0) for value in values)


def parsed_line(line: str, like: dict[str, Json]) -> str | list[Json]:
    """The typed row: a text where the row it is like is one, else values; what looks like a number is one."""
    if list(like) == ["text"]:
        return line
    cells = next(csv.reader([line], skipinitialspace=True), [])
    values: list[Json] = [_value(cell.strip()) for cell in cells]
    if not like and not any(isinstance(value, (int, float)) for value in values):
        return line
    return values


def named_row(row: str | list[Json], like: dict[str, Json]) -> dict[str, Json]:
    """A typed row by the names of the columns of the row it is like."""
    return {"text": row} if isinstance(row, str) else dict(zip(_names(like, row), row, strict=True))


def flat(inputs: dict[str, Json]) -> list[Json]:
    """The values of a row; an unnamed row holds them all in one list."""
    only = next(iter(inputs.values())) if len(inputs) == 1 else None
    return only if isinstance(only, list) else list(inputs.values())


def _value(cell: str) -> Json:
    if cell in ("", "nan", "None"):
        return None
    if cell in ("True", "False"):
        return cell == "True"
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell.strip("'\"")


def _names(like: dict[str, Json], values: Sequence[Json]) -> list[str]:
    names = list(like)
    return names if len(names) == len(values) else [str(index) for index in range(len(values))]
