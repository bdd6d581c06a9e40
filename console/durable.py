"""Putting a small file of the console's own in place: whole and on the disk, or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress

__all__ = ["put", "put_bytes", "sync_directory", "sync_parent", "write_all"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def put(directory: int, name: str, write: Callable[[int], None], give: Callable[[int], None]) -> None:
    """Have `write` fill a new file, which then takes the place of `name` in the open directory. Raises OSError.

    `give` sets its permissions. What stood there is replaced as a name, so that a link leads nowhere; nothing half is
    left.
    """
    temporary = f".{name}.{secrets.token_hex(4)}.tmp"
    fd = os.open(temporary, _FRESH, 0o600, dir_fd=directory)
    try:
        try:
            write(fd)
            give(fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


def put_bytes(directory: int, name: str, data: bytes, give: Callable[[int], None]) -> None:
    """The same with bytes. Raises OSError."""
    put(directory, name, lambda fd: write_all(fd, data), give)


def sync_directory(fd: int) -> None:
    """Make the names in a directory durable; an O_PATH descriptor is reopened for it. Raises OSError."""
    again = os.open(".", _DIRECTORY, dir_fd=fd)
    try:
        os.fsync(again)
    finally:
        os.close(again)


def sync_parent(path: str | os.PathLike[str]) -> None:
    """Make the name of a new file durable. Raises OSError."""
    directory = os.open(os.path.dirname(os.path.abspath(path)), _DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_all(fd: int, data: memoryview | bytes) -> None:
    """Write every byte, however the kernel cuts it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
