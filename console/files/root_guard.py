"""Guard of the store's root: it is there, and is the directory it was."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.errors import ConsoleError
from console.os_errors import hint, is_of_the_machine, why


class StoreOffline(ConsoleError):
    """The store's directory is not there, or not the one it was; what is known of it stays as it is."""

    code = "store-offline"
    exit_code = 4


class Root:
    """The directory at `path` that is the store. `identity` is its device and inode as last checked, `looking` whether
    somebody looks through it now.

    `given` is how it was named: by way of a link it may come to lead elsewhere, which `follow` goes after.
    """

    def __init__(self, path: Path, given: Path | None = None) -> None:
        self.identity: tuple[int, int] | None = None
        self.looking = False
        self.path = path
        self._given = given or path

    def follow(self) -> bool:
        """Resolve the given path anew, between two looks; whether it leads to another directory than before.

        Raises StoreOffline where it leads to none.
        """
        if self._given == self.path:
            return False
        try:
            path = Path(os.path.realpath(self._given, strict=True))
            is_there = path == self.path or path.is_dir()
        except OSError as error:
            raise StoreOffline(
                f"the store {self._given} leads to no directory: {why(error)}",
                hint="have its link lead to a directory that this user may read",
            ) from None
        if not is_there:
            raise StoreOffline(f"the store {self._given} leads to {path}, which is not a directory")
        if path == self.path:
            return False
        self.path, self.identity = path, None
        return True

    def check(self) -> None:
        """Make sure that the store is there and the one it was. Raises StoreOffline.

        Another directory in its place is taken for the store as soon as something is in it: an empty one is what
        an unmounted file system leaves behind.
        """
        try:
            status = os.stat(self.path)
            if not stat.S_ISDIR(status.st_mode):
                raise StoreOffline(f"the store {self.path} is no longer a directory")
            identity = (status.st_dev, status.st_ino)
            if self.identity not in (None, identity) and not os.listdir(self.path):
                raise StoreOffline(
                    f"the store {self.path} was replaced by an empty directory", hint="is it still mounted?"
                )
        except OSError as error:
            raise self.offline(error) from None
        if not self.looking:
            self.identity = identity
        elif identity != self.identity:
            raise StoreOffline(f"the store {self.path} was replaced while it was being read")

    @contextmanager
    def held(self) -> Iterator[int]:
        """A descriptor for the time of one look: checked first, and no longer open than that, since the store may be
        unmounted. Raises StoreOffline."""
        self.check()
        try:
            fd = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self.offline(error) from None
        self.looking = True
        try:
            yield fd
        finally:
            self.looking = False
            os.close(fd)

    def offline(self, error: OSError) -> StoreOffline:
        """The error for a store that the system cannot reach."""
        step = "is it still mounted, or was it renamed?"
        if error.errno in (errno.EACCES, errno.EPERM):
            step = "this user may not read it"
        offline = StoreOffline(f"the store {self.path} cannot be reached: {why(error)}", hint=hint(error) or step)
        if is_of_the_machine(error):
            offline.exit_code = 1
        return offline
