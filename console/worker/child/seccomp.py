"""A seccomp filter of our own: what a model has no business with answers EPERM; x86-64 and aarch64.

The filter is assembled here, since the libraries for it run programs to find themselves. Numbers are from
asm/unistd_64.h and asm-generic/unistd.h, constants from linux/seccomp.h, linux/filter.h and linux/audit.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Optional

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

Numbers = tuple[Optional[int], Optional[int]]

PROCESSES: dict[str, Numbers] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
}
"""Denied unless the plan allows processes of its own; clone without CLONE_THREAD goes with them."""

SIGNALS: dict[str, Numbers] = {"kill": (62, 129), "tgkill": (234, 131)}
"""Allowed for the process itself only, unless the plan allows processes of its own."""

OF_SELF: dict[str, Numbers] = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122)}
"""Allowed for the process itself only, which may also be called 0: the kernel lets a user limit all his processes."""

COMMANDS: dict[str, tuple[Numbers, int, tuple[int, ...]]] = {
    "ioctl": ((16, 29), 1, (0x5412, 0x541C, 0x8901, 0x8902)),
    "fcntl": ((72, 25), 1, (8, 10, 15)),
    "prctl": ((157, 167), 0, (1,)),
}
"""Numbers, which argument is the command, and the commands denied: TIOCSTI and TIOCLINUX (typing into a terminal);
FIOSETOWN, SIOCSPGRP, F_SETOWN, F_SETSIG, F_SETOWN_EX (signals by way of a descriptor); PR_SET_PDEATHSIG."""

DENIED: dict[str, Numbers] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept4": (288, 242),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "kcmp": (312, 272),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "mknod": (133, None),
    "mknodat": (259, 33),
}
"""Always denied; setsid and setpgid so that whatever a child starts stays in the group that is killed with it."""

CLONE: Numbers = (56, 220)
CLONE3: Numbers = (435, 435)
SOCKETPAIR: Numbers = (53, 199)


def program(machine: str, pid: int, *, forks: bool = False) -> bytes:
    """The filter as an array of struct sock_filter. Raises OSError for a machine it is not written for."""
    if machine not in _ARCH:
        raise OSError(errno.ENOSYS, f"no filter is written for {machine}")
    column = _COLUMN[machine]
    deny = _ERRNO | errno.EPERM
    code = [_op(_LOAD, _AT_ARCH), _op(_JUMP_EQUAL, _ARCH[machine], 1, 0), _op(_RETURN, _KILL_PROCESS)]
    code += [_op(_LOAD, _AT_NUMBER), _op(_JUMP_AT_LEAST, UNKNOWN_FROM, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    for numbers in {**DENIED, **({} if forks else PROCESSES)}.values():
        number = numbers[column]
        if number is not None:
            code += [_op(_JUMP_EQUAL, number, 0, 1), _op(_RETURN, deny)]
    code += [_op(_JUMP_EQUAL, CLONE3[column] or 0, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    code += _clone(CLONE[column] or 0, deny, forks)
    for numbers in {} if forks else SIGNALS.values():
        code += _when(numbers[column] or 0, 0, _allowed(pid), deny)
    for numbers in OF_SELF.values():
        code += _when(numbers[column] or 0, 0, _allowed(0, pid), deny)
    for numbers, argument, commands in COMMANDS.values():
        code += _when(numbers[column] or 0, argument, _denied(*commands), deny)
    code += _socketpair(SOCKETPAIR[column] or 0, deny)
    code.append(_op(_RETURN, _ALLOW))
    return b"".join(code)


def install(*, forks: bool = False) -> str:
    """Put the filter on every thread of this process, for good. Raises OSError."""
    machine = platform.machine()
    code = program(machine, os.getpid(), forks=forks)
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


def _allowed(*values: int) -> list[bytes]:
    """Allow if what was loaded is one of the values, else go on."""
    return [part for value in values for part in (_op(_JUMP_EQUAL, value, 0, 1), _op(_RETURN, _ALLOW))]


def _denied(*values: int) -> list[bytes]:
    """Allow unless what was loaded is one of the values, else go on."""
    tests = [_op(_JUMP_EQUAL, value, len(values) - position, 0) for position, value in enumerate(values)]
    return [*tests, _op(_RETURN, _ALLOW)]


def _when(number: int, argument: int, tests: list[bytes], otherwise: int) -> list[bytes]:
    """For system call `number`: load the low half of one argument and run the tests, else answer `otherwise`."""
    body = [_op(_LOAD, _AT_ARGUMENTS + 8 * argument), *tests, _op(_RETURN, otherwise)]
    return [_op(_JUMP_EQUAL, number, 0, len(body)), *body]


def _op(code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, k)
