"""Replacements that a crash cut off, read as recovery will settle them: for who may not write, or reads meanwhile."""

from __future__ import annotations

import os

from console.files.digests import digest_at
from console.files.state_dir import OwnFiles
from console.versions.journal import Journal
from console.versions.operations import Operation

__all__ = ["displaced", "took_effect"]


def took_effect(own: OwnFiles, operation: Operation) -> bool:
    """Whether the new content was put in place, by what lies there: the old one under the temporary name proves it,
    whatever somebody did to the artifact afterwards."""
    try:
        directory = own.parent_of(operation.path)
    except OSError:
        return False
    try:
        lying = _digest(directory, operation.tmp)
        if operation.old and lying == operation.old:
            return True
        in_place = _digest(directory, os.path.basename(operation.path))
        return in_place == operation.new and lying in (None, "", operation.new)
    finally:
        os.close(directory)


def displaced(own: OwnFiles, journal: Journal, path: str, digest: str) -> str | None:
    """Where in the store a content lies that was replaced and not yet moved to the history."""
    for one in journal.unfinished():
        if one.path == path and one.state == "staged" and one.old == digest:
            place = os.path.join(os.path.dirname(path), one.tmp)
            if _digest(own.root_fd, place) == digest:
                return place
    return None


def _digest(directory: int, name: str) -> str | None:
    """The digest of a file; None where there is none, "" where it cannot be read."""
    try:
        return digest_at(directory, name)
    except OSError:
        return ""
