"""Artifacts that are directories: formats tell them by the names of their entries, and read their members as one."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Union

from backends.core.descriptors import built_in
from backends.core.errors import Unsupported
from backends.core.format import HEAD, Format
from backends.core.inspection import Inspection
from backends.core.registry import readings_as_others
from backends.core.source import Source


def format_of(names: Collection[str]) -> tuple[Format, tuple[str, ...]]:
    """The format of a directory with these entries, and which of them are its members. Raises Unsupported."""
    for each in built_in():
        members = each.members(names) if each.members is not None else ()
        if members:
            return each, members
    raise Unsupported("a directory that is no artifact of a known format")


def members_of(names: Collection[str]) -> tuple[str, ...]:
    """Which entries of a directory make one artifact of it; none where it is a directory like any other."""
    try:
        return format_of(names)[1]
    except Unsupported:
        return ()


def is_artifact(path: Union[str, os.PathLike[str]]) -> bool:
    """Whether what is at a path can be one artifact: a file, or a directory that a format recognises."""
    if not os.path.isdir(path):
        return True
    try:
        return bool(members_of(os.listdir(path)))
    except OSError:
        return False


def inspect(members: Mapping[str, Source]) -> Inspection:
    """The facts of an artifact with these members, and what readers of other formats would find in any of them.

    Raises Damaged, Unsupported, OSError.
    """
    found, _members = format_of(members)
    inspection = found.inspect_directory(members)
    for name, source in members.items():
        for also in readings_as_others(source, source.read(0, HEAD), found, (), found.name):
            uses = tuple(replace(use, place=f"{name}, {use.place}" if use.place else name) for use in also.names)
            findings = tuple(replace(each, detail=f"{name}: {each.detail}") for each in also.findings)
            inspection = replace(inspection, names=inspection.names + uses, findings=inspection.findings + findings)
    return inspection
