"""Other processes: whether they exist, and what /proc/PID/stat shows of them."""

from __future__ import annotations

import os
from typing import NamedTuple


class ProcessStat(NamedTuple):
    """A process as /proc/PID/stat shows it; `started` is in ticks since the machine was, `pending` are signals."""

    state: str
    parent: int
    session: int
    terminal: int
    flags: int
    started: int
    pending: int


_NUMBERS = (1, 3, 4, 6, 19, 28)
"""Places of the numbers behind the name of the program, in the order of ProcessStat."""


def process_stat(pid: int) -> ProcessStat:
    """The state of a process as /proc shows it. Raises OSError where it is gone or hidden, ValueError, IndexError."""
    with open(f"/proc/{pid}/stat", "rb") as line:
        fields = line.read().rpartition(b")")[2].split()
    return ProcessStat(fields[0].decode("ascii"), *(int(fields[place]) for place in _NUMBERS))


def exists(pid: int) -> bool:
    """Whether there is a process of this id, living or ended and not yet waited for.

    Asked of the kernel and not of /proc, which may hide it (mount option `hidepid`).
    """
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
