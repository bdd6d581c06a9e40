"""Two slots of shared memory for the frames of console and child while neither goes to sleep between them.

A frame that goes through the socket costs four entries into the kernel, and each leaves the processor's predictions
colder for the model's own code: together a tenth of what a small model takes. While both sides stay awake anyhow, a
frame can be laid down where the other side is looking already.

Each slot has one writer and one reader:

    count     frames laid down so far; the last thing that is written
    watched   whether the reader looks here before it goes to sleep; the only thing that the reader writes
    size      of the frame, then the frame itself

A reader that stops looking says so, and then looks once more; a writer that has laid down a frame looks whether the
reader still watches, and rings the bell (an empty frame through the socket) if not. Of the two, one always sees the
other, provided that what a side wrote is seen before what it reads next: hence the fence, which needs a processor
that keeps the order of writes. Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from typing import Optional

SLOT = 64 << 10
_COUNT, _WATCHED, _SIZE, _FRAME = 0, 64, 128, 192
FRAME_CAP = SLOT - _FRAME
"""Bytes of the largest frame that fits."""
LOOKS = 1024
"""So often in a row a side looks before it does something else: some tens of microseconds."""
_WORD = 8
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def created() -> Optional[int]:
    """A descriptor of memory for a mailbox that nobody can cut short; None where processors may reorder writes."""
    if os.uname().machine != "x86_64":
        return None
    fd = os.memfd_create("model-console-mailbox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, 2 * SLOT)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


class Mailbox:
    """One side's view of the two slots; `fd` stays the caller's. Raises OSError and ValueError for another memory."""

    def __init__(self, fd: int, *, console: bool) -> None:
        self._map = mmap.mmap(fd, 2 * SLOT)
        memory = memoryview(self._map)
        own, other = (0, SLOT) if console else (SLOT, 0)
        self._out = memory[own : own + SLOT]
        self._in = memory[other : other + SLOT]
        memory.release()
        self._out_words, self._in_words = self._out.cast("Q"), self._in.cast("Q")
        self._sent = self._taken = 0
        self._watching = False
        self._fence = threading.Lock()

    def close(self) -> None:
        """Give the memory back, and the descriptor that a map keeps; nothing may be asked after that."""
        for view in (self._out_words, self._in_words, self._out, self._in):
            view.release()
        self._map.close()

    def put(self, frame: bytes) -> bool:
        """Lay down a frame where the other side looks; whether it does, and there is room for it."""
        size, words = len(frame), self._out_words
        if size > FRAME_CAP or not words[_WATCHED // _WORD]:
            return False
        self._out[_FRAME : _FRAME + size] = frame
        words[_SIZE // _WORD] = size
        self._sent += 1
        words[_COUNT // _WORD] = self._sent
        return True

    @property
    def overlooked(self) -> bool:
        """Whether the other side may have gone to sleep without seeing what was put: then it must be woken."""
        self._ordered()
        return not self._out_words[_WATCHED // _WORD]

    def watch(self) -> None:
        """Tell the other side that this one looks here."""
        if not self._watching:
            self._watching = True
            self._in_words[_WATCHED // _WORD] = 1

    def leave(self) -> Optional[bytes]:
        """Tell the other side that this one looks no more; what came before it could know."""
        if self._watching:
            self._watching = False
            self._in_words[_WATCHED // _WORD] = 0
            self._ordered()
        return self.take()

    def look(self) -> Optional[bytes]:
        """What comes within some tens of microseconds."""
        words, taken = self._in_words, self._taken
        for _ in range(LOOKS):
            if words[_COUNT // _WORD] != taken:
                return self.take()
        return None

    def take(self) -> Optional[bytes]:
        """The frame that came since the last one, copied once: the other side could still write there."""
        count = self._in_words[_COUNT // _WORD]
        if count == self._taken:
            return None
        self._taken = count
        size = min(self._in_words[_SIZE // _WORD], FRAME_CAP)
        return bytes(self._in[_FRAME : _FRAME + size])

    def _ordered(self) -> None:
        """What was written is seen by the other side before this one reads on: taking a lock is a full fence."""
        self._fence.acquire()
        self._fence.release()
