"""A network, IPC and host name of its own for a child; numbers from linux/sched.h."""

from __future__ import annotations

import ctypes
import os
import re

_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def separate() -> str:
    """Leave the shared network, IPC and UTS namespaces. Raises OSError where the system forbids it.

    Root does without a user namespace: inside one it could become nobody else, and files of other users would lose
    their reader.
    """
    uid, gid = os.geteuid(), os.getegid()
    inner = _NEW_NET | _NEW_IPC | _NEW_UTS
    flags = inner if uid == 0 else inner | _NEW_USER
    _done(_libc.unshare(ctypes.c_int(flags)), "unshare")
    if uid != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    with open("/proc/self/net/dev", encoding="ascii") as lines:
        devices = [line.partition(":")[0].strip() for line in lines if ":" in line]
    if set(devices) - {"lo"}:
        raise OSError(0, f"network devices are still there: {', '.join(devices[:5])}")
    return "own network (no device), IPC and host name" + (", own user namespace" if uid else "")


def own_scratch(directory: str, size: int, files: int, uid: int, gid: int) -> str:
    """A file system in memory for the scratch directory, seen by this process only, that holds no more than said.

    Nothing in it can be executed. Raises OSError where the system forbids to mount.
    """
    _done(_libc.unshare(ctypes.c_int(_NEW_NS)), "unshare")
    _done(_libc.mount(None, b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None), "mount")
    options = f"size={size},nr_inodes={files},mode=700,uid={uid},gid={gid}".encode()
    flags = ctypes.c_ulong(_NOSUID | _NODEV | _NOEXEC)
    _done(_libc.mount(b"model-console", os.fsencode(directory), b"tmpfs", flags, options), "mount")
    os.chdir(directory)
    return f"own scratch directory in memory, {size >> 20} MiB and {files} files"


def _done(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def counts_processes() -> bool:
    """Whether RLIMIT_NPROC counts within the user namespace, as it does from Linux 5.14 on."""
    major, minor = (int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    return (major, minor) >= (5, 14)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
