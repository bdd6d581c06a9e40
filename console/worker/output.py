"""A child's stdout and stderr: drained without pause, the last of it kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

CAP = 64 << 10
READ_SIZE = 64 << 10
TAIL = 16 << 10
"""Bytes that last words are taken from: a model that fails often must not have much more decoded each time."""


class OutputRing:
    """The last 64 KiB of one pipe and how many bytes went before; takes the descriptor over and closes it."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._kept = bytearray()
        self.dropped = 0
        self._hear: Callable[[bytes], object] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self.read)

    def read(self) -> bool:
        """Take one chunk; whether there was one."""
        if self._fd < 0:
            return False
        try:
            data = os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        self._kept += data
        excess = len(self._kept) - CAP
        if excess > 0:
            del self._kept[:excess]
            self.dropped += excess
        if self._hear is not None:
            self._hear(data)
        return True

    def tell(self, hear: Callable[[bytes], object]) -> None:
        """Have each chunk heard from now on, and first what is kept of those before."""
        self._hear = hear
        if self._kept:
            hear(bytes(self._kept))

    def forget(self) -> None:
        """Drop all output so far."""
        while self.read():
            pass
        self._kept.clear()
        self.dropped = 0

    def text(self, lines: int = 200) -> str:
        """The last `lines` lines, undecodable bytes as escapes; says how much went before them."""
        text = self._kept[-TAIL:].decode("utf-8", "backslashreplace")
        kept = text.splitlines()[-lines:]
        if dropped := self.dropped + max(0, len(self._kept) - TAIL):
            kept.insert(0, f"[{dropped} bytes before this were dropped]")
        return "\n".join(kept)

    def close(self) -> None:
        """Stop reading. May be called twice."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
