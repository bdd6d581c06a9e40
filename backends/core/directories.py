"""Artifacts that are directories: formats tell them by the names of their entries, and read their members as one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from backends.base import Inspection, Source, Unsupported
from backends.core.format import Format
from backends.formats import safetensors

__all__ = ["format_of", "inspect", "members_of"]


def format_of(names: Collection[str]) -> tuple[Format, tuple[str, ...]]:
    """The format of a directory with these entries, and which of them are its members. Raises Unsupported."""
    for one in _formats():
        members = one.members(names) if one.members is not None else ()
        if members:
            return one, members
    raise Unsupported("a directory that is no artifact of a known format")


def members_of(names: Collection[str]) -> tuple[str, ...]:
    """Which entries of a directory make one artifact of it; none where it is a directory like any other."""
    try:
        return format_of(names)[1]
    except Unsupported:
        return ()


def inspect(members: Mapping[str, Source]) -> Inspection:
    """The facts of an artifact with these members. Raises Damaged, Unsupported, OSError."""
    return format_of(members)[0].inspect_directory(members)


def _formats() -> Iterator[Format]:
    yield from safetensors.FORMATS
