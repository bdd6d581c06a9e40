"""The tree of a skops file, `schema.json`: bounded JSON in which each key of an object stands once."""

from __future__ import annotations

import json
from typing import Any

from backends.core.errors import Damaged

SCHEMA = "schema.json"
MAX_BYTES = 28 << 20
"""Text that is parsed at most: a forest of 1,700 trees."""
MAX_ITEMS = 500_000
"""Commas that are parsed at most."""
NEWEST = 2
"""The newest protocol that is known; readers of it read all before."""


class OverBudgetError(Exception):
    """A tree with more in it than is read: it was not parsed."""


def read_schema(data: bytes) -> dict[str, Any]:
    """The root of the tree. Raises Damaged, OverBudgetError."""
    if len(data) > MAX_BYTES or data.count(b",") > MAX_ITEMS:
        raise OverBudgetError(f"{SCHEMA} has over {MAX_BYTES:,} bytes or {MAX_ITEMS:,} values, and is not read")
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise Damaged(f"{SCHEMA} is nested far deeper than any model") from None
    except ValueError as error:
        raise Damaged(f"{SCHEMA} is not valid: {str(error)[:200]}") from None
    if type(found) is not dict:
        raise Damaged(f"{SCHEMA} is JSON, but no object")
    return found


def protocol_of(root: dict[str, Any]) -> int:
    """The protocol that says how the tree is read. Raises Damaged for what is none."""
    protocol = root.get("protocol")
    if type(protocol) is not int or protocol < 0:
        raise Damaged(f"{SCHEMA} names no protocol of skops")
    return protocol


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")
