"""A seccomp filter of our own: what a model has no business with answers EPERM; x86-64 and aarch64.

The filter is assembled here, since the libraries for it run programs to find themselves. Constants are from
linux/seccomp.h, linux/filter.h and linux/audit.h; which calls are meant stands in `system_calls`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from console.worker.child.sandbox.system_calls import (
    CLONE,
    CLONE3,
    CREATING,
    DENIED,
    FCNTL,
    FCNTL_ALLOWED,
    FCNTL_LOCKS,
    IOCTL,
    IOCTL_ALLOWED,
    LOCKS,
    MMAP,
    MPROTECT,
    OF_SELF,
    OPENAT2,
    PRCTL,
    PRCTL_DENIED,
    PROCESSES,
    SIGNALS,
    SOCKETPAIR,
    UNCOUNTED,
)

_LOAD, _AND, _JUMP_EQUAL, _JUMP_ANY_BIT, _JUMP_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x35, 0x06
_AT_NUMBER, _AT_ARCH, _AT_ARGUMENTS = 0, 4, 16
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_CLONE_THREAD = 0x10000
_CLONE_APART = 0x7E028000
"""CLONE_PARENT and the flags that make namespaces."""
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_TYPE = 1, 1, 5, 0xF
UNKNOWN_FROM = 470
"""Calls from this number on are younger than this table, or x32's: to the model the kernel does not have them."""

_COLUMN = {"x86_64": 0, "aarch64": 1}
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_WRITE, _EXECUTE, _BTI = 2, 4, 0x10
_SHARED, _ANONYMOUS = 0x1, 0x20
_CREATES = 0x400040
"""O_CREAT and O_TMPFILE."""
_SET_ID = 0o6000


