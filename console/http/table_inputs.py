"""Inputs as TensorFlow Serving's JSON and MLflow's have them: instances by row, inputs by column, and examples."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from console.errors import InputError, UsageError
from console.http.inputs import GivenTensor, Inputs, from_objects, from_rows, from_table, from_tensors
from console.http.tensors_binary import text_of
from console.http.tensors_json import read_values

_ROWS = msgspec.json.Decoder(list[list[float]])
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def from_instances(data: msgspec.Raw) -> Inputs:
    """Row form: a list with a value, a list or an object of columns for each row. Raises InputError, UsageError."""
    try:
        rows = _ROWS.decode(data)
    except msgspec.ValidationError:
        return _from_values("instances", _listed("instances", _ANY.decode(data)))
    if not rows:
        raise UsageError("There are no instances; expected at least one row.")
    return from_rows(rows)


def from_inputs(data: msgspec.Raw) -> Inputs:
    """Column form: one list of rows, or an object with a list for each column. Raises InputError, UsageError."""
    value = _ANY.decode(data)
    if not isinstance(value, dict) or _text_in(value) is not None:
        return _from_values("inputs", _listed("inputs", value))
    if len(value) == 1:
        ((name, column),) = value.items()
        return _from_values(name, _listed(name, column))
    if any(
        isinstance(item, list) and len(item) != 1 for column in value.values() for item in _listed("inputs", column)
    ):
        return from_tensors([_tensor(name, column) for name, column in value.items()])
    columns = {name: [_cell(item) for item in _listed(name, column)] for name, column in value.items()}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        told = ", ".join(f"{name[:40]}: {len(column)}" for name, column in [*columns.items()][:8])
        raise InputError(f"Expected columns of one length, found {told or 'no columns'}.")
    return from_table([*columns], [*zip(*columns.values(), strict=True)])


def from_examples(examples: Sequence[Mapping[str, Any]], context: Mapping[str, Any]) -> Inputs:
    """Objects of features; those in the context belong to each of them. Raises InputError, UsageError."""
    if not examples:
        raise UsageError("There are no examples; expected at least one.")
    return _from_values("examples", [{**context, **example} for example in examples])


def _from_values(name: str, values: list[Any]) -> Inputs:
    """Rows of any of the forms that one may have."""
    if not values:
        raise UsageError(f"There is nothing in {name!r}; expected at least one row.")
    if all(isinstance(value, dict) and _text_in(value) is None for value in values):
        return _from_objects(values)
    if all(isinstance(value, list) for value in values):
        return _from_lists(name, values)
    return from_table(None, [[_cell(value)] for value in values])


def _from_objects(values: list[dict[str, Any]]) -> Inputs:
    names = list(values[0])
    if len(names) == 1 and all(isinstance(value.get(names[0]), list) for value in values):
        rows = [value[names[0]] for value in values]
        if any(len(row) != 1 for row in rows):
            return _from_lists(names[0], rows)
    return from_objects([{name: _cell(item) for name, item in value.items()} for value in values])


def _from_lists(name: str, rows: list[list[Any]]) -> Inputs:
    if any(isinstance(item, list) for row in rows for item in row):
        return _from_nested(name, rows)
    try:
        return from_rows(msgspec.convert(rows, list[list[float]]))
    except msgspec.ValidationError:
        return from_table(None, [[_cell(item) for item in row] for row in rows])


def _from_nested(name: str, values: list[Any]) -> Inputs:
    """Lists in lists in lists: a tensor."""
    return from_tensors([_tensor(name, values)])


def _tensor(name: str, values: list[Any]) -> GivenTensor:
    """Lists in lists as a tensor of numbers, or of texts. Raises InputError."""
    shape: list[int] = []
    level: Any = values
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    datatype = "BYTES" if isinstance(level, str) else "FP64"
    found = read_values(name, datatype, shape, msgspec.Raw(msgspec.json.encode(values)))
    return GivenTensor(name, datatype, shape, found)


def _listed(name: str, value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise UsageError(f"Expected a list in {name[:60]!r}, found {type(value).__name__}.")


def _cell(value: Any) -> Any:
    """One value of a column: alone, alone in a list, or bytes in base64."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and (data := _text_in(value)) is not None:
        try:
            return text_of("b64", b64decode(data, validate=True))
        except (binascii.Error, ValueError) as error:
            raise InputError("Expected base64 in 'b64', found other text.") from error
    if isinstance(value, list | dict):
        raise InputError(f"Expected one value for each row of a column, found {str(value)[:60]}.")
    return value


def _text_in(value: Mapping[str, Any]) -> str | None:
    """The text of {"b64": text}, None of any other object."""
    data = value.get("b64")
    return data if len(value) == 1 and isinstance(data, str) else None
