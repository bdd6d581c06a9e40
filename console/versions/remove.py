"""Removing an artifact once what was sealed of it stands: in the end one of both is there, whatever comes between.

While that is done a record of it lies in `.model-console/removals/`, by which the next start brings it to its end. It
names files to remove, so that it counts with the mark of this user's own console alone.
"""

from __future__ import annotations

import errno
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from console.closing import closing_fd
from console.durable import put_bytes, sync_directory
from console.errors import ConflictError, ConsoleError, InputError, OperationError
from console.files import local_secret, syscalls
from console.files.opening import OpenedFile, identity_of, open_artifact
from console.files.snapshot import digest_of
from console.files.state_dir import CONFLICTS, OwnFiles, artifact_lock
from console.locks import BusyError
from console.os_errors import hint, why

DIRECTORY = "removals"
_LOCK_WAIT = 30.0
_RECORD_CAP = 1 << 20
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_OP = re.compile(r"[0-9a-f]{16}")
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

Status = tuple[int, int, int, int]
"""Device, inode, size and time of change: what stays the same when a file is renamed."""


@dataclass(frozen=True, slots=True)
class Removal:
    """The artifact at `path`, while it is the very file with `status`, goes once `sealed` holds `digest`."""

    op: str
    path: str
    status: Status
    sealed: str
    digest: str

    @property
    def aside(self) -> str:
        """Where the artifact lies for the last moment: another file by its name is seen and put back."""
        return f".mc-{self.op}.tmp"


def remove_for(root: Path, opened: OpenedFile, sealed: Path, digest: str, write: Callable[[], None]) -> None:
    """Have `write` put `digest` at `sealed`, then remove the artifact that is open.

    Raises ConflictError when the artifact is no longer what was opened, BusyError, OperationError, and what `write`
    raises.
    """
    place = os.path.relpath(sealed, root) if sealed.is_relative_to(root) else os.fspath(sealed)
    removal = Removal(uuid.uuid4().hex[:16], opened.name, opened.identity[:-1], place, digest)
    try:
        with OwnFiles(root, create=True) as own, artifact_lock(own, opened.name, wait=_LOCK_WAIT):
            _record(own, removal)
            try:
                write()
            except ConsoleError:
                _drop(own, removal)
                raise
            if not _finish(own, removal):
                raise ConflictError(
                    f"{opened.name} changed meanwhile, so it was not removed; {sealed} holds what it was"
                )
    except OSError as error:
        raise OperationError(f"{opened.name} could not be removed: {why(error)}", hint=hint(error)) from None


def settle_removals(root: Path) -> list[str]:
    """Bring to their end the removals that a crash cut short; what was done, in sentences. Raises OSError,
    OperationError."""
    done: list[str] = []
    with suppress(FileNotFoundError), OwnFiles(root) as own:
        for removal in _recorded(own):
            with suppress(BusyError), artifact_lock(own, removal.path, wait=0.0):
                done.append(_settle(own, removal))
    return [text for text in done if text]


def _settle(own: OwnFiles, removal: Removal) -> str:
    """Finish it where the sealed file stands, else take it back."""
    if not _is_recorded(own, removal):
        return ""
    path = removal.path
    lay_there = _status_of(own, path, removal.aside) is not None or _status_of(own, path) == removal.status
    if _stands(own, removal):
        removed = _finish(own, removal)
        if not lay_there:
            return ""
        if removed:
            return (
                f"{path} was being sealed when that was interrupted: {removal.sealed} stands, the open file is removed"
            )
        return f"sealing {path} was interrupted and somebody changed it since: it stays beside {removal.sealed}"
    with closing_fd(own.parent_of(path)) as directory:
        _put_back(own, directory, removal)
    _drop(own, removal)
    return f"sealing {path} was interrupted; it is as it was before"


