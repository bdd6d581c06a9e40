"""The memory that this machine can still give out."""

from __future__ import annotations


def free_memory() -> int | None:
    """Bytes that processes can still take without anything being swapped out; None where nothing tells."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration, IndexError):
        return None
