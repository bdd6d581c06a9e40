"""Files in memory: made when they are wanted, or taken from a few that were made before a sandbox forbids to make more.

A file in memory is counted against no limit of a process, so that a sandboxed child may make none; how many it has,
and how much it holds in them, can be known from outside.
"""

from __future__ import annotations

import errno
import os
from typing import Optional

_reserve: Optional[list[int]] = None
_lent: set[int] = set()


def reserve(number: int) -> None:
    """Make so many files now; from here on `memory_file` gives those, and no others. Raises OSError."""
    global _reserve
    _reserve = [os.memfd_create("memory", os.MFD_CLOEXEC) for _ in range(number)]


def memory_file(name: str) -> int:
    """A descriptor of an empty file in memory, for `give_back` in the end. Raises OSError."""
    if _reserve is None:
        return os.memfd_create(name, os.MFD_CLOEXEC)
    if not _reserve:
        raise OSError(errno.EMFILE, "no file in memory is left for this process")
    fd = _reserve.pop()
    _lent.add(fd)
    return fd


def give_back(fd: int, *, mapped: bool = False) -> None:
    """Close a file, or empty it for whoever is next, unless somebody keeps it `mapped`."""
    reserved = fd in _lent
    _lent.discard(fd)
    if _reserve is None or not reserved or mapped:
        os.close(fd)
        return
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    _reserve.append(fd)
