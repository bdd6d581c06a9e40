"""Putting a small file of the console's own in place: whole and on the disk, or not there at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from console.closing import closing_fd

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def put(directory: int, name: str, write: Callable[[int], None], give: Callable[[int], None]) -> None:
    """Have `write` fill a new file, which then takes the place of `name` in the open directory. Raises OSError.

    `give` sets its permissions. What stood there is replaced as a name, so that a link leads nowhere; nothing half is
    left.
    """
    with _putting(directory, name, give) as fd:
        write(fd)


@contextmanager
def _putting(directory: int, name: str, give: Callable[[int], None]) -> Iterator[int]:
    temporary, fd = _fresh(directory, name)
    try:
        with closing_fd(fd):
            yield fd
            give(fd)
            os.fsync(fd)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


@contextmanager
def output(path: Path) -> Iterator[int]:
    """A descriptor to fill the file that an operator named: it takes the place of one that is there once all is well.

    What a killed process began for it is removed. What is no plain file is written to as it is. Raises OSError.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG | 0o666 & ~umask()
    place = Path(os.path.realpath(path))
    if not stat.S_ISREG(mode):
        with closing_fd(os.open(place, os.O_WRONLY | os.O_CLOEXEC)) as fd:
            yield fd
        return
    with closing_fd(os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as directory:
        remove_unfinished(directory, place.name)
        with _putting(directory, place.name, lambda fd: os.fchmod(fd, stat.S_IMODE(mode))) as fd:
            yield fd


def umask() -> int:
    """This process's umask, read without setting it for a moment under every other thread."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o077


def _fresh(directory: int, name: str) -> tuple[str, int]:
    """A new file beside `name`, locked as long as it is open: by that others know that it is being written."""
    while True:
        temporary = f".{name}.{secrets.token_hex(4)}.tmp"
        fd = os.open(temporary, _FRESH, 0o600, dir_fd=directory)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        except OSError:
            return temporary, fd
        if os.fstat(fd).st_nlink:
            return temporary, fd
        os.close(fd)


def remove_unfinished(directory: int, name: str = "") -> int:
    """Remove the files that `put` began in the open directory and that nobody writes any more; how many.

    With `name` only those for that.
    """
    count = 0
    for one in os.listdir(directory):
        match = _TEMPORARY.fullmatch(one)
        if match and name in ("", match[1]):
            with suppress(OSError):
                count += _remove_unlocked(directory, one)
    return count


def _remove_unlocked(directory: int, name: str) -> bool:
    with closing_fd(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    return True


def put_bytes(directory: int, name: str, data: bytes, give: Callable[[int], None]) -> None:
    """The same with bytes. Raises OSError."""
    put(directory, name, lambda fd: write_all(fd, data), give)


def put_new(directory: int, name: str, data: bytes, give: Callable[[int], None] = lambda _fd: None) -> None:
    """Put a new file in the open directory, whole. Raises OSError, FileExistsError included.

    Only its owner reads it, unless `give` sets other permissions. A link to a finished file takes no other's place;
    where there are no links the name is taken first.
    """
    temporary, fd = _fresh(directory, name)
    try:
        write_all(fd, data)
        give(fd)
        os.fsync(fd)
        try:
            os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.close(os.open(name, _FRESH, 0o600, dir_fd=directory))
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
    os.fsync(directory)


@contextmanager
def own_directory(path: Path) -> Iterator[int]:
    """A directory that only its owner enters, made where there is none, open. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing_fd(os.open(path, _DIRECTORY)) as fd:
        yield fd


def sync_directory(fd: int) -> None:
    """Make the names in a directory durable; an O_PATH descriptor is reopened for it. Raises OSError."""
    with closing_fd(os.open(".", _DIRECTORY, dir_fd=fd)) as again:
        os.fsync(again)


def sync_parent(path: str | os.PathLike[str]) -> None:
    """Make the name of a new file durable. Raises OSError."""
    with closing_fd(os.open(os.path.dirname(os.path.abspath(path)), _DIRECTORY)) as directory:
        os.fsync(directory)


def write_all(fd: int, data: memoryview | bytes) -> None:
    """Write every byte, however the kernel cuts it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
