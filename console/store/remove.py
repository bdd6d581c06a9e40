"""Removing an artifact that was read, and no other that has taken its name meanwhile."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

from console.errors import Conflict, Failed
from console.store import syscalls
from console.store.opening import OpenedFile, is_still
from console.store.own_files import OwnFiles, artifact_lock, sync_directory

__all__ = ["remove"]

_LOCK_WAIT = 30.0
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def remove(root: Path, opened: OpenedFile) -> None:
    """Remove the artifact that is open, durably. It is put aside first: another file by its name is put back.

    Raises Conflict when it is no longer what was opened, Busy, Failed.
    """
    aside = f".mc-{uuid.uuid4().hex[:16]}.tmp"
    name = os.path.basename(opened.name)
    with OwnFiles(root, create=True) as own, artifact_lock(own, opened.name, wait=_LOCK_WAIT):
        directory = own.parent_of(opened.name)
        try:
            _rename(directory, name, aside)
            if not is_still(os.stat(aside, dir_fd=directory, follow_symlinks=False), opened):
                _rename(directory, aside, name)
                raise Conflict(f"{opened.name} changed meanwhile, so it was not removed")
            os.unlink(aside, dir_fd=directory)
            sync_directory(directory)
        except OSError as error:
            raise Failed(f"{opened.name} could not be removed: {error.strerror}") from None
        finally:
            os.close(directory)


def _rename(directory: int, old: str, new: str) -> None:
    """Rename over nothing that is there, where the file system can."""
    try:
        syscalls.rename_at(directory, old, new, syscalls.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)
