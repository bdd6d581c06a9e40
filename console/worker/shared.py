"""Numbers that console and child see in one place: memory written once by one side and sealed, or a file of numbers."""

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
    """The bytes that a child wrote, in place. Raises NotSealed where it could still change it under the reader."""
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _FROZEN)
    except OSError:
        raise NotSealed("an answer that its writer keeps mapped") from None
    size = os.fstat(fd).st_size
    if size < MAPPED_FROM:
        return os.pread(fd, size, 0)
    return memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ))


class MappedFile:
    """A file that a child maps numbers from: when it becomes shorter, touching what is gone ends the child by SIGBUS.

    A descriptor of its own on the file, and the size it must keep; `close` gives it back and keeps the answer.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._fd = os.dup(fd)
        self._size = size
        self._shrank = False

    @property
    def shrank(self) -> bool:
        """Whether the file is shorter than it was."""
        if self._fd >= 0:
            self._shrank = os.fstat(self._fd).st_size < self._size
        return self._shrank

    def close(self) -> None:
        """Nobody maps it any more; a second call does nothing."""
        if self._fd >= 0:
            _ = self.shrank
            os.close(self._fd)
            self._fd = -1
