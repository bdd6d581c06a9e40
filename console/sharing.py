"""Files and directories of the console's own in a store: whoever makes one, it belongs to whom the store belongs."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from console.closing import closing_fd
from console.durable import sync_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE = os.O_CLOEXEC | os.O_NOFOLLOW
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Share:
    """Owner, group and permissions of a store's directory. What is made in it gets its group and, made by root, its
    owner; who may do there what they may do in the directory itself, and nobody more."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def of(cls, directory: int) -> Share:
        """That of an open directory. Raises OSError."""
        status = os.fstat(directory)
        return cls(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode) & 0o3777 | 0o700)

    @property
    def file_mode(self) -> int:
        """The permissions of a file."""
        return self.mode & 0o666

    @property
    def private_mode(self) -> int:
        """The permissions of a file that only who may write in the store may read."""
        return self.mode & (0o666 if self.mode & 0o002 else 0o660)

    def adopt(self, fd: int) -> None:
        """Give an open file or directory of this process's to the store's group, and as root to its owner too."""
        with suppress(OSError):
            os.fchown(fd, self.uid if os.geteuid() == 0 else -1, self.gid)

    def give(self, fd: int, mode: int) -> None:
        """Adopt it and set its permissions; where it cannot have the store's group, its group is nobody special."""
        self.adopt(fd)
        if os.fstat(fd).st_gid != self.gid:
            mode = mode & 0o3707 | (mode & 0o007) << 3
        os.fchmod(fd, mode)


PRIVATE = Share(-1, -1, 0o700)
"""For the user's own files outside of any store."""


def make_directory(parent: int, name: str, share: Share) -> int:
    """A descriptor of a directory of ours, made durably where it is missing. Raises OSError, also for a link."""
    made = False
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        made = True
    fd = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        if made or _is_unfinished(fd):
            share.give(fd, share.mode)
            sync_directory(parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def make_own_directory(root: str | os.PathLike[str], name: str) -> None:
    """Make a directory of ours in the directory at `root`. Raises OSError."""
    with closing_fd(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as parent:
        os.close(make_directory(parent, name, Share.of(parent)))


def open_shared(directory: int, name: str, flags: int, share: Share, *, mode: int | None = None) -> int:
    """Open a file of ours, made empty where it is missing, with the share's permissions or those named; no link is
    followed. Raises OSError.

    O_CREAT is given only where there is none: the kernel may refuse it on others' files (fs.protected_regular).
    """
    for _ in range(_TRIES):
        try:
            fd, made = os.open(name, flags | _FILE, dir_fd=directory), False
        except FileNotFoundError:
            try:
                fd, made = os.open(name, flags | _FILE | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory), True
            except FileExistsError:
                continue
        try:
            status = os.fstat(fd)
            if made or (status.st_uid == os.geteuid() and status.st_size == 0 and stat.S_ISREG(status.st_mode)):
                share.give(fd, share.file_mode if mode is None else mode)
        except BaseException:
            os.close(fd)
            raise
        return fd
    raise FileExistsError(17, "it comes and goes", name)


def _is_unfinished(fd: int) -> bool:
    """Whether a directory is this user's, empty and without permissions: its making was cut short."""
    status = os.fstat(fd)
    if status.st_uid != os.geteuid() or status.st_mode & 0o777 != 0o700:
        return False
    with os.scandir(fd) as entries:
        return next(entries, None) is None
