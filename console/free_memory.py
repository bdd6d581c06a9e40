"""The memory that processes of this one's control groups can still take on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

_ROOT = "/sys/fs/cgroup"
_FILES = {"": ("memory.max", "memory.current", "inactive_file"),
          "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")}  # fmt: skip
"""Files with the limit and the use of a group, and the part of that which the kernel gives back, by hierarchy."""


def free_memory() -> int | None:
    """Bytes that processes can still take without anything being swapped out, here and in each control group that this
    process is in; None where nothing tells."""
    return min((free for free in (_of_machine(), *_of_groups()) if free is not None), default=None)


def _of_machine() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration, IndexError):
        return None


def _of_groups() -> Iterator[int]:
    """The bytes that each group with a limit has left of it."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as lines:
            groups = [line.rstrip("\n").split(":", 2) for line in lines]
    except OSError:
        return
    for _number, controllers, path in groups:
        hierarchy = controllers if controllers in _FILES else None
        while hierarchy is not None:
            left = _left(os.path.join(_ROOT, hierarchy, path.lstrip("/")), *_FILES[hierarchy])
            if left is not None:
                yield left
            if path in ("/", ""):
                break
            path = os.path.dirname(path)


def _left(group: str, limit: str, used: str, reclaimable: str) -> int | None:
    try:
        most, now = _number(f"{group}/{limit}"), _number(f"{group}/{used}")
        with open(f"{group}/memory.stat", encoding="ascii") as lines:
            back = next(int(line.split()[1]) for line in lines if line.startswith(f"{reclaimable} "))
    except (OSError, ValueError, StopIteration, IndexError):
        return None
    return max(0, most - now + back)


def _number(path: str) -> int:
    """The number in a file. Raises OSError, ValueError (also for `max`)."""
    with open(path, encoding="ascii") as file:
        return int(file.read())
