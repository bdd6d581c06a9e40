"""A network, IPC and host name of its own for a child; numbers from linux/sched.h."""

from __future__ import annotations

import ctypes
import os
import re

_NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_NET = 0x04000000, 0x08000000, 0x10000000, 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def separate() -> str:
    """Leave the shared network, IPC and UTS namespaces. Raises OSError where the system forbids it.

    Root does without a user namespace: inside one it could become nobody else, and files of other users would lose
    their reader.
    """
    uid, gid = os.geteuid(), os.getegid()
    inner = _NEW_NET | _NEW_IPC | _NEW_UTS
    flags = inner if uid == 0 else inner | _NEW_USER
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
    if uid != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    with open("/proc/self/net/dev", encoding="ascii") as lines:
        devices = [line.partition(":")[0].strip() for line in lines if ":" in line]
    if set(devices) - {"lo"}:
        raise OSError(0, f"network devices are still there: {', '.join(devices[:5])}")
    return "own network (no device), IPC and host name" + (", own user namespace" if uid else "")


def counts_processes() -> bool:
    """Whether RLIMIT_NPROC counts within the user namespace, as it does from Linux 5.14 on."""
    major, minor = (int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    return (major, minor) >= (5, 14)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
