"""Freezing a large file without copying it all: its inspector fills the memory, this side makes and seals it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable

from console.store.sealed import SealedBytes, frozen, new_memory

__all__ = ["freeze"]

_LEAST = 256 << 20

Fill = Callable[[int, int], Awaitable[bytes]]
"""Has the file read into the memory at this descriptor, at most so many bytes of it; answers with the load plan."""


async def freeze(content: SealedBytes, fill: Fill) -> None:
    """Give `content`, a file that is not sealed, its skeleton and plan. Raises Failed, and what `fill` raises."""
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


def room() -> int:
    """The most bytes of one file to seal: half of what memory is available now."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return _LEAST
    return max(_LEAST, available << 10 >> 1)
