"""Numbers in memory shared by the console and a child: written once by one side, sealed, then seen by the other."""

from __future__ import annotations

import fcntl
import mmap
import os

Buffer = bytes | memoryview

MAPPED_FROM = 256 << 10
"""A map costs a descriptor for as long as it lives and a fault for each page: less than this is read instead."""

_FROZEN = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class NotSealed(Exception):
    """Somebody still can change what was to be frozen."""


def empty() -> int:
    """A descriptor of memory to be written and sealed."""
    return os.memfd_create("model-console-array", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def written(data: Buffer) -> int:
    """A descriptor of sealed memory with these bytes: the one copy on their way to a child. Raises OSError."""
    fd = empty()
    try:
        left = memoryview(data).cast("B")
        while left:
            left = left[os.write(fd, left) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _FROZEN)
    except BaseException:
        os.close(fd)
        raise
    return fd


def sealed(fd: int) -> Buffer:
    """What a child wrote there, seen in place. Raises NotSealed where it could still change it under the reader."""
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _FROZEN)
    except OSError:
        raise NotSealed("an answer that its writer keeps mapped") from None
    size = os.fstat(fd).st_size
    if size < MAPPED_FROM:
        return os.pread(fd, size, 0)
    return memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
