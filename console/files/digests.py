"""What lies under a name right now, told by digest."""

from __future__ import annotations

import errno
import os
import stat

from console.errors import ConflictError, InputError
from console.files import opening, snapshot
from console.files.opening import OpenedFile

__all__ = ["digest_at", "exists"]


def digest_at(directory: int, name: str) -> str | None:
    """The digest of the regular file of this name; None where there is nothing, "" where it is something else or is
    being written to. Raises OSError where it cannot be told."""
    try:
        fd = opening.open_beneath(directory, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
            return ""
        raise
    with OpenedFile(fd, opening.identity_of(os.fstat(fd)), name) as opened:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        try:
            return snapshot.digest_of(opened)
        except ConflictError:
            return ""
        except InputError as error:
            raise OSError(errno.EIO, error.message) from None


def exists(directory: int, name: str) -> bool:
    """Whether there is anything of this name, a dangling link included."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
