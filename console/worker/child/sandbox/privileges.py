"""The end of root's power: another user where that can be, else root without its capabilities, and no way back.

Numbers are from linux/prctl.h, linux/capability.h and linux/securebits.h.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
_CAP_DAC_READ_SEARCH = 2
_CAP_VERSION_3 = 0x20080522
_SECUREBITS = 0b11101111
"""No root by uid, no set-uid fix-up, no ambient capabilities, no kept ones (keep_caps stays off): all locked."""

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> int:
    """prctl(2). Raises OSError."""
    padded = [ctypes.c_ulong(value) for value in ([*list(arguments), 0, 0, 0, 0])[:4]]
    result = int(_libc.prctl(option, *padded))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it is gone."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def outlive_parent() -> None:
    """Stay when the console is gone, to end the processes below this one, which orphans among them become children of:
    whoever may start processes goes by the end of its control socket. Raises OSError."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, 0)


def no_new_privileges() -> str:
    """No set-uid program and no file capability gives anything from here on. Raises OSError."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if prctl(PR_GET_NO_NEW_PRIVS) != 1:
        raise OSError(0, "the kernel did not keep it")
    return "NoNewPrivs: 1"


def give_up(user: dict[str, Any]) -> str:
    """Become the user that `user` names, with no capability left; root that must stay root gives up all but its uid.

    `user` holds uid and gid, both null where root has to stay, then `why`, and `reads_all` where even the libraries
    can be read with CAP_DAC_READ_SEARCH only. Raises OSError with what is left when this process is still root.
    """
    if os.geteuid() != 0:
        return f"uid {os.getuid()} is an ordinary user; CapEff: {_without_capabilities()}"
    if user.get("uid") is None:
        left = _without_capabilities(reading=bool(user.get("reads_all")))
        raise OSError(0, f"still uid 0, since {user.get('why')}; no way back to capabilities, CapEff: {left}")
    parent = os.getppid()
    become(int(user["uid"]), int(user["gid"]))
    die_with_parent()
    if os.getppid() != parent:
        os._exit(0)
    return f"uid {os.getuid()}, gid {os.getgid()}, no other groups; CapEff: {_effective():x}"


def become(uid: int, gid: int) -> None:
    """Root becomes another user, for good. The kernel forgets PDEATHSIG here. Raises OSError."""
    lock_root_out()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    drop_capabilities()
    if os.getresuid() != (uid, uid, uid) or os.getgroups():
        raise OSError(0, "the kernel did not keep the new user")


def lock_root_out() -> None:
    """Uid 0 means nothing more, and no capability can come back; passed over where CAP_SETPCAP is missing."""
    try:
        prctl(PR_SET_SECUREBITS, _SECUREBITS)
        for capability in range(64):
            prctl(PR_CAPBSET_DROP, capability)
    except OSError:
        return


def drop_capabilities(*, reading: bool = False) -> None:
    """Give up every capability, but that of reading any file with `reading`. Raises OSError."""
    kept = (1 << _CAP_DAC_READ_SEARCH) & _effective() if reading else 0
    header = struct.pack("=Ii", _CAP_VERSION_3, 0)
    data = struct.pack("=6I", kept, kept, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")
    left = _effective()
    if left & ~kept:
        raise OSError(0, f"capabilities {left:x} are still there")


def _without_capabilities(*, reading: bool = False) -> str:
    """Lock and drop, whoever this is; what is left, in hex."""
    lock_root_out()
    if os.geteuid() == 0:
        os.setgroups([])
    drop_capabilities(reading=reading)
    return f"{_effective():x}"


def _effective() -> int:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0
