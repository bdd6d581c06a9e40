"""The event that ends the thread which reads the terminal: one that a selector can wait for beside the keys."""

from __future__ import annotations

import os
from threading import Event


class ExitEvent(Event):
    """A thread's event with a descriptor that is readable while it is set, so that nobody need look now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __del__(self) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def set(self) -> None:
        """See Event."""
        os.eventfd_write(self._fd, 1)
        super().set()

    def clear(self) -> None:
        """See Event."""
        if self.is_set():
            os.eventfd_read(self._fd)
        super().clear()
