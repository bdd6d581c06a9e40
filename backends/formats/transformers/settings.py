"""Values of configurations by name, each of the type that it has to be: whatever else stands there is not told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from backends.core.errors import Damaged
from backends.core.source import Source
from backends.core.strict_json import is_text, parse_settings

_MOST = 1 << 40
_CLASS = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_DEPTH = 20
MOST_LABELS = 10_000


def settings_in(members: Mapping[str, Source], name: str) -> dict[str, Any]:
    """The object of a member; an empty one where it is not there. Raises Damaged, OverBudgetError, OSError."""
    source = members.get(name)
    if source is None:
        return {}
    found = parse_settings(source.read(0, source.size), name)
    if type(found) is not dict:
        raise Damaged(f"{name} is JSON, but no object")
    return found


def whole(settings: Mapping[str, Any], *names: str) -> Optional[int]:
    """The first of these that is a count."""
    found = (settings.get(name) for name in names)
    return next((one for one in found if type(one) is int and 0 <= one < _MOST), None)


def word(settings: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text, shortened; empty where none is."""
    found = (settings.get(name) for name in names)
    return next((one[:200] for one in found if type(one) is str and is_text(one)), "")


def inner(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object of this name; an empty one in the place of anything else."""
    found = settings.get(name)
    return found if type(found) is dict else {}


def class_name(found: Any) -> str:
    """The name of a class; empty for anything that is none."""
    return found if type(found) is str and _CLASS.fullmatch(found) else ""


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels in the order of their numbers, made up as transformers does where there is but a count."""
    named = inner(config, "id2label")
    known = len(named) <= MOST_LABELS and is_text(*named.values())
    found = [named.get(str(number)) for number in range(len(named))] if known else []
    if found and None not in found:
        return tuple(str(one)[:200] for one in found)
    count = whole(config, "num_labels", "_num_labels")
    return tuple(f"LABEL_{number}" for number in range(min(2 if count is None else count, MOST_LABELS)))


def keys_beneath(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names and values of an object and of all objects in it, not too deep."""
    if depth > _DEPTH:
        return
    for key, one in value.items() if type(value) is dict else enumerate(value):
        if type(key) is str:
            yield key, one
        if type(one) in (dict, list):
            yield from keys_beneath(one, depth + 1)
