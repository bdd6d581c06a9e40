"""Opening an artifact without being led astray: nothing outside the store is reached, and no link is followed but one
that is an artifact itself and leads to a file beneath the store's root."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from backends.core.registry import header_suffixes
from console.errors import ConsoleError, InputError, OperationError
from console.files import syscalls
from console.os_errors import hint, is_of_the_machine, why
from console.records import FileIdentity

HEAD = 64
"""Bytes at the beginning of a file that tell whether it is encrypted."""

_SPARSE_FROM = 2**30
_SPARSE_RATIO = 64
_OF_HEADER = header_suffixes()
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Holder:
    """Owner of one descriptor: closed once, by `close` or at the end of a `with`."""

    fd: int

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class OpenedFile(Holder):
    """An open regular file of the store. `name` is its path there, for messages; `head` its first HEAD bytes."""

    fd: int
    identity: FileIdentity
    name: str
    head: bytes = b""

    def __enter__(self) -> OpenedFile:
        return self


def identity_of(status: os.stat_result) -> FileIdentity:
    """The identity of a file from its stat."""
    return FileIdentity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def identity_at(path: Path, *, links: bool = True) -> FileIdentity | None:
    """The identity of what stands at a path, of the link itself without `links`; None where there is nothing to see."""
    try:
        return identity_of(os.stat(path, follow_symlinks=links))
    except OSError:
        return None


def is_still(status: os.stat_result, opened: OpenedFile) -> bool:
    """Whether a file is the opened one, unchanged; the time of the inode's change does not count: renames and links
    move it."""
    return identity_of(status)[:-1] == opened.identity[:-1]


def problem_of(status: os.stat_result, name: str) -> str | None:
    """Why a file cannot hold a model whatever is in it: not a regular file, empty, or a hole where all of it would have
    to be read; None when it can."""
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        return f"is {kind_of(mode)}, not a regular file"
    if status.st_size == 0:
        return "is empty: its bytes never came, so bring it again from where it was made"
    whole = not name.lower().endswith(_OF_HEADER)
    if whole and status.st_size >= _SPARSE_FROM and status.st_blocks * 512 * _SPARSE_RATIO < status.st_size:
        return f"claims {status.st_size} bytes but holds only {status.st_blocks * 512} on disk"
    return None


def kind_of(mode: int) -> str:
    """The kind of a file that is no regular one, in words."""
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFDIR: "a directory",
    }
    return kinds.get(stat.S_IFMT(mode), "something unknown")


def words_of(error: OSError) -> str:
    """The end of the sentence "<file> …" for an error of the system."""
    known = {
        errno.ELOOP: "is a symbolic link or lies behind one, and links are not followed",
        errno.EXDEV: "lies outside the store",
        errno.ENOENT: "is not there",
        errno.ENOTDIR: "is not there",
        errno.EACCES: "cannot be read: permission denied",
        errno.EPERM: "cannot be read: permission denied",
        errno.ENXIO: "is a socket or a device, not a regular file",
        errno.ENODEV: "is a device, not a regular file",
    }
    return known.get(error.errno or 0, f"cannot be read: {why(error)}")


def cannot_read(name: str, error: OSError) -> ConsoleError:
    """The error for a file that cannot be opened or read: the file's trouble, or the machine's."""
    trouble = (OperationError if is_of_the_machine(error) else InputError)(
        f"{name} {words_of(error)}", hint=hint(error)
    )
    if isinstance(trouble, OperationError):
        trouble.code = "not-inspected"
    return trouble


def open_root(root: Path) -> int:
    """A descriptor of the store's root for `open_beneath`. Raises InputError."""
    try:
        return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_read(str(root), error) from None


def open_beneath(root: int, path: str, flags: int = _FLAGS) -> int:
    """Open `path` under the root's descriptor without following any link or leaving the root. Raises OSError."""
    try:
        return syscalls.openat2(root, path, flags)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.E2BIG):
            raise
    return _open_by_steps(root, path, flags)


@dataclass(frozen=True, slots=True)
class Led:
    """Target of a link in the store: `place` beneath its root, a file with this `status`; else the `problem` that
    keeps it from being followed, the end of the sentence "<link> …", and `place` as it is written in the link."""

    place: str
    status: os.stat_result | None = None
    problem: str = ""


