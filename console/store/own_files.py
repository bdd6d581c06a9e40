"""The console's own directory in a store: `lock`, `journal.jsonl`, `history/<key>/` and `conflicts/`."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from console.config import STORE_DIR
from console.errors import Failed
from console.store import opening

JOURNAL = "journal.jsonl"
HISTORY = "history"
CONFLICTS = "conflicts"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOCK_PAUSE = 0.02


def artifact_key(path: str) -> str:
    """The directory name under which the versions of one artifact are kept."""
    return blake2b(os.fsencode(path), digest_size=12).hexdigest()


class OwnFiles:
    """Descriptors of a store's root and of its own directory, for as long as one operation lasts.

    With `create` the own directory is made where it is missing, shared with whom the root is shared. Raises OSError,
    BadInput when the root is not there.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.root = root
        self.root_fd = opening.open_root(root)
        self.fd = -1
        try:
            self.mode = stat.S_IMODE(os.fstat(self.root_fd).st_mode) & 0o2777 | 0o700
            if create:
                self._make(self.root_fd, STORE_DIR)
            try:
                self.fd = opening.open_beneath(self.root_fd, STORE_DIR, _DIRECTORY)
            except FileNotFoundError:
                if create:
                    raise
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> OwnFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give both descriptors back."""
        for fd in (self.fd, self.root_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self.root_fd = -1

    @property
    def file_mode(self) -> int:
        """The mode of new files here."""
        return self.mode & 0o666

    @contextmanager
    def directory(self, *names: str, create: bool = False) -> Iterator[int]:
        """A descriptor of a directory under the own one, to its end. Raises FileNotFoundError where there is none."""
        fd = self._directory(names, create)
        try:
            yield fd
        finally:
            os.close(fd)

    def _directory(self, names: Sequence[str], create: bool) -> int:
        if self.fd < 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), STORE_DIR)
        here = os.dup(self.fd)
        try:
            for name in names:
                if create:
                    self._make(here, name)
                step = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = step
        except BaseException:
            os.close(here)
            raise
        return here

    def parent_of(self, path: str) -> int:
        """A descriptor of the directory that holds the artifact."""
        return opening.open_beneath(self.root_fd, os.path.dirname(path) or ".", _DIRECTORY)

    def _make(self, parent: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            return
        os.chmod(name, self.mode, dir_fd=parent)
        sync_directory(parent)


def sync_directory(fd: int) -> None:
    """Make the names in a directory durable; an O_PATH descriptor is reopened for it. Raises OSError."""
    again = os.open(".", _DIRECTORY, dir_fd=fd)
    try:
        os.fsync(again)
    finally:
        os.close(again)


class Busy(Failed):
    """Another process holds a lock that this operation needs."""

    code = "busy"


@contextmanager
def artifact_lock(own: OwnFiles, path: str, *, wait: float) -> Iterator[None]:
    """Be the only one who replaces this artifact, in any process. Raises Busy after `wait` seconds, OSError."""
    busy = f"another process is replacing {path} right now"
    with (
        own.directory(HISTORY, artifact_key(path), create=True) as directory,
        locked(directory, "lock", own.file_mode, wait=wait, busy=busy),
    ):
        yield


@contextmanager
def locked(directory: int, name: str, mode: int, *, wait: float, busy: str) -> Iterator[int]:
    """Hold the lock file `name`; the kernel lets go of it with the process. Raises Busy after `wait` seconds."""
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        if os.fstat(fd).st_uid == os.geteuid():
            os.fchmod(fd, mode)
        deadline = time.monotonic() + wait
        while not _try_lock(fd):
            if time.monotonic() >= deadline:
                raise Busy(busy, hint="try again when it is done")
            time.sleep(_LOCK_PAUSE)
        yield fd
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
