"""Landlock (Linux 5.13 and later): files below a few paths, nothing else; numbers from linux/landlock.h."""

from __future__ import annotations

import ctypes
import functools
import os
import stat
import struct
import sys
from collections.abc import Iterable
from typing import Any

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE = 1 << 14
_READ = READ_FILE | READ_DIR
_FILE_RIGHTS = 1 | WRITE_FILE | READ_FILE | TRUNCATE
_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_RIGHTS_NEWEST = (1 << 16) - 1
_NET_ALL = 3
_SCOPE_ALL = 3

SYSTEM_READ = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/dev/null",
)

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The version the kernel offers; 0 where there is none."""
    result = int(_libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_FLAG)))
    return max(0, result)


@functools.lru_cache(maxsize=1)
def library_paths(root: str) -> list[str]:
    """Where this interpreter, its packages (editable ones included) and the console's own code are read from.

    Kept, since it takes longest of all in a process that has mapped many libraries: a zygote looks for all its forks.
    """
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    paths.update(path for path in sys.path if path)
    paths.update(os.path.join(root, package) for package in ("backends", "console"))
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", ""))
        mapping = getattr(module, "MAPPING", None)
        if isinstance(mapping, dict):
            paths.update(path for path in mapping.values() if isinstance(path, str))
    paths.update(mapped_directories())
    return _topmost(path for path in paths if os.path.isabs(path) and path != "/")


def _topmost(paths: Iterable[str]) -> list[str]:
    """The real paths without those that lie below another of them."""
    kept: list[str] = []
    for path in sorted({os.path.realpath(path) + "/" for path in paths}):
        if not kept or not path.startswith(kept[-1]):
            kept.append(path)
    return [path.rstrip("/") for path in kept]


def mapped_directories() -> Iterable[str]:
    """The directories of the shared libraries in this process, wherever the interpreter was built to find them."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            path = line.rstrip("\n").partition("/")[2]
            if ".so" in path:
                yield "/" + os.path.dirname(path)


def restrict(read: Iterable[str], write: Iterable[str], *, programs: bool = False) -> str:
    """Deny this thread and its descendants every other file, TCP, and signals to outsiders. Raises OSError.

    With `programs` what may be read may also be executed, what may be written never.
    """
    version = abi()
    if version < 1:
        raise OSError(0, "the kernel offers no Landlock")
    handled = _RIGHTS_OF_ABI.get(version, _RIGHTS_NEWEST)
    attributes = [handled]
    if version >= 4:
        attributes.append(_NET_ALL)
    if version >= 6:
        attributes.append(_SCOPE_ALL)
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    ruleset = _call(_CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), ctypes.c_uint(0))
    try:
        for path in read:
            _allow(ruleset, path, handled & (_READ | EXECUTE if programs else _READ))
        for path in write:
            _allow(ruleset, path, handled & ~1)
        _allow(ruleset, "/dev/null", handled & (READ_FILE | WRITE_FILE))
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)
    return f"ABI {version}"


def _allow(ruleset: int, path: str, rights: int) -> None:
    """A rule for a path; one that does not exist needs none."""
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        directory = stat.S_ISDIR(os.fstat(beneath).st_mode)
        _allow_open(ruleset, beneath, rights if directory else rights & _FILE_RIGHTS)
    finally:
        os.close(beneath)


def _allow_open(ruleset: int, beneath: int, rights: int) -> None:
    rule = struct.pack("=Qi", rights, beneath)
    _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint(0))


def _call(number: int, *arguments: Any) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"landlock: {os.strerror(error)}")
    return result
