"""Formats that other distributions bring, by entry points of the group `model_console.formats`.

They are code that was not reviewed with the console. They are therefore imported on demand and in sandboxed children
only; they are asked last, for files that no format of the console reads; and what they read is never safe by itself.
The name of an entry point is the extension of its files without the dot: that much is known without importing it, and a
file with it has a row in lists.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from backends.core.format import Format

GROUP = "model_console.formats"
_MAX_TEXT = 200
_allowed = False


class Formats(NamedTuple):
    """The descriptors found, and a sentence for each distribution that is broken."""

    found: tuple[Format, ...] = ()
    problems: tuple[str, ...] = ()


def allow() -> None:
    """Let this process import them: said by a child, in its sandbox."""
    global _allowed
    _allowed = True


@lru_cache(maxsize=1)
def suffixes() -> frozenset[str]:
    """The extensions of their files, by what the installed distributions say of themselves; imports none of them."""
    return frozenset(f".{entry.name.lower()}" for entry in _entry_points())


def formats() -> Formats:
    """The formats of other distributions; none in a process that may not import them."""
    return _load() if _allowed else Formats()


@lru_cache(maxsize=1)
def _load() -> Formats:
    found: list[Format] = []
    problems: list[str] = []
    for entry in _entry_points():
        try:
            loaded = entry.load()
            descriptors = (loaded,) if isinstance(loaded, Format) else tuple(loaded)
            if not all(isinstance(each, Format) for each in descriptors):
                raise TypeError("it names no Format")
            found.extend(descriptors)
        except Exception as error:  # code of others: whatever it raises is one sentence
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:_MAX_TEXT]
            problems.append(f"the format '{entry.name}' ({entry.value}) cannot be used: {reason}")
    return Formats(tuple(sorted(found, key=lambda each: each.order)), tuple(problems))


def _entry_points() -> tuple[Any, ...]:
    from importlib import metadata  # takes longer than all of the scan of a small store

    points: Any = metadata.entry_points()
    chosen = points.select(group=GROUP) if hasattr(points, "select") else points.get(GROUP, ())  # Python 3.9: a dict
    return tuple(dict.fromkeys(chosen))
