"""A table from a pipe: what comes on stdin goes into a file without a name, which is then read like any other."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from console.durable import write_all
from console.errors import InputError
from console.os_errors import hint, why

__all__ = ["STDIN", "piped"]

STDIN = "stdin"
"""What the data are called that come from a pipe."""
BYTES_CAP = 4 << 30
_CHUNK = 1 << 20


@asynccontextmanager
async def piped(descriptor: int = 0) -> AsyncIterator[int]:
    """A descriptor of all that the pipe gives, to be read only. Raises InputError."""
    try:
        with tempfile.TemporaryFile() as file:
            await _copied(descriptor, file.fileno())
            fd = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"the table from stdin cannot be kept: {why(error)}", hint=hint(error)) from None
    try:
        yield fd
    finally:
        os.close(fd)


async def _copied(source: int, file: int) -> None:
    """Everything from a pipe into a file, without waiting in a read. Raises OSError, InputError."""
    size = 0
    while True:
        await _readable(source)
        chunk = os.read(source, _CHUNK)
        if not chunk:
            return
        size += len(chunk)
        if size > BYTES_CAP:
            raise InputError(f"the table from stdin has more than {BYTES_CAP >> 30} GiB, which is the limit")
        write_all(file, chunk)


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read, or the end; a regular file is never waited for."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        await asyncio.sleep(0)
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
