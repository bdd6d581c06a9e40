"""Inputs of a request as the engine takes them: one table of numbers as a tensor, anything else as rows of columns."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from console.errors import InputError
from console.http.tensors_binary import written_texts
from console.http.tensors_json import packed, unpacked
from console.records import Tensor

_FINITE_ONLY = "send one tensor, whose numbers go as they are"


@dataclass(slots=True)
class Inputs:
    """The part of an InferRequest that holds its inputs."""

    tensors: tuple[Tensor, ...] = ()
    body: bytes = b""
    rows: tuple[Any, ...] | None = None
    columns: tuple[str, ...] | None = None
    plain: bool = False

    def is_text(self) -> bool:
        """Whether each row is one text."""
        return bool(self.rows) and all(len(row) == 1 and isinstance(row[0], str) for row in self.rows or ())


@dataclass(slots=True)
class GivenTensor:
    """One tensor as it was sent: its values, or of numbers their bytes."""

    name: str
    datatype: str
    shape: Sequence[int]
    values: list[Any] | None = None
    data: bytes | memoryview = b""
    content_type: str = ""

    def listed(self) -> list[Any]:
        """Its values, row by row."""
        return unpacked(self.datatype, self.data) if self.values is None else self.values


def from_tensors(given: Sequence[GivenTensor], *, table: bool = False) -> Inputs:
    """A tensor, or where there are several or texts, or `table` says so, each of them as a column.

    Raises InputError.
    """
    if not table and _are_tensors(given):
        bodies = [_bytes_of(one) for one in given]
        tensors = tuple(Tensor(one.name, one.datatype, tuple(one.shape)) for one in given)
        return Inputs(tensors, b"".join(bodies), plain=all(one.values is not None for one in given))
    if len(given) > 1 or table:
        return _from_columns(given)
    (only,) = given
    if only.datatype == "BYTES":
        width = math.prod(only.shape[1:])
        return Inputs(rows=_rows_of(only.listed(), width))
    shape = tuple(only.shape) if len(only.shape) > 1 else (math.prod(only.shape), 1)
    data = bytes(only.data) if only.values is None else packed(only.name, only.datatype, only.values)
    return Inputs((Tensor(only.name, only.datatype, shape),), data, plain=only.values is not None)


def _are_tensors(given: Sequence[GivenTensor]) -> bool:
    """Whether they are no columns of one table: several of other shapes, or texts in more than rows and columns."""
    if len(given) == 1:
        return given[0].datatype == "BYTES" and len(given[0].shape) > 2
    length = given[0].shape[0] if given[0].shape else 1
    return any(list(one.shape) not in ([length], [length, 1]) for one in given)


def _bytes_of(one: GivenTensor) -> bytes:
    """The values of a tensor as they stand in a body. Raises InputError."""
    if one.datatype == "BYTES":
        return written_texts(["" if value is None else value for value in one.values or ()])
    return bytes(one.data) if one.values is None else packed(one.name, one.datatype, one.values)


def _rows_of(values: list[Any], width: int) -> tuple[list[Any], ...]:
    return tuple(values[at : at + width] for at in range(0, len(values), width)) if width else ()


def _from_columns(given: Sequence[GivenTensor]) -> Inputs:
    """Tensors that are the columns of a table, by their names."""
    length = given[0].shape[0] if given[0].shape else 1
    for tensor in given:
        if list(tensor.shape) not in ([length], [length, 1]):
            found = list(tensor.shape)
            raise InputError(
                f"Input {tensor.name!r}: each of several inputs is a column; expected shape [{length}] or "
                f"[{length}, 1], found {found}."
            )
    names = tuple(tensor.name for tensor in given)
    return from_table(names, list(zip(*(tensor.listed() for tensor in given), strict=True)))


def from_table(columns: Sequence[str] | None, rows: Sequence[Sequence[Any]]) -> Inputs:
    """Rows of values by the names of their columns; not-a-number is a value that is missing. Raises InputError."""
    if columns is not None and len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise InputError(f"Column {twice!r} is given twice.")
    _check_widths(rows, len(columns) if columns is not None else len(rows[0]) if rows else 0)
    return Inputs(
        rows=tuple([_cell(value) for value in row] for row in rows),
        columns=None if columns is None else tuple(columns),
    )


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        if value == value:
            raise InputError("A number in the columns is infinite.", hint=_FINITE_ONLY)
        return None
    return value


def from_rows(rows: list[list[float]]) -> Inputs:
    """Rows of numbers as one tensor. Raises InputError where they are not equally long."""
    width = len(rows[0]) if rows else 0
    _check_widths(rows, width)
    numbers = array("d", rows[0] if len(rows) == 1 else chain.from_iterable(rows))
    return Inputs((Tensor("inputs", "FP64", (len(rows), width)),), numbers.tobytes(), plain=True)


def _check_widths(rows: Sequence[Sequence[Any]], width: int) -> None:
    if any(len(row) != width for row in rows):
        at, row = next((at, row) for at, row in enumerate(rows) if len(row) != width)
        raise InputError(f"Row {at}: expected {width} values, found {len(row)}.")


def from_objects(objects: Sequence[Mapping[str, Any]]) -> Inputs:
    """Objects of values by the names of their columns. Raises InputError where one has other names than the first."""
    columns = list(objects[0]) if objects else []
    rows = []
    for at, item in enumerate(objects):
        if item.keys() != objects[0].keys():
            missing = [name for name in columns if name not in item] + [f"not {n}" for n in item if n not in columns]
            raise InputError(f"Row {at}: expected columns {_listed(columns)}, found others: {_listed(missing)}.")
        rows.append([item[name] for name in columns])
    return from_table(columns, rows)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} … ({len(names)})"
