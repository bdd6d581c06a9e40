"""Where a worker runs while one small request after another goes to it, and how the console waits meanwhile.

What a small request costs is mostly the wake-up of whoever sleeps: a processor that has halted takes 50 to 100 µs to be
woken on a virtual machine, and finds its caches cold. Which is why there are three ways:

    FREE    the worker runs wherever the kernel puts it: while requests overlap, are long, or nothing is known
    NEAR    both run on one processor, which goes from one to the other without being halted
    APART   each has a processor of its own, and for a moment neither goes to sleep: only while requests come so fast
            after each other that the wait is shorter than a sleep would be

Which is best depends on the machine and on what else runs there, so it is tried: a block of round trips each way, and
the best one stays until the next trial. Trials become ever rarer.
"""

from __future__ import annotations

import math
import os
import statistics
from contextlib import suppress
from enum import Enum, auto

BLOCK = 16
"""Round trips of one way that are compared with as many of another."""
BETTER = 0.95
"""Another way must shorten the round trip to this part of it."""
LOOK, WORSE = 4, 1.5
"""After so many round trips a way is given up that has taken so many times as long."""
LONG_S = 5e-3
"""A round trip that takes longer has nothing to gain."""
LONG_TOO_OFTEN = 4
"""Some of them may be the machine's doing, so many in a row are not."""
HELD_S = 0.5e-3
"""A round trip that takes longer is waited for in the event loop."""
GAP_S = 150e-6
"""Requests that follow the answer before them sooner than this come fast. A child stays awake for longer than this."""
FAST = 3
"""So many of them in a row are a series, which more of them will follow."""
STAY_FIRST, STAY_CAP = 4, 256
"""Blocks between two trials, at first and at most: they double as long as nothing overlaps."""


class Way(Enum):
    """Where it runs, and whether somebody stays awake."""

    FREE = auto()
    NEAR = auto()
    APART = auto()


class Placement:
    """Places one process. What cannot be set (it has ended, there is one processor) is left alone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._home: set[int] = set()
        with suppress(OSError):
            self._home = os.sched_getaffinity(pid)
        self._cpus = self._home
        self._block: list[float] = []
        self._ended = 0.0
        self._series = self._quick = self._long = 0
        self._expected = 0.0
        self._trials = _Trials(())
        self.way = Way.FREE

    @property
    def awake(self) -> bool:
        """Whether console and worker stay awake between the requests of now."""
        return self.way is Way.APART and self._series >= FAST

    @property
    def seconds(self) -> float:
        """For how long to wait for the answer to a request without a turn of the event loop; 0 where it takes long."""
        return HELD_S if 0.0 < self._expected < HELD_S else 0.0

    def asked(self, now: float) -> None:
        """A small request is about to be sent that no other overlaps."""
        if now - self._ended < GAP_S:
            self._series += 1
            self._quick += 1
        else:
            self._series = 0

    def alone(self, begun: float, ended: float) -> None:
        """It took from then to then (`perf_counter`)."""
        seconds = ended - begun
        self._ended = ended
        self._long = self._long + 1 if seconds > LONG_S else 0
        if self._long >= LONG_TOO_OFTEN and self.way is not Way.FREE:
            self.release()
            return
        if self.way is Way.APART and seconds > 2 * self._expected:
            self._go(Way.APART)
        self._block.append(seconds)
        if len(self._block) >= BLOCK or (len(self._block) == LOOK and self._trials.hopeless(self.way, self._block)):
            self._consider()
            self._block.clear()
            self._quick = 0

    def release(self) -> None:
        """Requests overlap, or a long one comes: run anywhere."""
        if self._block or self._series or self.way is not Way.FREE:
            self._block.clear()
            self._series = self._quick = 0
            self._trials = _Trials(())
            self._go(Way.FREE)

    def _consider(self) -> None:
        """One block has ended."""
        self._expected = median = statistics.median(self._block)
        quick = 2 * self._quick > len(self._block)
        if median >= LONG_S:
            self._go(Way.FREE)
            return
        if self.way is Way.APART and not quick:
            median, quick = math.inf, True
        ways = self._ways(quick=quick)
        if self._trials.ways != ways:
            self._trials = _Trials(ways)
        self._go(self._trials.next(self.way, median))

    def _ways(self, *, quick: bool) -> tuple[Way, ...]:
        """What may be tried at this pace."""
        if len(self._home) < 2:
            return (Way.FREE,)
        return (Way.NEAR, Way.APART) if quick else (Way.FREE, Way.NEAR)

    def _go(self, way: Way) -> None:
        """Put it there, as seen from where the console runs now: it may have moved onto the worker's processor."""
        cpus = self._home
        if way is not Way.FREE:
            own = _own_cpu()
            cpus = self._home - {own} if way is Way.APART else self._home & {own}
        if cpus and cpus != self._cpus:
            try:
                os.sched_setaffinity(self._pid, cpus)
                self._cpus = cpus
            except OSError:
                self._home = set()
                way = Way.FREE
        self.way = way if cpus else Way.FREE


class _Trials:
    """Which of several ways to go next: each in turn, then the best for ever longer.

    Staying awake where others want the processor too costs them time, and this process its turn: a trial of that which
    is lost is not soon repeated.
    """

    def __init__(self, ways: tuple[Way, ...]) -> None:
        self.ways = ways
        self._medians: dict[Way, float] = {}
        self._stay = self._left = STAY_FIRST

    def next(self, way: Way, median: float) -> Way:
        """The way after a block that went this way and had this median."""
        if way in self.ways:
            self._medians[way] = median
        untried = [one for one in self.ways if one not in self._medians]
        if untried:
            return untried[0]
        best = min(self.ways, key=lambda one: self._medians[one] * (BETTER if one is way else 1.0))
        self._left -= 1
        if way is Way.APART and best is not way:
            self._stay = self._left = min(STAY_CAP, 4 * self._stay)
        elif self._left <= 0:
            self._stay = self._left = min(STAY_CAP, 2 * self._stay)
            self._medians = {best: self._medians[best]}
        return best

    def hopeless(self, way: Way, block: list[float]) -> bool:
        """Whether all but one of these round trips were much longer than another way's."""
        others = [median for one, median in self._medians.items() if one is not way]
        return way in self.ways and bool(others) and sorted(block)[1] > WORSE * min(others)


def _own_cpu() -> int | None:
    """The processor that this thread ran on last (field 39 of proc_pid_stat(5))."""
    try:
        with open("/proc/thread-self/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return None