def program(
    machine: str, pid: int, allowed: frozenset[str] = frozenset(), /, *, forks: bool = False, compiles: bool = False
) -> bytes:
    """The filter as an array of struct sock_filter. Raises OSError for a machine it is not written for.

    `allowed` are calls of DENIED by name; `forks` allows processes of its own, and what they share; `compiles` memory
    that is written and then executed.
    """
    if machine not in _ARCH:
        raise OSError(errno.ENOSYS, f"no filter is written for {machine}")
    column = _COLUMN[machine]
    deny = _ERRNO | errno.EPERM
    code = [_op(_LOAD, _AT_ARCH), _op(_JUMP_EQUAL, _ARCH[machine], 1, 0), _op(_RETURN, _KILL_PROCESS)]
    code += [_op(_LOAD, _AT_NUMBER), _op(_JUMP_AT_LEAST, UNKNOWN_FROM, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    for name, numbers in {**DENIED, **({} if forks else {**PROCESSES, **UNCOUNTED, **LOCKS})}.items():
        number = numbers[column]
        if number is not None and name not in allowed:
            code += [_op(_JUMP_EQUAL, number, 0, 1), _op(_RETURN, deny)]
    for numbers in (CLONE3, OPENAT2):
        code += [_op(_JUMP_EQUAL, numbers[column] or 0, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    code += _clone(CLONE[column] or 0, deny, forks)
    for numbers in {} if forks else SIGNALS.values():
        code += _when(numbers[column] or 0, 0, _allowed(pid), deny)
    for numbers in OF_SELF.values():
        code += _when(numbers[column] or 0, 0, _allowed(0, pid), deny)
    code += _when(IOCTL[column] or 0, 1, _allowed(*IOCTL_ALLOWED), deny)
    code += _when(FCNTL[column] or 0, 1, _allowed(*FCNTL_ALLOWED, *(FCNTL_LOCKS if forks else ())), deny)
    code += _when(PRCTL[column] or 0, 0, _denied(*PRCTL_DENIED), deny)
    code += _socketpair(SOCKETPAIR[column] or 0, deny)
    code += _creating(column, deny)
    code += _mapping(column, deny, shared=forks, executable=forks or compiles)
    code.append(_op(_RETURN, _ALLOW))
    return b"".join(code)


def install(*, forks: bool = False, compiles: bool = False, allowed: frozenset[str] = frozenset()) -> str:
    """Put the filter on every thread of this process, for good. Raises OSError."""
    machine = platform.machine()
    code = program(machine, os.getpid(), allowed, forks=forks, compiles=compiles)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_FLAG_TSYNC), header)
    if libc.syscall(ctypes.c_long(_SECCOMP[machine]), *arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    return f"Seccomp: 2; {len(code) // 8} instructions"


def _clone(number: int, deny: int, forks: bool) -> list[bytes]:
    """Threads; with `forks` processes too, but none in namespaces of its own nor as a child of somebody else."""
    apart = [_op(_JUMP_ANY_BIT, _CLONE_APART, 1, 0), _op(_RETURN, _ALLOW)]
    threads = [_op(_JUMP_ANY_BIT, _CLONE_THREAD, 0, 1), _op(_RETURN, _ALLOW)]
    return _when(number, 0, apart if forks else threads, deny)


def _socketpair(number: int, deny: int) -> list[bytes]:
    """Pairs of streams only: a datagram socket, once had, sends to any socket file there is."""
    family = [_op(_JUMP_EQUAL, _AF_UNIX, 1, 0), _op(_RETURN, deny)]
    kind = [_op(_LOAD, _AT_ARGUMENTS + 8), _op(_AND, _SOCK_TYPE), *_allowed(_SOCK_STREAM, _SOCK_SEQPACKET)]
    return _when(number, 0, [*family, *kind], deny)


def _creating(column: int, deny: int) -> list[bytes]:
    """Files and directories without the bits that lend somebody their owner's rights."""
    code = []
    for numbers, flags, mode in CREATING.values():
        if numbers[column] is not None:
            creates = [] if flags is None else [_argument(flags), _op(_JUMP_ANY_BIT, _CREATES, 0, 3)]
            tests = [_argument(mode), _op(_JUMP_ANY_BIT, _SET_ID, 0, 1), _op(_RETURN, deny)]
            code += _call(numbers[column] or 0, [*creates, *tests])
    return code


def _mapping(column: int, deny: int, *, shared: bool, executable: bool) -> list[bytes]:
    """Memory counted as this process's own, and nothing in it executed but what a file holds.

    On aarch64 a library may be made executable once more with PROT_BTI, as the loader does.
    """
    protection, flags = _argument(2), _argument(3)
    code = [] if executable else [protection, _op(_JUMP_ANY_BIT, _EXECUTE, 0, 5)]
    if not executable:
        code += [_op(_JUMP_ANY_BIT, _WRITE, 0, 1), _op(_RETURN, deny)]
        code += [flags, _op(_JUMP_ANY_BIT, _ANONYMOUS, 0, 1), _op(_RETURN, deny)]
    if not shared:
        code += [flags, _op(_JUMP_ANY_BIT, _ANONYMOUS, 0, 2), _op(_JUMP_ANY_BIT, _SHARED, 0, 1), _op(_RETURN, deny)]
    found = _call(MMAP[column] or 0, code)
    if executable:
        return found
    refused = [_op(_RETURN, deny)]
    if column == _COLUMN["aarch64"]:
        refused = [_op(_JUMP_ANY_BIT, _BTI, 0, 2), _op(_JUMP_ANY_BIT, _WRITE, 1, 0), _op(_RETURN, _ALLOW), *refused]
    for numbers in MPROTECT.values():
        found += _call(numbers[column] or 0, [protection, _op(_JUMP_ANY_BIT, _EXECUTE, 0, len(refused)), *refused])
    return found


def _call(number: int, tests: list[bytes]) -> list[bytes]:
    """For system call `number`: run the tests, which answer what is denied, else allow it."""
    return [_op(_JUMP_EQUAL, number, 0, len(tests) + 1), *tests, _op(_RETURN, _ALLOW)]


def _argument(position: int) -> bytes:
    """Load the low half of an argument."""
    return _op(_LOAD, _AT_ARGUMENTS + 8 * position)


def _allowed(*values: int) -> list[bytes]:
    """Allow if what was loaded is one of the values, else go on."""
    return [part for value in values for part in (_op(_JUMP_EQUAL, value, 0, 1), _op(_RETURN, _ALLOW))]


def _denied(*values: int) -> list[bytes]:
    """Allow unless what was loaded is one of the values, else go on."""
    tests = [_op(_JUMP_EQUAL, value, len(values) - position, 0) for position, value in enumerate(values)]
    return [*tests, _op(_RETURN, _ALLOW)]


def _when(number: int, argument: int, tests: list[bytes], otherwise: int) -> list[bytes]:
    """For system call `number`: load the low half of one argument and run the tests, else answer `otherwise`."""
    body = [_argument(argument), *tests, _op(_RETURN, otherwise)]
    return [_op(_JUMP_EQUAL, number, 0, len(body)), *body]


def _op(code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, k)
