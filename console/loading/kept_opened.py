"""What was in the compression of the file an operator looks at: kept for a moment, for the load that may follow."""

from __future__ import annotations

import asyncio
import os

from console.store.sealed import SealedBytes

__all__ = ["HELD_S", "LIMIT", "KeptOpened"]

HELD_S = 15.0
"""Seconds after which it is given back, looked at or not."""
LIMIT = 64 << 20
"""What opens to more bytes is not kept."""


class KeptOpened:
    """Sealed memory of one content at most. Only equal bytes, by the digest of the stored ones, are given it."""

    def __init__(self) -> None:
        self._digest: str | None = None
        self._memory = -1
        self._timer: asyncio.TimerHandle | None = None

    def put(self, content: SealedBytes) -> None:
        """Take over what `content` has opened, in place of what was kept. What is encrypted at rest is never kept."""
        self.drop()
        if content.opened < 0 or not content.sealed or content.encrypted or content.digest is None:
            return
        if os.fstat(content.opened).st_size <= LIMIT:
            self._digest, self._memory, content.opened = content.digest, content.opened, -1
            self._timer = asyncio.get_running_loop().call_later(HELD_S, self.drop)

    def give(self, content: SealedBytes) -> None:
        """Hand what is kept over to a `content` of the same bytes that is to be loaded and has nothing opened."""
        if content.to_load and content.sealed and content.opened < 0 and content.digest == self._digest is not None:
            content.opened, self._memory = self._memory, -1
            self.drop()

    def drop(self) -> None:
        """Give the memory back."""
        if self._timer is not None:
            self._timer.cancel()
        if self._memory >= 0:
            os.close(self._memory)
        self._timer, self._digest, self._memory = None, None, -1
