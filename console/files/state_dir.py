"""The console's own directory in a store: `lock`, `journal.jsonl`, `history/<key>/` and `conflicts/`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from console.closing import closing_fd
from console.config import STORE_DIR
from console.files import opening
from console.locks import locked
from console.sharing import Share, make_directory, open_shared

JOURNAL = "journal.jsonl"
HISTORY = "history"
CONFLICTS = "conflicts"
LOCK = "lock"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def artifact_key(path: str) -> str:
    """The directory name under which the versions of one artifact are kept."""
    return blake2b(os.fsencode(path), digest_size=12).hexdigest()


class OwnFiles:
    """Descriptors of a store's root and of its own directory, for as long as one operation lasts.

    With `create` the own directory is made where it is missing, shared with whom the root is shared. Raises OSError,
    InputError when the root is not there.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.root = root
        self.root_fd = opening.open_root(root)
        self.fd = -1
        try:
            self.share = Share.of(self.root_fd)
            if create:
                self.fd = make_directory(self.root_fd, STORE_DIR, self.share)
                return
            try:
                self.fd = opening.open_beneath(self.root_fd, STORE_DIR, _DIRECTORY)
            except FileNotFoundError:
                return
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

    def give(self, fd: int) -> None:
        """Make an open file of ours the store's."""
        self.share.give(fd, self.share.file_mode)

    @contextmanager
    def directory(self, *names: str, create: bool = False) -> Iterator[int]:
        """A descriptor of a directory under the own one, to its end. Raises FileNotFoundError where there is none."""
        with closing_fd(self._directory(names, create)) as fd:
            yield fd

    def _directory(self, names: Sequence[str], create: bool) -> int:
        if self.fd < 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), STORE_DIR)
        here = os.dup(self.fd)
        try:
            for name in names:
                if create:
                    step = make_directory(here, name, self.share)
                else:
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


@contextmanager
def artifact_lock(own: OwnFiles, path: str, *, wait: float) -> Iterator[None]:
    """Be the only one who replaces this artifact, in any process. Raises BusyError after `wait` seconds, OSError."""
    with (
        own.directory(HISTORY, artifact_key(path), create=True) as directory,
        _locked(own, directory, f"another process is replacing {path} right now: it", wait),
    ):
        yield


@contextmanager
def store_lock(own: OwnFiles, *, wait: float) -> Iterator[None]:
    """Be the only one who writes in the journal. Raises BusyError after `wait` seconds, OSError."""
    with _locked(own, own.fd, f"the journal of {own.root}", wait):
        yield


@contextmanager
def _locked(own: OwnFiles, directory: int, what: str, wait: float) -> Iterator[None]:
    with closing_fd(open_shared(directory, LOCK, os.O_RDWR, own.share)) as fd, locked(fd, what, wait=wait):
        yield
