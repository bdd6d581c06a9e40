"""A network, IPC and host name of its own for a child, and the end of root's privileges; numbers from linux/sched.h."""

from __future__ import annotations

import ctypes
import os
import struct

_NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_NET = 0x04000000, 0x08000000, 0x10000000, 0x40000000
_CAP_DAC_READ_SEARCH = 2
_CAP_VERSION_3 = 0x20080522
_PR_CAPBSET_DROP = 24

_libc = ctypes.CDLL(None, use_errno=True)


def separate() -> str:
    """Leave the shared network, IPC and UTS namespaces. Raises OSError where the system forbids it.

    Root does without a user namespace: inside one, files of other users would lose their reader.
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


def drop_capabilities() -> str:
    """Give up every capability; root keeps reading files, since libraries may be another user's. What is left, in hex.

    Raises OSError.
    """
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break
    kept = (1 << _CAP_DAC_READ_SEARCH) & _effective() if os.geteuid() == 0 else 0
    header = struct.pack("=Ii", _CAP_VERSION_3, 0)
    data = struct.pack("=6I", kept, kept, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")
    left = _effective()
    if left & ~kept:
        raise OSError(0, f"capabilities {left:x} are still there")
    return f"{left:x}"


def _effective() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
