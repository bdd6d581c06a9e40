"""Rebuilds the records of an inspection from JSON a child sent: exact types, nothing unknown, nothing missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Union, get_args, get_origin

from backends.core import inspection as base
from backends.core.inspection import Inspection, Signature

Convert = Callable[[Any], Any]
DEPTH_CAP = 40


class Malformed(ValueError):
    """The JSON is not this record."""


def inspection_from(value: Any) -> Inspection:
    """The Inspection in a child's answer (or in a cache). Raises Malformed."""
    found: Inspection = _record(Inspection)(value)
    return found


def signature_from(value: Any) -> Signature:
    """The Signature in a child's answer. Raises Malformed."""
    found: Signature = _record(Signature)(value)
    return found


@cache
def _record(kind: type) -> Convert:
    known = {field.name: field for field in fields(kind)}
    converts = {name: _convert(eval(str(field.type), vars(base))) for name, field in known.items()}
    required = {name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING}

    def convert(value: Any) -> Any:
        if not isinstance(value, dict) or not required <= value.keys() <= known.keys():
            raise Malformed(f"this is no {kind.__name__}")
        return kind(**{name: converts[name](one) for name, one in value.items()})

    return convert


@cache
def _convert(hint: Any) -> Convert:
    if hint == base.Json:
        return _json
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union:
        return _optional(_convert(next(one for one in arguments if one is not type(None))))
    if origin is tuple:
        return _tuple(_convert(arguments[0]))
    if origin is dict:
        return _mapping(_convert(arguments[1]))
    if hint in (str, int, bool, float):
        return _plain(hint)
    return _record(hint)


def _plain(kind: type) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not kind:
            raise Malformed(f"{kind.__name__} expected, {type(value).__name__} found")
        return value

    return convert


def _optional(inner: Convert) -> Convert:
    return lambda value: None if value is None else inner(value)


def _tuple(inner: Convert) -> Convert:
    def convert(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Malformed("list expected")
        return tuple(inner(one) for one in value)

    return convert


def _mapping(inner: Convert) -> Convert:
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Malformed("object expected")
        return {key: inner(one) for key, one in value.items()}

    return convert


def _json(value: Any, depth: int = 0) -> Any:
    if depth > DEPTH_CAP:
        raise Malformed("nested too deeply")
    if isinstance(value, list):
        return [_json(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {key: _json(one, depth + 1) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed("a number that is none")
    return value
