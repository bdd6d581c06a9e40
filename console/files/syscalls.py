"""The few calls the standard library lacks: openat2, renameat2, FICLONE (linux/openat2.h, linux/fs.h) and mallopt."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_SYS_OPENAT2 = 437
_SYS_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "ppc64le": 357, "s390x": 347}

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_FICLONE = 0x40049409
_OPENAT2_TRIES = 16

_M_TRIM_THRESHOLD = -1
_SPARE_BYTES = 128 << 10


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def _raise(path: str, other: str | None = None) -> None:
    number = ctypes.get_errno()
    if other is None:
        raise OSError(number, os.strerror(number), path)
    raise OSError(number, os.strerror(number), path, None, other)


def _name(path: str) -> ctypes.c_char_p:
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise ValueError("embedded null byte")
    return ctypes.c_char_p(raw)


def openat2(directory: int, path: str, flags: int, *, links: bool = False) -> int:
    """Open `path` beneath the directory descriptor, leaving it by no `..` and following no link; with `links` the
    kernel follows those that stay beneath it.

    Raises OSError: ELOOP for a symbolic link, EXDEV for an escape, ENOSYS where the kernel is older than 5.6;
    ValueError for a path with a null byte.
    """
    how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS | (0 if links else _RESOLVE_NO_SYMLINKS))
    name = _name(path)
    for _ in range(_OPENAT2_TRIES):
        fd: int = _libc.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(directory),
            name,
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if fd >= 0:
            return fd
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    _raise(path)
    raise AssertionError("unreachable")


def rename_at(directory: int, old: str, new: str, flags: int, *, new_directory: int | None = None) -> None:
    """Rename with RENAME_NOREPLACE or RENAME_EXCHANGE. Raises OSError: EEXIST, EINVAL or ENOSYS where unsupported."""
    number = _SYS_RENAMEAT2.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), old, None, new)
    target = directory if new_directory is None else new_directory
    result = _libc.syscall(
        ctypes.c_long(number),
        ctypes.c_int(directory),
        _name(old),
        ctypes.c_int(target),
        _name(new),
        ctypes.c_uint(flags),
    )
    if result != 0:
        _raise(old, new)


def clone(source: int, target: int) -> bool:
    """Make `target` share the blocks of `source` copy-on-write; False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def give_memory_back() -> None:
    """From now on free memory at the top of the heap goes back to the kernel (mallopt(3)).

    glibc raises its threshold with every large block that is freed, and would keep what a scan of the store needed.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _SPARE_BYTES)
