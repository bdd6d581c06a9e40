"""Records from JSON that a child sent: msgspec checks the types, and what it does not check is checked here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

import msgspec

from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, ModelEntry, Signature

DEPTH_CAP = 40
T = TypeVar("T")


class Malformed(ValueError):
    """The JSON is not this record."""


def decoded(value: Any, kind: type[T]) -> T:
    """The record of this type that the JSON is. Raises Malformed."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from None


def inspection_from(value: Any) -> Inspection:
    """The Inspection in a child's answer. Raises Malformed."""
    found = decoded(value, Inspection)
    _without_others([value], Inspection)
    _without_others([value.get("signature", {})], Signature)
    for name, kind in (("names", GlobalRef), ("models", ModelEntry), ("arrays", ArrayInfo), ("findings", Finding)):
        _without_others(value.get(name, ()), kind)
    check_json([found.parameters, found.details, found.signature.classes, *(one.parameters for one in found.models)])
    return found


def _without_others(found: Iterable[dict[str, Any]], kind: type[Any]) -> None:
    """Raise Malformed where one has other fields than the record: msgspec passes over those of a dataclass."""
    known = {field.name for field in fields(kind)}
    if not all(one.keys() <= known for one in found):
        raise Malformed(f"this is no {kind.__name__}: it has other fields")


def check_json(value: Any, depth: int = 0) -> None:
    """Raise Malformed for JSON that is nested deeper than anybody writes it, or has a number that is none."""
    if depth > DEPTH_CAP:
        raise Malformed("nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed("a number that is none")
    if isinstance(value, (list, tuple, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            check_json(one, depth + 1)
