"""Errors of the operating system in words: what they say about the thing at hand, and what to do about them."""

from __future__ import annotations

import errno
import os
import resource

__all__ = ["OF_THE_MACHINE", "as_system_error", "hint", "is_of_the_machine", "unmapped_owner", "why"]

_WORDS = {
    errno.ENOSPC: ("no space is left on its file system", "make room there, then try again"),
    errno.EDQUOT: ("the disk quota is used up", "make room there or have the quota raised, then try again"),
    errno.EROFS: ("its file system is mounted read-only", "have it mounted writable, or name another place"),
    errno.EMFILE: ("this process may open no more files", "raise its limit: ulimit -n 1024"),
    errno.ENFILE: ("the machine has no more open files to give", "end what holds many, or raise fs.file-max"),
    errno.EAGAIN: (
        "no more processes or threads may be started",
        "end some of this user's processes, or raise the limit: ulimit -u",
    ),
    errno.ENOMEM: ("there is no memory left for it", "end what uses much memory, or raise the limit: ulimit -v"),
    errno.ESTALE: ("its file server no longer knows it (stale file handle)", "mount that file system again"),
    errno.EIO: ("the disk reported an input/output error", "check the disk; the kernel's log (dmesg) says more"),
    errno.EACCES: ("permission denied", None),
    errno.EPERM: ("this user may not do that", None),
}

OF_THE_MACHINE = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)
)
"""Errors that say nothing about the file they meet: the machine failed, or this process ran out of something."""


_NO_TEMPORARY = "No usable temporary directory"
"""How Python's tempfile begins to say so."""


def why(error: OSError) -> str:
    """The reason, for the end of a sentence that names the thing."""
    if (error.strerror or "").startswith(_NO_TEMPORARY):
        return "no directory for temporary files can be written"
    words, _ = _WORDS.get(error.errno or 0, ((error.strerror or str(error) or type(error).__name__).lower(), None))
    if error.errno == errno.EMFILE:
        return f"{words} (its limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
    return words


def hint(error: OSError) -> str | None:
    """The next step, None where the reason alone must do."""
    if (error.strerror or "").startswith(_NO_TEMPORARY):
        return "set TMPDIR to a directory that this user may write, or make /tmp writable"
    return _WORDS.get(error.errno or 0, ("", None))[1]


def is_of_the_machine(error: BaseException) -> bool:
    """Whether the machine failed, and not what it was asked about."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_of_the_machine(one) for one in error.exceptions)
    system = as_system_error(error)
    return system is not None and system.errno in OF_THE_MACHINE


def as_system_error(error: BaseException) -> OSError | None:
    """An error as the system's, be it Python's own way of telling of one; None for any other."""
    if isinstance(error, BaseExceptionGroup):
        return as_system_error(error.exceptions[0])
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    if isinstance(error, MemoryError):
        return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    return error if isinstance(error, OSError) else None


def unmapped_owner(uid: int, gid: int) -> str:
    """That a file's owner, group or both have no mapping in this user namespace, in words; "" where both have one.

    The kernel answers EINVAL to who would give a file to an owner it shows as `nobody` for want of a mapping.
    """
    missing = [
        f"its {word}, {kind} {number},"
        for word, kind, number in (("owner", "uid", uid), ("group", "gid", gid))
        if not _mapped(f"/proc/self/{kind}_map", number)
    ]
    have = "has" if len(missing) == 1 else "have"
    return f"{' and '.join(missing)} {have} no mapping in this user namespace" if missing else ""


def _mapped(path: str, number: int) -> bool:
    try:
        with open(path, encoding="ascii") as lines:
            ranges = [tuple(map(int, line.split())) for line in lines]
    except (OSError, ValueError):
        return True
    return any(first <= number < first + count for first, _outside, count in ranges)
