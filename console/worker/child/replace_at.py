"""Putting another model at a place of what a file holds."""

from __future__ import annotations

import re
from typing import Any

from backends.core.errors import NotLoadable

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]")
"""One step of a place, as `backends.core.places.resolve` reads it."""


def replaced(root: Any, at: str, model: Any) -> Any:
    """`root` with `model` at place `at` (see `backends.core.places.resolve`); tuples on the way are built anew.

    Raises NotLoadable when there is no such place.
    """
    if not at:
        return model
    match = _STEP.match(at)
    if match is None:
        raise NotLoadable(f"'{at}' is not a place: use names, [index] or ['key'], as inspect lists them")
    name, index, quoted = match.groups()
    rest = at[match.end() :]
    try:
        if index is not None:
            return _at_index(root, int(index), rest, model)
        key = name if name is not None else re.sub(r"\\(.)", r"\1", quoted)
        holder = root if isinstance(root, dict) else vars(root)
        holder[key] = replaced(holder[key], rest, model)
    except (KeyError, IndexError, TypeError):
        raise NotLoadable(f"nothing stands at '{at}' in this file") from None
    return root


def _at_index(root: Any, index: int, rest: str, model: Any) -> Any:
    part = replaced(root[index], rest, model)
    if not isinstance(root, tuple):
        root[index] = part
        return root
    parts = list(root)
    parts[index] = part
    return type(root)(*parts) if hasattr(root, "_fields") else type(root)(parts)
