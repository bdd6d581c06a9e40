"""Putting a small file of the console's own in place: whole and on the disk, or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress

__all__ = ["put", "put_bytes", "write_all"]

_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def put(directory: int, name: str, write: Callable[[int], None], mode: int) -> None:
    """Have `write` fill a new file, which then takes the place of `name` in the open directory. Raises OSError.

    What stood there is replaced as a name, so that a link leads nowhere; nothing half is left.
    """
    temporary = f".{name}.{secrets.token_hex(4)}.tmp"
    fd = os.open(temporary, _FRESH, 0o600, dir_fd=directory)
    try:
        try:
            write(fd)
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


def put_bytes(directory: int, name: str, data: bytes, mode: int) -> None:
    """The same with bytes. Raises OSError."""

    put(directory, name, lambda fd: write_all(fd, data), mode)


def write_all(fd: int, data: memoryview | bytes) -> None:
    """Write every byte, however the kernel cuts it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
