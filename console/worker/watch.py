"""Limits that the kernel does not enforce on a child: memory and scratch, checked from outside four times a second."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass

from console.worker.limits import Limits
from console.worker.process import ChildProcess

INTERVAL_S = 0.25

Excess = tuple[str, str]
"""Code and sentence of a failure."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A child, and what is looked at: memory only where no control group of its own counts that."""

    pid: int
    scratch: str
    limits: Limits
    memory: bool


class Watch:
    """Ends children that hold more than they may. One for each launcher; it looks while any was given something."""

    def __init__(self) -> None:
        self._children: dict[ChildProcess, Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    def add(self, child: ChildProcess, limits: Limits, *, memory: bool) -> None:
        """Look at this child until it ends."""
        self._children[child] = Watched(child.pid, child.scratch, limits, memory)
        child.on_end.append(self._forget)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _forget(self, child: ChildProcess) -> None:
        self._children.pop(child, None)
        if not self._children:
            self.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            found = await asyncio.to_thread(_all, dict(self._children))
            for child, (code, why) in found.items():
                if child.alive:
                    child.kill(code, f"{why} and was killed")


def _all(children: dict[ChildProcess, Watched]) -> dict[ChildProcess, Excess]:
    found = {child: excess(watched) for child, watched in children.items()}
    return {child: over for child, over in found.items() if over is not None}


def excess(watched: Watched) -> Excess | None:
    """The limit that this child exceeds; None where it exceeds none, or is gone."""
    limits = watched.limits
    try:
        used, entries = _size(watched.scratch, limits.scratch_files)
    except FileNotFoundError:
        return None
    except OSError as error:
        return "file-limit", f"made a directory in its scratch directory that cannot be looked into ({error.strerror})"
    if entries > limits.scratch_files:
        return "file-limit", f"made more than {limits.scratch_files:,} files in its scratch directory"
    memory, kept = _unnamed(watched.pid, watched.scratch)
    if used + kept > limits.scratch:
        return "file-limit", f"wrote more than {limits.scratch >> 20:,} MiB into its scratch directory"
    if not watched.memory:
        return None
    own, shared = _resident(watched.pid)
    memory = max(memory, shared)
    if own > limits.memory + limits.group_extra:
        return "out-of-memory", f"took {own >> 20:,} MiB of memory, more than its limit of {limits.memory >> 20:,} MiB,"
    if memory > limits.memory + limits.handed:
        return "out-of-memory", f"holds {memory >> 20:,} MiB in files in memory, more than {limits.memory >> 20:,} MiB,"
    return None


def may_look(pid: int) -> bool:
    """Whether this user may see what the process has open."""
    return os.access(f"/proc/{pid}/fd", os.R_OK)


def _size(directory: str, most: int) -> tuple[int, int]:
    """Bytes on the disk and entries below a directory, counted to one more than `most`. Raises OSError."""
    used = entries = 0
    left = [directory]
    while left and entries <= most:
        with os.scandir(left.pop()) as found:
            for entry in found:
                entries += 1
                with suppress(FileNotFoundError):
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                if entries > most:
                    break
    return used, entries


def _unnamed(pid: int, scratch: str) -> tuple[int, int]:
    """Bytes of the open files that have no name: in memory, and of those that were removed from the scratch."""
    sizes: dict[tuple[bool, int], int] = {}
    top = os.path.realpath(scratch) + "/"
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                path = f"/proc/{pid}/fd/{name}"
                leads = os.readlink(path)
                in_memory = leads.startswith("/memfd:")
                if in_memory or (leads.startswith(top) and leads.endswith(" (deleted)")):
                    found = os.stat(path)
                    sizes[in_memory, found.st_ino] = found.st_blocks * 512
    memory = sum(size for (in_memory, _inode), size in sizes.items() if in_memory)
    return memory, sum(sizes.values()) - memory


def _resident(pid: int) -> tuple[int, int]:
    """Bytes that are this process's alone, those in the swap included, and those of files in memory that it maps."""
    found = {"RssAnon": 0, "VmSwap": 0, "RssShmem": 0}
    with suppress(OSError, ValueError), open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) << 10
    return found["RssAnon"] + found["VmSwap"], found["RssShmem"]
