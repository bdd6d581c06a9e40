"""The system calls a sandboxed child is denied or allowed with some arguments only; x86-64 and aarch64.

Numbers are from asm/unistd_64.h and asm-generic/unistd.h, constants from the headers of linux/.
"""

from __future__ import annotations

from typing import Optional

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
FCNTL_ALLOWED = (0, 1, 2, 3, 4, 5, 1027, 1030, 1032, 1034)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_DUPFD_QUERY, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS: all
others reach beyond the process. A lease stalls everybody who opens the file, a lock everybody who locks it, be it a
library that is only read; F_NOTIFY watches, F_SETOWN sends signals, F_SETPIPE_SZ takes memory of the kernel's."""
FCNTL_LOCKS = (6, 7, 36, 37, 38)

IOCTL: Numbers = (16, 29)
IOCTL_ALLOWED = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS and TCGETS2 (what `isatty` asks), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""

PRCTL: Numbers = (157, 167)
PRCTL_DENIED = (1, 4, 35, 36, 0x59616D61)
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

CLONE: Numbers = (56, 220)
CLONE3: Numbers = (435, 435)
SOCKETPAIR: Numbers = (53, 199)
