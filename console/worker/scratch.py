"""Private directories for children, removed with them; those a killed console left behind go at the next start."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress

PREFIX = "model-console-"
PASSABLE = 0o711
CANARY = "canary"
YOUNG_SECONDS = 60.0
"""A directory this young may not be locked by its owner yet."""


class Scratch:
    """One directory for a launcher, locked while the launcher lives, with one directory for each child in it.

    Beside those lies the canary: a file only this user may read, that no child's sandbox may let it reach.
    """

    def __init__(self) -> None:
        self.path = ""
        self._lock = -1

    def directory(self) -> str:
        """The launcher's directory; others may pass through it where this is root, whose children are other users."""
        if not self.path:
            remove_abandoned(tempfile.gettempdir())
            self.path = tempfile.mkdtemp(prefix=PREFIX)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            _write_private(os.path.join(self.path, CANARY), b"a child that can read this is not confined\n")
            if os.geteuid() == 0:
                os.chmod(self.path, PASSABLE)
        return self.path

    def new(self, uid: int | None = None) -> str:
        """An empty directory only this user may enter, or only the user `uid`."""
        path = tempfile.mkdtemp(dir=self.directory())
        if uid is not None:
            os.chown(path, uid, uid)
        return path

    def canary(self, reachable: Sequence[str]) -> tuple[str, str]:
        """The canary's path, or why it says nothing to a child that may reach these paths."""
        path = os.path.realpath(os.path.join(self.directory(), CANARY))
        for one in reachable:
            top = os.path.realpath(one)
            if os.path.commonpath([top, path]) == top:
                return "", f"not tried: the canary lies below {one}, which this child may read"
        return path, ""

    def close(self) -> None:
        """Remove everything. May be called twice."""
        if self.path:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self.path = ""


def _write_private(path: str, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)


def remove_abandoned(parent: str) -> None:
    """Remove our own directories below `parent` that no live console holds a lock on."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        private = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) in (0o700, PASSABLE)
        if private and time.time() - found.st_ctime > YOUNG_SECONDS:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(fd)
