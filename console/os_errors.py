"""Errors of the operating system in words: what they say about the thing at hand, and what to do about them."""

from __future__ import annotations

import errno
import os
import resource

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
    errno.EFBIG: ("this process may write no file so large", "raise its limit: ulimit -f unlimited"),
    errno.ENOMEM: ("there is no memory left for it", "end what uses much memory, or raise the limit: ulimit -v"),
    errno.ESTALE: ("its file server no longer knows it (stale file handle)", "mount that file system again"),
    errno.EIO: ("the disk reported an input/output error", "check the disk; the kernel's log (dmesg) says more"),
    errno.EACCES: ("permission denied", None),
    errno.EPERM: ("this user may not do that", None),
}

OF_THE_MACHINE = frozenset(
    (
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.ESTALE,
    )
)
"""Errors that say nothing about the file they meet: the machine failed, or this process ran out of something."""


MOUNT_PROC = "have /proc mounted, by which open files are reached and processes seen: mount -t proc proc /proc"
"""What helps where has_proc says no."""
_STACK = 8 << 20
"""Bytes of a thread's stack where nothing else is said."""
_NO_TEMPORARY = "No usable temporary directory"
"""How Python's tempfile begins to say so."""


def why(error: OSError) -> str:
    """The reason, for the end of a sentence that names the thing."""
    if _lacks_proc(error):
        return "/proc is not mounted here"
    if (error.strerror or "").startswith(_NO_TEMPORARY):
        because = ", since files may have no bytes here" if _no_files() else ""
        return f"no directory for temporary files can be written{because}"
    said = error.strerror or str(error) or type(error).__name__
    words, _ = _WORDS.get(error.errno or 0, (said[:1].lower() + said[1:], None))
    if error.errno == errno.EMFILE:
        return f"{words} (its limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if error.errno == errno.EAGAIN and most != resource.RLIM_INFINITY:
        return f"{words} (this user's limit is {most})"
    return words


def hint(error: OSError) -> str | None:
    """The next step, None where the reason alone must do."""
    if _lacks_proc(error):
        return MOUNT_PROC
    if (error.strerror or "").startswith(_NO_TEMPORARY):
        if _no_files():
            return _WORDS[errno.EFBIG][1]
        return "set TMPDIR to a directory that this user may write, or make /tmp writable"
    return _WORDS.get(error.errno or 0, ("", None))[1]


def has_proc(root: str = "/") -> bool:
    """Whether the kernel's own file system of processes is mounted at /proc below `root`."""
    return os.path.exists(os.path.join(root, "proc/self"))


def _lacks_proc(error: OSError) -> bool:
    named = error.filename if isinstance(error.filename, str) else ""
    return error.errno == errno.ENOENT and named.startswith("/proc/") and not has_proc()


def _no_files() -> bool:
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0


def is_of_the_machine(error: BaseException) -> bool:
    """Whether the machine failed, and not what it was asked about."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_of_the_machine(one) for one in error.exceptions)
    system = as_system_error(error)
    return system is not None and system.errno in OF_THE_MACHINE


_OF_LOADER = (
    ("failed to map segment", errno.ENOMEM),
    (os.strerror(errno.ENOMEM).lower(), errno.ENOMEM),
    (os.strerror(errno.EMFILE), errno.EMFILE),
)
"""What the loader of shared libraries says in an ImportError, and the system's error behind it (dl-load.c of glibc)."""


def as_system_error(error: BaseException) -> OSError | None:
    """An error as the system's, be it Python's own way of telling of one; None for any other."""
    if isinstance(error, BaseExceptionGroup):
        return as_system_error(error.exceptions[0])
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        number = errno.ENOMEM if _memory_is_short() else errno.EAGAIN
        return OSError(number, os.strerror(number))
    if isinstance(error, MemoryError):
        return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    if isinstance(error, ImportError):
        return next((OSError(number, os.strerror(number)) for words, number in _OF_LOADER if words in str(error)), None)
    return error if isinstance(error, OSError) else None


def _memory_is_short() -> bool:
    """Whether the limit on this process's memory leaves no room for the stack of another thread."""
    limit, stack = resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_STACK)[0]
    if limit == resource.RLIM_INFINITY:
        return False
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            held = int(told.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, MemoryError):
        return True
    return held + 2 * min(stack if stack != resource.RLIM_INFINITY else _STACK, _STACK) > limit


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
