"""The files of an artifact's history: `history/<key>/<version>-<digest>`, readable without a journal."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from contextlib import suppress

from console.files.roots import owner_name
from console.files.state_dir import HISTORY, OwnFiles, artifact_key
from console.records import Version

__all__ = ["file_name", "names", "unrecorded"]

UNRECORDED = "its record was lost"
_NAME = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{64})")


def file_name(version: int, digest: str) -> str:
    """The name of a retained content: its number and, so that it can be checked without a journal, its digest."""
    return f"{version}-{digest.removeprefix('sha256:')}"


def names(own: OwnFiles, path: str) -> set[str]:
    """What lies in the history directory of an artifact. Raises OSError where it cannot be listed."""
    with suppress(FileNotFoundError), own.directory(HISTORY, artifact_key(path)) as directory:
        return set(os.listdir(directory))
    return set()


def unrecorded(own: OwnFiles, path: str, known: Container[int]) -> Iterator[Version]:
    """The retained contents whose number is not among the `known`, by number: a journal can be damaged or lost."""
    found = sorted((int(match[1]), match[2]) for name in names(own, path) if (match := _NAME.fullmatch(name)))
    for version, digest in found:
        if version in known:
            continue
        with suppress(OSError), own.directory(HISTORY, artifact_key(path)) as directory:
            status = os.stat(file_name(version, digest), dir_fd=directory, follow_symlinks=False)
            who = owner_name(status.st_uid)
            yield Version(version, f"sha256:{digest}", status.st_mtime, who, UNRECORDED, status.st_size)
