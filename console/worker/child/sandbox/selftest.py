"""Self-test of a sandboxed child: what must fail is tried, after all layers and before the first byte of a model."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import sys
from typing import Any, Callable

from backends.core.memory import give_back, memory_file

DENIALS = (errno.EPERM, errno.EACCES)
NEEDED = "allowed: training needs processes"
COMPILES = "allowed: libraries that the model names make code while they run"
_EXECVEAT = {"x86_64": 322, "aarch64": 281}
_AT_EMPTY_PATH = 0x1000

_libc = ctypes.CDLL(None, use_errno=True)


class NotDenied(Exception):
    """Something that should have failed did not; in words."""


def run(config: dict[str, Any]) -> dict[str, list[Any]]:
    """Item to [denied, evidence]; denied is None for what was not tried, with the reason.

    `config` is the start frame: `canary` names a file of the console that only its user may read, or is empty with
    `canary_why`; `parent` is the console's process id.
    """
    canary, forks = str(config.get("canary") or ""), bool(config["sandbox"]["forks"])
    unknown = str(config.get("canary_why") or "the console made no canary")
    return {
        "canary": _tried(lambda: _read(canary)) if canary else [None, unknown],
        "write": _tried(lambda: _write_beside(canary)) if canary else [None, unknown],
        "socket": _tried(_open_socket),
        "fork": [None, NEEDED] if forks else _tried(_fork),
        "exec": [None, NEEDED] if forks else _tried(_execute),
        "memory": [None, NEEDED] if forks else _tried(_memory),
        "code": [None, NEEDED if forks else COMPILES] if forks or config["sandbox"]["compiles"] else _tried(_code),
        "signal": _tried(lambda: _signal(int(config["parent"]))),
    }


def _tried(attempt: Callable[[], None]) -> list[Any]:
    try:
        attempt()
    except NotDenied as done:
        return [False, str(done)]
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        return [True, name] if error.errno in DENIALS else [False, f"ended in {name}, which is no denial"]
    return [False, "was not denied"]


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)
    raise NotDenied("a file outside was read")


def _write_beside(path: str) -> None:
    place = f"{path}-{os.getpid()}"
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    os.unlink(place)
    raise NotDenied("a file outside the scratch directory was written")


def _open_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    raise NotDenied("a socket was made")


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    raise NotDenied("a process was started")


def _execute() -> None:
    """Ask for a program with an argument list that cannot be read: it is denied, or found and then refused (EFAULT).

    Tried with this interpreter and with a file that exists in memory only.
    """
    nowhere = ctypes.c_void_p(1)
    _denied_exec(_libc.execve(os.fsencode(sys.executable), nowhere, None), "another program can be run")
    number = _EXECVEAT.get(os.uname().machine)
    if number is not None and hasattr(os, "memfd_create"):
        fd = memory_file("selftest")
        try:
            done = _libc.syscall(ctypes.c_long(number), ctypes.c_int(fd), b"", nowhere, None, _AT_EMPTY_PATH)
            _denied_exec(done, "a program in memory can be run")
        finally:
            give_back(fd)
    raise PermissionError(errno.EPERM, "denied")


def _denied_exec(result: int, otherwise: str) -> None:
    if result == 0 or ctypes.get_errno() not in DENIALS:
        raise NotDenied(otherwise)


def _memory() -> None:
    """Ask for a file in memory, and for memory that is shared: neither is counted as this process's own."""
    try:
        os.close(os.memfd_create("selftest", os.MFD_CLOEXEC))
    except PermissionError:
        mmap.mmap(-1, mmap.PAGESIZE).close()
    raise NotDenied("memory can be had that no limit of the process counts")


def _code() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7).close()
    raise NotDenied("memory can be written and then executed")


def _signal(pid: int) -> None:
    os.kill(pid, 0)
    raise NotDenied("the console could be sent a signal")
