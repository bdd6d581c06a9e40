"""Where a worker runs: beside the console's own thread while one small request after another goes to it.

Waking the other processor can cost more than all else of a small request (60 to 90 µs on a virtual machine, against
15 for a change of task on the same one), and which of the two happens is the scheduler's luck. So while requests come
one at a time the worker is tried on the console's processor and left where the round trips were shorter. As soon as
requests overlap it is free to run anywhere: then both have work at the same time.
"""

from __future__ import annotations

import os
import statistics
from contextlib import suppress

BLOCK = 32
"""Round trips that are compared with as many elsewhere."""
BETTER = 0.95
"""Staying near must shorten the round trip to this part of it."""
LONG_S = 5e-3
"""A round trip that takes longer has nothing to gain."""
STAY_CAP = 64
"""Blocks between two trials, at most: they double as long as nothing overlaps."""


class Placement:
    """Places one process. What cannot be set (it has ended, there is one processor) is left alone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._home: set[int] = set()
        with suppress(OSError):
            self._home = os.sched_getaffinity(pid)
        self._cpu: int | None = None
        self._block: list[float] = []
        self._free_s = 0.0
        self._stay = self._left = 1
        self._on_trial = False

    @property
    def cpu(self) -> int | None:
        """The processor it is kept on, None while it is free."""
        return self._cpu

    def alone(self, seconds: float) -> None:
        """A request that no other overlapped took so long."""
        if seconds > LONG_S and self._cpu is not None:
            self.release()
            return
        self._block.append(seconds)
        if len(self._block) >= BLOCK:
            median = statistics.median(self._block)
            self._block.clear()
            self._consider(median)

    def release(self) -> None:
        """Requests overlap, or a long one comes: run anywhere."""
        self._block.clear()
        if self._cpu is not None:
            self._put(None)
            self._on_trial = False
            self._stay = self._left = 1

    def _consider(self, median: float) -> None:
        """One block has ended: a trial is decided, what stands is kept for some blocks more and then tried again."""
        self._left -= 1
        if self._on_trial:
            self._on_trial = False
            self._left = self._stay = min(STAY_CAP, 2 * self._stay)
            if median > self._free_s * BETTER:
                self._put(None)
        elif self._left > 0:
            if self._cpu is not None:
                self._put(_own_cpu())
        elif self._cpu is not None:
            self._put(None)
            self._left = 1
        elif median < LONG_S and len(self._home) > 1:
            self._free_s = median
            self._put(_own_cpu())
            self._on_trial = self._cpu is not None

    def _put(self, cpu: int | None) -> None:
        if cpu == self._cpu:
            return
        try:
            os.sched_setaffinity(self._pid, self._home if cpu is None else {cpu})
            self._cpu = cpu
        except OSError:
            self._home = set()
            self._cpu = None


def _own_cpu() -> int | None:
    """The processor that this thread ran on last (field 39 of proc_pid_stat(5))."""
    try:
        with open("/proc/thread-self/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return None
