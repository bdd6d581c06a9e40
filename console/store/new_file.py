"""A new file from bytes in memory: durable, written over nothing, and copied by the kernel alone."""

from __future__ import annotations

import os
from pathlib import Path

from console.durable import sync_parent
from console.errors import BadInput, Failed
from console.store.sealed import SealedBytes

__all__ = ["copy_into", "write_new"]


def write_new(out: Path, content: SealedBytes, mode: int | None = None) -> None:
    """A new file with these bytes and permissions (None: what the umask leaves); none is left where that fails.

    No byte passes through this process. Raises BadInput, Failed.
    """
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(out, flags, 0o666 if mode is None else 0o600)
    except FileExistsError:
        raise BadInput(f"{out} is there already", hint="name another file with --out") from None
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from None
    try:
        copy_into(content, fd)
        if mode is not None:
            os.fchmod(fd, mode)
        os.fsync(fd)
        sync_parent(out)
    except OSError as error:
        os.unlink(out)
        raise Failed(f"{out} could not be written: {error.strerror}; nothing was left") from None
    finally:
        os.close(fd)


def copy_into(content: SealedBytes, fd: int) -> None:
    """Append the bytes to an open file, copied by the kernel. Raises OSError."""
    done = 0
    while done < content.size:
        sent = os.sendfile(fd, content.fd, done, content.size - done)
        if not sent:
            raise OSError(0, "it ended early")
        done += sent
