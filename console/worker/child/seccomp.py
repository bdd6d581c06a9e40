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

FCNTL: Numbers = (72, 25)
_FCNTL_ALLOWED = (0, 1, 2, 3, 4, 5, 1027, 1030, 1032, 1034)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_DUPFD_QUERY, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS: all
others reach beyond the process. A lease stalls everybody who opens the file, a lock everybody who locks it, be it a
library that is only read; F_NOTIFY watches, F_SETOWN sends signals, F_SETPIPE_SZ takes memory of the kernel's."""
_FCNTL_LOCKS = (6, 7, 36, 37, 38)

IOCTL: Numbers = (16, 29)
_IOCTL_ALLOWED = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS and TCGETS2 (what `isatty` asks), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""

PRCTL: Numbers = (157, 167)
_PRCTL_DENIED = (1, 4, 35, 36, 0x59616D61)
"""PR_SET_PDEATHSIG; PR_SET_DUMPABLE, PR_SET_MM (the console looks at what a child holds); PR_SET_CHILD_SUBREAPER;
PR_SET_PTRACER."""

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
    "sync": (162, 81),
    "syncfs": (306, 267),
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

UNCOUNTED: dict[str, Numbers] = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "vmsplice": (278, 75),
}
"""Memory that no limit of the process counts. Denied unless the plan allows processes of its own."""

LOCKS: dict[str, Numbers] = {"flock": (73, 32)}
"""Denied unless the plan allows processes of its own: a lock can be held on what is only read, a library for one."""

CREATING: dict[str, tuple[Numbers, Optional[int], int]] = {
    "open": ((2, None), 1, 2),
    "openat": ((257, 56), 2, 3),
    "creat": ((85, None), None, 1),
}
"""Numbers, which argument holds the flags (None: it always creates), and which the mode: no set-uid, no set-gid."""

OPENAT2: Numbers = (437, 437)
"""Its mode lies in memory that a filter cannot read; whoever asks falls back on openat, as on an older kernel."""

MMAP: Numbers = (9, 222)
MPROTECT: dict[str, Numbers] = {"mprotect": (10, 226), "pkey_mprotect": (329, 288)}
_WRITE, _EXECUTE, _BTI = 2, 4, 0x10
_SHARED, _ANONYMOUS = 0x1, 0x20
_CREATES = 0x400040
"""O_CREAT and O_TMPFILE."""
_SET_ID = 0o6000

CLONE: Numbers = (56, 220)
CLONE3: Numbers = (435, 435)
SOCKETPAIR: Numbers = (53, 199)


def program(machine: str, pid: int, *, forks: bool = False, compiles: bool = False) -> bytes:
    """The filter as an array of struct sock_filter. Raises OSError for a machine it is not written for.

    `forks` allows processes of its own, and what they share; `compiles` memory that is written and then executed.
    """
    if machine not in _ARCH:
        raise OSError(errno.ENOSYS, f"no filter is written for {machine}")
    column = _COLUMN[machine]
    deny = _ERRNO | errno.EPERM
    code = [_op(_LOAD, _AT_ARCH), _op(_JUMP_EQUAL, _ARCH[machine], 1, 0), _op(_RETURN, _KILL_PROCESS)]
    code += [_op(_LOAD, _AT_NUMBER), _op(_JUMP_AT_LEAST, UNKNOWN_FROM, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    for numbers in {**DENIED, **({} if forks else {**PROCESSES, **UNCOUNTED, **LOCKS})}.values():
        number = numbers[column]
        if number is not None:
            code += [_op(_JUMP_EQUAL, number, 0, 1), _op(_RETURN, deny)]
    for numbers in (CLONE3, OPENAT2):
        code += [_op(_JUMP_EQUAL, numbers[column] or 0, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    code += _clone(CLONE[column] or 0, deny, forks)
    for numbers in {} if forks else SIGNALS.values():
        code += _when(numbers[column] or 0, 0, _allowed(pid), deny)
    for numbers in OF_SELF.values():
        code += _when(numbers[column] or 0, 0, _allowed(0, pid), deny)
    code += _when(IOCTL[column] or 0, 1, _allowed(*_IOCTL_ALLOWED), deny)
    code += _when(FCNTL[column] or 0, 1, _allowed(*_FCNTL_ALLOWED, *(_FCNTL_LOCKS if forks else ())), deny)
    code += _when(PRCTL[column] or 0, 0, _denied(*_PRCTL_DENIED), deny)
    code += _socketpair(SOCKETPAIR[column] or 0, deny)
    code += _creating(column, deny)
    code += _mapping(column, deny, shared=forks, executable=forks or compiles)
    code.append(_op(_RETURN, _ALLOW))
    return b"".join(code)


def install(*, forks: bool = False, compiles: bool = False) -> str:
    """Put the filter on every thread of this process, for good. Raises OSError."""
    machine = platform.machine()
    code = program(machine, os.getpid(), forks=forks, compiles=compiles)
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
