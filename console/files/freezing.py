"""Memory that an inspector fills, and that this side makes and seals: for a large file that is frozen without copying
it all, and for what a compression holds, so that nobody opens it a second time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

from backends.core.compression import compression_of
from console.errors import OperationError
from console.files.snapshot import Snapshot, frozen, new_memory
from console.free_memory import free_memory

__all__ = ["freeze", "keep_opened", "memory_to_open"]

_LEAST = 256 << 20

Fill = Callable[[int, int], Awaitable[bytes]]
"""Has the file read into the memory at this descriptor, at most so many bytes of it; answers with the load plan."""


async def freeze(content: Snapshot, fill: Fill) -> None:
    """Give `content`, a file that is not sealed, its skeleton and plan. Raises OperationError, and what `fill`
    raises."""
    memory = new_memory(os.path.basename(content.name))
    try:
        os.ftruncate(memory, content.size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        plan = await fill(memory, room())
        if content.skeleton >= 0:
            os.close(content.skeleton)
        content.skeleton, content.plan = frozen(memory, content.name), plan
    finally:
        os.close(memory)


def memory_to_open(content: Snapshot) -> int | None:
    """Empty memory for what a compression in `content` holds, the caller's to close; None where none is needed or to
    be had."""
    if content.to_load:
        with suppress(OperationError, OSError):
            if compression_of(os.pread(content.fd, 16, 0)) is not None:
                return new_memory(f"opened {os.path.basename(content.name)}")
    return None


def keep_opened(content: Snapshot, memory: int) -> None:
    """Give `content` what its inspector put there, sealed.

    It goes without where that is nothing, too much, or memory that somebody could still write to.
    """
    if os.fstat(memory).st_size == 0:
        return
    with suppress(OperationError):
        sealed = frozen(memory, content.name)
        if os.fstat(sealed).st_size <= room():
            content.opened = sealed
        else:
            os.close(sealed)


def room() -> int:
    """The most bytes of one file to seal: half of what memory is available now."""
    return max(_LEAST, (free_memory() or 0) >> 1)
