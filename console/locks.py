"""Locks of files: waited for with an end, and who holds one is told by name."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from console.errors import OperationError
from console.processes import exists

_LEAST_PAUSE, _MOST_PAUSE = 0.001, 0.02
_RETRY_S = 0.01
LOCK_TRY_S = 0.3
"""How long one try of `retried` waits in its thread: whoever leaves waits no longer than that."""

_COMMAND_CAP = 120
_LOCKS = Path("/proc/locks")
_Result = TypeVar("_Result")


class BusyError(OperationError):
    """Another process holds a lock that this operation needs."""

    code = "busy"


@contextmanager
def locked(fd: int, what: str, *, wait: float) -> Iterator[None]:
    """Hold the lock of an open file; the kernel lets go of it with the descriptor. `what` begins the message.

    Raises BusyError, which names the holder, after `wait` seconds. Never with a wait on an event loop: see `retried`.
    """
    deadline, pause = time.monotonic() + wait, _LEAST_PAUSE
    while not try_lock(fd):
        if time.monotonic() >= deadline:
            raise BusyError(f"{what} is locked by {holder(fd)}", hint="try again when it is done, or end that process")
        time.sleep(pause)
        pause = min(2 * pause, _MOST_PAUSE)
    yield


def try_lock(fd: int) -> bool:
    """Take the lock of an open file where nobody has it; whether that was so. Raises OSError."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def retried(work: Callable[[], _Result], *, wait: float) -> _Result:
    """The result of `work`, run in a thread; tried again while it raises Busy, for `wait` seconds. Can be cancelled in
    between, and holds no thread while it waits."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return await asyncio.to_thread(work)
        except BusyError:
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_RETRY_S)


def holder(fd: int) -> str:
    """Who holds the lock of an open file, by process number and command, from /proc/locks (proc(5))."""
    status = os.fstat(fd)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    held: dict[str, int] = {}
    try:
        for line in _LOCKS.read_text("ascii", "replace").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(status.st_ino):
                held[words[5].rpartition(":")[0]] = int(words[4])
    except (OSError, ValueError):
        return "another process"
    pid = held.get(device) or next(iter(held.values()), 0)
    return f"process {pid}{_command(pid)}" if pid > 0 else "another process"


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    except OSError:
        return "" if exists(pid) else ", which has ended and left it to a child"
    text = os.fsdecode(words)
    return f" ({text[:_COMMAND_CAP]}{'…' * (len(text) > _COMMAND_CAP)})" if text else ""
