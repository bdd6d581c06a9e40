"""Whether the store is there, and is the one it was."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.errors import ConsoleError

__all__ = ["Root", "StoreOffline"]


class StoreOffline(ConsoleError):
    """The store's directory is not there, or not the one it was; what is known of it stays as it is."""

    code = "store-offline"
    exit_code = 4


class Root:
    """The directory that is the store. `identity` is its device and inode as last checked, `looking` whether somebody
    looks through it now."""

    def __init__(self, path: Path) -> None:
        self.identity: tuple[int, int] | None = None
        self.looking = False
        self._path = path

    def check(self) -> None:
        """Make sure that the store is there and the one it was. Raises StoreOffline.

        Another directory in its place is taken for the store as soon as something is in it: an empty one is what
        an unmounted file system leaves behind.
        """
        try:
            status = os.stat(self._path)
            if not stat.S_ISDIR(status.st_mode):
                raise StoreOffline(f"the store {self._path} is no longer a directory")
            identity = (status.st_dev, status.st_ino)
            if self.identity not in (None, identity) and not os.listdir(self._path):
                raise StoreOffline(
                    f"the store {self._path} was replaced by an empty directory", hint="is it still mounted?"
                )
        except OSError as error:
            raise self.offline(error) from None
        if not self.looking:
            self.identity = identity
        elif identity != self.identity:
            raise StoreOffline(f"the store {self._path} was replaced while it was being read")

    @contextmanager
    def held(self) -> Iterator[int]:
        """A descriptor for the time of one look: checked first, and no longer open than that, since the store may be
        unmounted. Raises StoreOffline."""
        self.check()
        try:
            fd = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self.offline(error) from None
        self.looking = True
        try:
            yield fd
        finally:
            self.looking = False
            os.close(fd)

    def offline(self, error: OSError) -> StoreOffline:
        """What an error of the system says of the store."""
        hint = "is it still mounted, or was it renamed?"
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = "this user may not read it"
        return StoreOffline(f"the store {self._path} cannot be reached: {error.strerror}", hint=hint)
