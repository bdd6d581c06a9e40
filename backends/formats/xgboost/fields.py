"""Fields of a decoded model, each taken as what it has to be."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.errors import Damaged

_WHOLE = "bBhHiIlLqQ"


def member(found: dict[str, Any], name: str) -> dict[str, Any]:
    """A field that is an object. Raises Damaged."""
    value = found.get(name)
    if not isinstance(value, dict):
        raise Damaged(f"the field '{name}' is missing, or no object")
    return value


def text(found: dict[str, Any], name: str, usual: Optional[str] = None) -> str:
    """A field that is text. Raises Damaged."""
    value = found.get(name, usual)
    if not isinstance(value, str):
        raise Damaged(f"the field '{name}' is missing, or no text")
    return value


def count(found: dict[str, Any], name: str, least: int, most: int, usual: Optional[str] = None) -> int:
    """A whole number, which XGBoost writes as text. Raises Damaged."""
    value = text(found, name, usual)
    digits = value if value.lstrip("-").isdigit() and len(value) < 12 else ""
    if not digits or not least <= int(digits) <= most:
        raise Damaged(f"the field '{name}' is {value[:40]!r}, and {least} to {most:,} can be")
    return int(digits)


def entries(found: dict[str, Any], name: str) -> Sequence[Any]:
    """A field that is a list of whatever, or an array of numbers. Raises Damaged."""
    value = found.get(name)
    if not isinstance(value, (list, array)):
        raise Damaged(f"the field '{name}' is missing, or no list")
    return value


def wholes(found: dict[str, Any], name: str, size: Optional[int] = None) -> Sequence[int]:
    """So many whole numbers, of 32 bits or less. Raises Damaged."""
    values = entries(found, name)
    whole = values.typecode in _WHOLE if isinstance(values, array) else all(type(one) is int for one in values)
    if not whole and len(values):
        raise Damaged(f"the field '{name}' holds something that is no whole number")
    if len(values) and not (min(values) >= -(1 << 31) and max(values) < 1 << 31):
        raise Damaged(f"the field '{name}' holds a number of more than 32 bits")
    return _sized(values, name, size)


def reals(found: dict[str, Any], name: str, size: Optional[int] = None) -> Sequence[float]:
    """So many numbers. Raises Damaged."""
    values = entries(found, name)
    if not isinstance(values, array) and any(type(one) not in (int, float) for one in values):
        raise Damaged(f"the field '{name}' holds something that is no number")
    return _sized(values, name, size)


def _sized(values: Sequence[Any], name: str, size: Optional[int]) -> Sequence[Any]:
    if size is not None and len(values) != size:
        raise Damaged(f"the field '{name}' has {len(values):,} values where {size:,} belong")
    return values
