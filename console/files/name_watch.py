"""Watch of one name in a directory by inotify(7): whether somebody else touched it between two moments.

For file systems that cannot exchange two names: what a rename takes the place of is gone, and only the kernel saw it.
"""

from __future__ import annotations

import ctypes
import os
import struct

from console.files.opening import Holder

_libc = ctypes.CDLL(None, use_errno=True)
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_HEAD = struct.Struct("iIII")
_MOST = 1 << 16


class NameWatch(Holder):
    """Watches from `with` on. Where the system has no watches left, nothing is seen; what other machines do on a
    network file system never is."""

    def __init__(self, directory: int, name: str) -> None:
        self._name = os.fsencode(name)
        self.fd: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd >= 0:
            mask = ctypes.c_uint32(_MOVED_FROM | _MOVED_TO | _CREATE | _DELETE)
            _libc.inotify_add_watch(self.fd, b"/proc/self/fd/%d" % directory, mask)

    def __enter__(self) -> NameWatch:
        return self

    def touched_before(self, renamed: str) -> bool:
        """Whether the name was touched before `renamed` was renamed to it."""
        ours: int | None = None
        for mask, cookie, name in self._events():
            if mask & _MOVED_FROM and name == os.fsencode(renamed):
                ours = cookie
            elif name == self._name:
                return not (mask & _MOVED_TO and cookie == ours)
        return False

    def _events(self) -> list[tuple[int, int, bytes]]:
        try:
            data = os.read(self.fd, _MOST) if self.fd >= 0 else b""
        except OSError:
            return []
        found, at = [], 0
        while at + _HEAD.size <= len(data):
            _, mask, cookie, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            found.append((mask, cookie, data[at : at + length].rstrip(b"\0")))
            at += length
        return found