def follow_link(root: int, path: str) -> tuple[Led, int]:
    """Where the link at `path` leads, and a descriptor for reading it where that is a file (else -1), which the caller
    closes. What is no regular file is not opened.

    Raises OSError where there is no link, or the machine cannot look now.
    """
    written = os.readlink(path, dir_fd=root)
    try:
        reached = syscalls.openat2(root, path, os.O_PATH | os.O_CLOEXEC, links=True)
    except OSError as error:
        if is_of_the_machine(error):
            raise
        return Led(written, problem=_astray(written, error)), -1
    try:
        status = os.fstat(reached)
        if not stat.S_ISREG(status.st_mode):
            problem = f"is a link to {written}, which is {kind_of(status.st_mode)}, not a regular file"
            return Led(written, problem=problem), -1
        place = os.readlink(f"/proc/self/fd/{reached}").removeprefix(os.readlink(f"/proc/self/fd/{root}") + "/")
        return Led(place, status), os.open(f"/proc/self/fd/{reached}", _FLAGS)
    except OSError as error:
        if is_of_the_machine(error):
            raise
        return Led(written, problem=f"is a link to {written}, which {words_of(error)}"), -1
    finally:
        os.close(reached)


def _astray(written: str, error: OSError) -> str:
    """Why a link with this text is not followed, and of one of git-annex what makes a file of it."""
    if "/annex/objects/" in f"/{written}":
        missing = error.errno == errno.ENOENT
        step = "its content is not here: `git annex get` brings it" if missing else "`git annex unlock` makes it a file"
        return f"is a symbolic link of git-annex, and {step}"
    if written.startswith("/"):
        return f"is a link to {written}, an absolute path, which is not followed: name that file"
    return f"is a link to {written}, {_LED_ASTRAY.get(error.errno or 0, f'which {words_of(error)}')}"


_LED_ASTRAY = {
    errno.ENOENT: "where nothing is: bring that file, or remove it",
    errno.ENOTDIR: "where nothing is: bring that file, or remove it",
    errno.ELOOP: "which leads in a circle",
    errno.EXDEV: "which leads out of the store and is not followed: name that file",
    errno.ENOSYS: "and this kernel cannot follow links safely",
    errno.EPERM: "and links cannot be followed safely here",
}


def _open_by_steps(root: int, path: str, flags: int) -> int:
    """openat2 by steps, for kernels or sandboxes without it: one name at a time, no links."""
    if path.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    here = os.dup(root)
    try:
        for name in names[:-1]:
            step = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = step
        return os.open(names[-1] if names else ".", flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def open_artifact(root: Path | int, path: str, *, empty_ok: bool = False, links: bool = False) -> OpenedFile:
    """Open the regular file at `path` beneath the store's root (a directory, or its descriptor); with `links` also the
    one beneath it that a link at `path` leads to.

    Raises InputError with one sentence for a link, an escape, a FIFO, a device, an empty or unreadable file.
    """
    base = open_root(root) if isinstance(root, Path) else root
    try:
        fd = _open_or_follow(base, path) if links else open_beneath(base, path)
    except OSError as error:
        raise cannot_read(path, error) from None
    except ValueError:
        raise InputError(f"{path} is not a file name") from None
    finally:
        if isinstance(root, Path):
            os.close(base)
    try:
        status = os.fstat(fd)
        problem = problem_of(status, path)
        if problem and not (empty_ok and status.st_size == 0 and stat.S_ISREG(status.st_mode)):
            raise InputError(f"{path} {problem}")
        os.set_blocking(fd, True)
        head = os.pread(fd, HEAD, 0)
    except OSError as error:
        os.close(fd)
        raise cannot_read(path, error) from None
    except BaseException:
        os.close(fd)
        raise
    return OpenedFile(fd, identity_of(status), path, head)


def _is_link(root: int, path: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(path, dir_fd=root, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _open_or_follow(root: int, path: str) -> int:
    """A descriptor of the file at `path`, or of the one a link there leads to. Raises OSError, InputError for a link
    that is not followed."""
    try:
        return open_beneath(root, path)
    except OSError as error:
        if error.errno != errno.ELOOP or not _is_link(root, path):
            raise
        led, fd = follow_link(root, path)
        if fd < 0:
            raise InputError(f"{path} {led.problem}") from None
        return fd


def require_no_link(root: Path, path: str) -> None:
    """Raise InputError for an artifact that is a symbolic link."""
    try:
        leads = os.readlink(root / path)
    except OSError:
        return
    raise InputError(
        f"{path} is a link to {leads}, and nothing is written through a link", hint="name that file itself"
    )
