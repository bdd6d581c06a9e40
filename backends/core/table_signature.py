"""The signature of a graph from the values it takes: the columns of a table, dealt out to its inputs in order."""

from __future__ import annotations

import json
from typing import Any, Optional

from backends.core.inspection import Json, Signature

NAMES = "model_console.feature_names"
"""The key of the metadata that holds the names of the columns as a list in JSON, where an export knows them."""

_WIDEST = 1 << 31
"""Columns beyond which rows are no table."""


def signature_of(
    inputs: list[dict[str, Any]], classes: Optional[tuple[Json, ...]] = None, named: Optional[str] = None
) -> Signature:
    """Inputs are dicts of name and shape (None = not told), without those that have a value already.

    `named` is what the metadata says of the names of the columns.
    """
    widths = [width_of(value["shape"]) for value in inputs]
    known = [width for width in widths if width is not None]
    if not inputs or len(known) < len(widths):
        return Signature(classes=classes)
    names = _told(named, sum(known))
    if len(inputs) > 1 and all(width == 1 for width in known):
        names = tuple(str(value["name"]) for value in inputs)
    return Signature(n_features=sum(known), feature_names=names, classes=classes)


def _told(named: Optional[str], count: int) -> Optional[tuple[str, ...]]:
    """The names of so many columns; None where the metadata tells none, or others."""
    try:
        names = json.loads(named or "null")
    except (ValueError, RecursionError):
        return None
    sound = isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names)
    return tuple(names) if sound else None


def width_of(shape: Optional[list[Any]]) -> Optional[int]:
    """How many columns of a row an input takes; None where its shape leaves that open."""
    if shape is None or not shape:
        return None
    width = 1
    for side in shape[1:]:
        if not isinstance(side, int) or side <= 0:
            return None
        width *= side
    return width if width <= _WIDEST else None