def _finish(own: OwnFiles, removal: Removal) -> bool:
    """Remove the artifact; false where another file has its name now, which stays."""
    directory = own.parent_of(removal.path)
    name = os.path.basename(removal.path)
    with closing_fd(directory):
        if _status_at(directory, removal.aside) is None and _status_at(directory, name) == removal.status:
            _rename(directory, name, removal.aside)
        found = _status_at(directory, removal.aside)
        if found is not None and found != removal.status:
            _put_back(own, directory, removal)
            _drop(own, removal)
            return False
        with suppress(FileNotFoundError):
            os.unlink(removal.aside, dir_fd=directory)
        sync_directory(directory)
        gone = _status_at(directory, name) is None or found is not None
    _drop(own, removal)
    return gone


def _put_back(own: OwnFiles, directory: int, removal: Removal) -> None:
    """Give what lies aside its name again; where that is taken, it is kept with the conflicts."""
    with suppress(FileNotFoundError):
        try:
            _rename(directory, removal.aside, os.path.basename(removal.path))
        except FileExistsError:
            with own.directory(CONFLICTS, create=True) as target:
                kept = f"{removal.op}-{os.path.basename(removal.path)}"[:200]
                os.rename(removal.aside, kept, src_dir_fd=directory, dst_dir_fd=target)
    sync_directory(directory)


def _stands(own: OwnFiles, removal: Removal) -> bool:
    """Whether the sealed file holds what was sealed."""
    place = own.root / removal.sealed
    try:
        with open_artifact(place.parent, place.name) as opened:
            return digest_of(opened) == removal.digest
    except InputError:
        return False


# the record


def _record(own: OwnFiles, removal: Removal) -> None:
    told = {**asdict(removal), "mark": local_secret.tag(_marked(asdict(removal)))}
    with own.directory(DIRECTORY, create=True) as directory:
        put_bytes(directory, f"{removal.op}.json", json.dumps(told).encode(), own.give)


def _drop(own: OwnFiles, removal: Removal) -> None:
    with suppress(FileNotFoundError), own.directory(DIRECTORY) as directory:
        os.unlink(f"{removal.op}.json", dir_fd=directory)
        sync_directory(directory)


def _is_recorded(own: OwnFiles, removal: Removal) -> bool:
    with suppress(FileNotFoundError), own.directory(DIRECTORY) as directory:
        os.stat(f"{removal.op}.json", dir_fd=directory, follow_symlinks=False)
        return True
    return False


def _recorded(own: OwnFiles) -> Iterator[Removal]:
    with own.directory(DIRECTORY) as directory:
        for name in sorted(os.listdir(directory)):
            with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
                removal = _read(directory, name)
                if removal is not None:
                    yield removal


def _read(directory: int, name: str) -> Removal | None:
    """One record, None where it is not this user's own. Raises OSError, ValueError, KeyError, TypeError."""
    with closing_fd(os.open(name, _READ, dir_fd=directory)) as fd:
        told = json.loads(os.read(fd, _RECORD_CAP))
    mark = told.pop("mark")
    status = tuple(map(int, told["status"]))
    found = Removal(**{**told, "status": status})
    inside = all(part not in ("", ".", "..") for part in found.path.split("/"))
    sound = _OP.fullmatch(found.op) is not None and name == f"{found.op}.json" and inside and len(status) == 4
    return found if sound and local_secret.is_own(_marked(asdict(found)), str(mark)) else None


def _marked(told: dict[str, Any]) -> bytes:
    return b"removal\n" + json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


# names


def _status_of(own: OwnFiles, path: str, name: str = "") -> Status | None:
    with suppress(OSError), closing_fd(own.parent_of(path)) as directory:
        return _status_at(directory, name or os.path.basename(path))
    return None


def _status_at(directory: int, name: str) -> Status | None:
    try:
        return identity_of(os.stat(name, dir_fd=directory, follow_symlinks=False))[:-1]
    except FileNotFoundError:
        return None


def _rename(directory: int, old: str, new: str) -> None:
    """Rename over nothing that is there, where the file system can."""
    try:
        syscalls.rename_at(directory, old, new, syscalls.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)
