"""Values of a type as hypothesis makes them up, for the types that records are made of."""

from __future__ import annotations

import dataclasses
import os
import types
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

_MOST = 3
NAMES = st.one_of(st.text(max_size=8), st.binary(max_size=8).map(os.fsdecode))
"""Text as it comes from outside, with what file names have that no UTF-8 does."""
INTEGERS = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=_MOST) | st.dictionaries(NAMES, inner, max_size=_MOST),
    max_leaves=6,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: NAMES,
    int: INTEGERS,
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    memoryview: st.binary(max_size=40).map(memoryview),
    type(None): st.none(),
    Any: JSON,
}


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of this type. Raises TypeError for one that has no business in a record."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, tuple):
        return st.builds(kind, **{name: values(hint) for name, hint in get_type_hints(kind).items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if dataclasses.is_dataclass(kind):
        return _records(kind)
    return _composed(get_origin(kind), get_args(kind), kind)


def _composed(origin: Any, parts: tuple[Any, ...], kind: Any) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, parts))
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(values(parts[0]), max_size=_MOST).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, parts))
    if origin is list:
        return st.lists(values(parts[0]), max_size=_MOST)
    if origin is dict and parts[0] is str:
        return st.dictionaries(NAMES, values(parts[1]), max_size=_MOST)
    if origin is dict and parts[0] is int:
        return st.dictionaries(INTEGERS, values(parts[1]), max_size=_MOST)
    raise TypeError(f"{kind} cannot go through bytes")


def _records(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    fields = {one.name: values(hints[one.name]) for one in dataclasses.fields(kind)}
    return st.builds(kind, **fields)
