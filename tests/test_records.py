"""Records survive a round trip through bytes, as JSON and as MessagePack."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from console import records

PACKED = (records.Artifact, records.Report)
"""They hold a file's identity in a form of its own, which no library reads back."""
KINDS = [
    kind for _name, kind in inspect.getmembers(records, inspect.isclass) if is_dataclass(kind) and kind not in PACKED
]
PLAIN: dict[Any, Any] = {
    str: "é\x1b",
    int: 3,
    float: 0.5,
    bool: True,
    bytes: b"\0\xff",
    memoryview: memoryview(b"\0"),
    Any: {"a": [1, None]},
}


def sample_of(kind: Any) -> Any:
    """A value of this type with something in each of its fields."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return tuple(sample_of(one) for one in arguments if one is not ...)
    if origin in (dict, Mapping):
        return {sample_of(arguments[0]): sample_of(arguments[1])}
    if origin is Literal:
        return arguments[0]
    if arguments:
        return sample_of(arguments[0])
    if issubclass(kind, Enum):
        return list(kind)[-1]
    hints = get_type_hints(kind)
    if issubclass(kind, tuple):
        return kind(*map(sample_of, hints.values()))
    return kind(**{field.name: sample_of(hints[field.name]) for field in fields(kind) if field.init})


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_survives_a_round_trip(kind: type[Any]) -> None:
    record = sample_of(kind)
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(record), type=kind) == record
