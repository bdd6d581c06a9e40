"""Places of objects in what a file holds: `model`, `[0]`, `steps[1][1]`, `['odd key']`."""

from __future__ import annotations

import re
from typing import Any

from backends.core.errors import NotLoadable

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]")


def resolve(root: Any, at: str) -> Any:
    """The object at place `at` under `root`: `model`, `[0]`, `steps[1][1]`, `['odd key']`; empty means the root.

    A step is a key of a dict, an index of a sequence, else an attribute held in the object's own `__dict__`;
    properties and methods are never called. Raises NotLoadable when there is no such place.
    """
    here, position = root, 0
    while position < len(at):
        match = _STEP.match(at, position)
        if match is None:
            raise NotLoadable(f"'{at}' is not a place: use names, [index] or ['key'], as inspect lists them")
        name, index, quoted = match.groups()
        try:
            if index is not None:
                here = here[int(index)]
            else:
                key = name if name is not None else re.sub(r"\\(.)", r"\1", quoted)
                here = here[key] if isinstance(here, dict) else vars(here)[key]
        except (KeyError, IndexError, TypeError):
            raise NotLoadable(f"nothing stands at '{at[: match.end()]}' in this file") from None
        position = match.end()
    return here
