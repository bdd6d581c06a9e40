"""Artifacts that are directories: formats tell them by the names of their entries, and read their members as one."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Callable, Union

from backends.core.descriptors import built_in
from backends.core.errors import Unsupported
from backends.core.format import HEAD, Format
from backends.core.inspection import Inspection
from backends.core.registry import readings_as_others
from backends.core.source import Source

Beneath = Callable[[str], Collection[str]]
"""Lists the entries of a directory in an artifact, by its path there; none of what is no directory, or a link."""
MOST_FOLDERS = 256
"""Directories of one artifact that are looked into; none lies deeper than DEEPEST names."""
DEEPEST = 8
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def beneath(top: Union[str, os.PathLike[str], int]) -> Beneath:
    """Lists directories beneath the one at a path, or open as a descriptor; hidden names and links are left out."""

    def entries(folder: str) -> Collection[str]:
        try:
            fd = (
                os.open(folder, _FLAGS, dir_fd=top)
                if isinstance(top, int)
                else os.open(os.path.join(top, folder), _FLAGS)
            )
        except OSError:
            return ()
        try:
            return [name for name in os.listdir(fd) if not name.startswith(".")]
        except OSError:
            return ()
        finally:
            os.close(fd)

    return entries


def format_of(names: Collection[str], lists: Beneath = lambda folder: ()) -> tuple[Format, tuple[str, ...]]:
    """The format of a directory with these entries, and which of them are its members, those in directories beneath by
    their paths. Raises Unsupported."""
    for each in built_in():
        members = each.members(_entries(each, names, lists)) if each.members is not None else ()
        if members:
            return each, members
    raise Unsupported("a directory that is no artifact of a known format")


def members_of(names: Collection[str], lists: Beneath = lambda folder: ()) -> tuple[str, ...]:
    """Which entries of a directory make one artifact of it; none where it is a directory like any other."""
    try:
        return format_of(names, lists)[1]
    except Unsupported:
        return ()


def _entries(found: Format, names: Collection[str], lists: Beneath) -> Collection[str]:
    """The entries that a format is asked about: those of the directory, and of the directories in it that it wants."""
    if found.folders is None:
        return [name for name in names if "/" not in name]
    seen, listed = set(names), set[str]()
    while new := sorted(one for one in set(found.folders(seen)) - listed if one.count("/") < DEEPEST):
        new = new[: MOST_FOLDERS - len(listed)]
        listed.update(new)
        seen.update(f"{folder}/{name}" for folder in new for name in lists(folder))
        if len(listed) >= MOST_FOLDERS:
            break
    return seen


def is_artifact(path: Union[str, os.PathLike[str]]) -> bool:
    """Whether what is at a path can be one artifact: a file, or a directory that a format recognises."""
    if not os.path.isdir(path):
        return True
    try:
        return bool(members_of(os.listdir(path), beneath(path)))
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
