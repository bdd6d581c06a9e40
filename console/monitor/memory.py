"""Memory and processor time of worker trees, read by psutil in a thread of its own.

Reading PSS makes the kernel walk the page tables of the process, which takes milliseconds for a large model: it is
done twice a second, RSS and CPU more often while somebody looks. With nothing to watch the thread sleeps.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from console.records import Memory

Readings = dict[str, tuple[Memory, float | None]]

FAST_S = 0.1
SLOW_S = 0.5
_CPU_WINDOW_S = 0.5
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_GONE = (psutil.Error, OSError)


@dataclass(slots=True)
class _Tree:
    """One worker: its process, its copies, the children of both as last seen, and what was read of it."""

    process: psutil.Process
    fast: bool = False
    copies: list[psutil.Process] = field(default_factory=list)
    children: list[psutil.Process] = field(default_factory=list)
    pss: int | None = None
    private: int | None = None
    peak: int | None = None
    slow_at: float = 0.0
    cpu: deque[tuple[float, float]] = field(default_factory=deque)


class MemorySampler:
    """Reads the watched worker trees on a clock of its own and reports from its own thread.

    `report` gets the readings of one round by key (Memory in bytes, CPU in percent of one core over the last half
    second). A tree whose root is gone is dropped without a report. `fast_s` lies between rounds while somebody looks.
    """

    def __init__(
        self, report: Callable[[Readings], None], clock: Callable[[], float] = time.monotonic, *, fast_s: float = FAST_S
    ) -> None:
        self._report = report
        self._fast_s = fast_s
        self._clock = clock
        self._trees: dict[str, _Tree] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def watch(self, key: str, pid: int, *more: int, fast: bool = False) -> None:
        """Read the tree of `pid` from now on, in place of whatever `key` named before; a dead one is ignored.

        The trees of `more` are added to it: copies of one worker are read as one, with PSS as their true sum.
        """
        try:
            process = psutil.Process(pid)
        except _GONE:
            self.forget(key)
            return
        copies = [found for found in map(_process, more) if found is not None]
        with self._changed:
            self._trees[key] = _Tree(process, fast, copies=copies)
            if self._thread is None and not self._closed:
                thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)
                with suppress(RuntimeError):  # no more threads may be started: the next worker tries again
                    thread.start()
                    self._thread = thread
            self._changed.notify()

    def hurry(self, key: str, fast: bool) -> None:
        """Read this one in every round instead of twice a second, or no longer so."""
        with self._changed:
            if key in self._trees and self._trees[key].fast != fast:
                self._trees[key].fast = fast
                self._changed.notify()

    def forget(self, key: str) -> None:
        """Stop reading this one."""
        with self._changed:
            self._trees.pop(key, None)

    def close(self) -> None:
        """End the thread; nothing is reported afterwards."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def sample(self) -> Readings:
        """One round now, on the caller's thread: every tree that is due."""
        with self._changed:
            trees = dict(self._trees)
        readings: Readings = {}
        for key, tree in trees.items():
            if not tree.fast and self._clock() - tree.slow_at < SLOW_S * 0.9:
                continue
            try:
                readings[key] = self._read(tree)
            except _GONE:
                with self._changed:
                    if self._trees.get(key) is tree:
                        del self._trees[key]
        return readings

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._trees and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            readings = self.sample()
            if readings and not self._is_closed():
                self._report(readings)
            with self._changed:
                if not self._closed:
                    self._changed.wait(self._fast_s if any(tree.fast for tree in self._trees.values()) else SLOW_S)

    def _is_closed(self) -> bool:
        with self._changed:
            return self._closed

    def _read(self, tree: _Tree) -> tuple[Memory, float | None]:
        now = self._clock()
        if tree.slow_at == 0.0 or now - tree.slow_at >= SLOW_S * 0.9:
            tree.slow_at = now
            tree.children = [*_below(tree.copies), *_children(tree.process)]
            tree.pss, tree.private, tree.peak = _slow(tree.process, tree.children)
        rss = tree.process.memory_info().rss
        if not rss:
            raise psutil.ZombieProcess(tree.process.pid)
        seconds = sum(tree.process.cpu_times()[:2])
        for child in tree.children:
            try:
                rss += child.memory_info().rss
                seconds += sum(child.cpu_times()[:2])
            except _GONE:
                continue
        return Memory(rss, tree.pss, tree.private, tree.peak), _percent(tree.cpu, now, seconds)


def read_once(*pids: int) -> Memory | None:
    """One reading of these trees together, on the caller's thread; None when none of them lives."""
    trees = _below([found for found in map(_process, pids) if found is not None])
    if not trees:
        return None
    try:
        rss = sum(process.memory_info().rss for process in trees)
        return Memory(rss, *_slow(trees[0], trees[1:])) if rss else None
    except _GONE:
        return None


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except _GONE:
        return None


def _children(root: psutil.Process) -> list[psutil.Process]:
    """Its children and theirs, as the kernel lists them; psutil would read the parent of every process there is."""
    pids: list[int] = []
    left = [root.pid]
    try:
        while left:
            found = _children_of(left.pop())
            pids += found
            left += found
    except OSError:
        return root.children(recursive=True)
    return [child for child in map(_process, pids) if child is not None]


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
            found += map(int, children.read().split())
    return found


def _below(roots: list[psutil.Process]) -> list[psutil.Process]:
    """Those that live, with their children."""
    found = []
    for root in roots:
        try:
            found += [root, *_children(root)]
        except _GONE:
            continue
    return found


def _slow(process: psutil.Process, children: list[psutil.Process]) -> tuple[int | None, int | None, int | None]:
    """PSS, private bytes and peak RSS of the tree; each None where the kernel does not tell."""
    peak = _peak(process.pid)
    pss = private = 0
    try:
        for member in (process, *children):
            full = member.memory_full_info()
            pss += full.pss
            private += full.uss
    except _GONE:
        return None, None, peak
    return pss, private, peak


def _peak(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            found = _PEAK.search(status.read())
    except OSError:
        return None
    return int(found.group(1)) * 1024 if found else None


def _percent(window: deque[tuple[float, float]], now: float, seconds: float) -> float | None:
    """CPU over the last half second: the kernel counts in hundredths, so a shorter stretch would only show steps."""
    window.append((now, seconds))
    while len(window) > 2 and now - window[1][0] >= _CPU_WINDOW_S:
        window.popleft()
    then, before = window[0]
    if now - then < FAST_S / 2:
        return None
    return max(0.0, 100.0 * (seconds - before) / (now - then))
