"""Which retained version the content in place took the place of, where the console itself put it there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from console.config import STORE_DIR
from console.files.state_dir import OwnFiles
from console.records import FileIdentity
from console.versions.history import Versions
from console.versions.journal import Journal

__all__ = ["Replaced", "replaced_by_console"]


@dataclass(frozen=True, slots=True)
class Replaced:
    """A retained version, and since when it stood in place."""

    version: int
    digest: str
    when: float


def replaced_by_console(root: Path, path: str, identity: FileIdentity | None) -> Replaced | None:
    """What stood at `path` before, if the file there is still the one the console put there last; reads no artifact.

    Raises InputError, OperationError where the journal cannot be read.
    """
    if identity is None or not (root / STORE_DIR).is_dir():
        return None
    with OwnFiles(root) as own:
        known = Versions(Journal(own).of(path))
    last = known.last
    if last is None or not last.old:
        return None
    if last.identity != (identity.device, identity.inode, identity.size, identity.modified_ns):
        return None
    return Replaced(last.old_version, last.old, known.entries[last.old_version].when)
