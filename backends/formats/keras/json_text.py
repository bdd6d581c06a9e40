"""JSON in Keras files, bounded, and without an object whose keys readers may understand differently."""

from __future__ import annotations

import json
from functools import partial
from typing import Optional

from backends.core.errors import Damaged
from backends.core.inspection import Json

MAX_TEXT = 64 * 1024 * 1024


def parsed(text: Optional[str], where: str) -> Json:
    """Parsed JSON. Raises Damaged with the place when it is none, or too large."""
    if text is None or len(text) > MAX_TEXT:
        raise Damaged(f"{where} cannot be read")
    try:
        found: Json = json.loads(text, object_pairs_hook=partial(_mapping, where))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where} is not valid JSON: {error}") from error
    return found


def _mapping(where: str, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """A JSON object. Raises Damaged where a key stands twice: readers differ on which of them counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Damaged(f"{where} gives a key of an object twice")
    return found
