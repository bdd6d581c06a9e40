"""The file that a child maps numbers from: when it becomes shorter, touching what is gone ends the child by SIGBUS."""

from __future__ import annotations

import os

__all__ = ["MappedFile"]


class MappedFile:
    """A descriptor of its own on the file, and the size it must keep; `close` gives it back and keeps the answer."""

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
