"""Private directories for children, removed with them; those a killed console left behind go at the next start."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress

PREFIX = "model-console-"
YOUNG_SECONDS = 60.0
"""A directory this young may not be locked by its owner yet."""


class Scratch:
    """One directory for a launcher, locked while the launcher lives, with one directory for each child in it."""

    def __init__(self) -> None:
        self.path = ""
        self._lock = -1

    def new(self) -> str:
        """An empty directory only this user may enter."""
        if not self.path:
            remove_abandoned(tempfile.gettempdir())
            self.path = tempfile.mkdtemp(prefix=PREFIX)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return tempfile.mkdtemp(dir=self.path)

    def close(self) -> None:
        """Remove everything. May be called twice."""
        if self.path:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self.path = ""


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
        private = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
        if private and time.time() - found.st_ctime > YOUNG_SECONDS:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(fd)
