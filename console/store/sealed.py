"""Opening an artifact without being led astray, and freezing its bytes so that what is judged is what is loaded."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType

from backends.load_plan import LoadPlan
from console.durable import write_all
from console.errors import BadInput, Conflict, Failed
from console.records import FileIdentity
from console.store import syscalls

SEAL_LIMIT = 64 * 2**20
"""Files up to this size in bytes are copied into sealed memory; of larger ones, everything but raw numbers is."""

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL

HEAD = 64
"""Bytes at the beginning of a file that tell whether it is encrypted."""

_CHUNK = 2**20
_SPARSE_FROM = 2**30
_SPARSE_RATIO = 64
_MFD_NOEXEC_SEAL = 0x0008
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]
Stretch = tuple[int, int, int]
"""A descriptor, and the offsets where a stretch of its bytes starts and stops."""


class _Holder:
    """Owner of one descriptor: closed once, by `close` or at the end of a `with`."""

    fd: int

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def detach(self) -> int:
        """Hand the descriptor over to the caller, who closes it."""
        fd, self.fd = self.fd, -1
        return fd

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class OpenedFile(_Holder):
    """An open regular file of the store. `name` is its path there, for messages; `head` its first HEAD bytes."""

    fd: int
    identity: FileIdentity
    name: str
    head: bytes = b""

    def __enter__(self) -> OpenedFile:
        return self


@dataclass(slots=True)
class SealedBytes(_Holder):
    """Read-only bytes of one artifact. `sealed` = nobody can change them any more, and `digest` is theirs.

    Of a file over the limit it is the file itself: `sealed` is false and `digest` None until `digest_of` is asked.
    `encrypted` = the artifact is encrypted at rest: these bytes are what is in it, `identity` and `digest` are those
    of the file.

    Judging a file that is not sealed gives it a `skeleton` (-1 before): sealed memory of its size that holds everything
    but the raw numbers of large arrays. A child loads from what is `handed` to it and the inspector's `plan` of where
    arrays lie (`backends.load_plan`), never from a file alone. Whoever hands such bytes on hands them on as they are.
    """

    fd: int
    identity: FileIdentity
    size: int
    digest: str | None
    sealed: bool
    name: str = ""
    encrypted: bool = False
    skeleton: int = -1
    plan: bytes = b""

    def __enter__(self) -> SealedBytes:
        return self

    def become(self, other: SealedBytes) -> None:
        """Take over the bytes of another in place of its own, which are given back; the other is left without any."""
        self.close()
        for one in fields(other):
            setattr(self, one.name, getattr(other, one.name))
        other.fd = other.skeleton = -1

    @property
    def handed(self) -> tuple[int, ...]:
        """What a child loads from: sealed memory, then the file that its raw numbers are mapped from, if it has any.

        Raises Failed for bytes that are not sealed and were not judged.
        """
        if self.sealed:
            return (self.fd,)
        if self.skeleton < 0:
            raise Failed(f"{self.name} was not judged, so it is not loaded")
        return (self.skeleton, self.fd)

    @property
    def shrank(self) -> bool:
        """Whether the file is shorter than it was: touching numbers that are gone ends a worker with SIGBUS."""
        return not self.sealed and self.fd >= 0 and os.fstat(self.fd).st_size < self.size

    def close(self) -> None:
        """Give the descriptors back; a second call does nothing."""
        _Holder.close(self)
        if self.skeleton >= 0:
            skeleton, self.skeleton = self.skeleton, -1
            os.close(skeleton)


def identity_of(status: os.stat_result) -> FileIdentity:
    """The identity of a file from its stat."""
    return FileIdentity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_still(status: os.stat_result, opened: OpenedFile) -> bool:
    """Whether a file is the opened one, unchanged; the time of the inode's change does not count: renames and links
    move it."""
    was = opened.identity
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) == (
        was.device,
        was.inode,
        was.size,
        was.modified_ns,
    )


def problem_of(status: os.stat_result) -> str | None:
    """Why a file cannot hold a model whatever is in it: not a regular file, empty, or a hole; None when it can."""
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        return f"is {_kind(mode)}, not a regular file"
    if status.st_size == 0:
        return "is empty"
    if status.st_size >= _SPARSE_FROM and status.st_blocks * 512 * _SPARSE_RATIO < status.st_size:
        return f"claims {status.st_size} bytes but holds only {status.st_blocks * 512} on disk"
    return None


def _kind(mode: int) -> str:
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
    return known.get(error.errno or 0, f"cannot be read: {error.strerror or error}")


def open_root(root: Path) -> int:
    """A descriptor of the store's root for `open_beneath`. Raises BadInput."""
    try:
        return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(f"{root} {words_of(error)}") from None


def open_beneath(root: int, path: str, flags: int = _FLAGS) -> int:
    """Open `path` under the root's descriptor without following any link or leaving the root. Raises OSError."""
    try:
        return syscalls.openat2(root, path, flags)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.E2BIG):
            raise
    return _open_by_steps(root, path, flags)


def _open_by_steps(root: int, path: str, flags: int) -> int:
    """What openat2 does, for kernels or sandboxes without it: one name at a time, no links."""
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


def open_artifact(root: Path | int, path: str, *, empty_ok: bool = False) -> OpenedFile:
    """Open the regular file at `path` beneath the store's root (a directory, or its descriptor).

    Raises BadInput with one sentence for a link, an escape, a FIFO, a device, an empty or unreadable file.
    """
    base = open_root(root) if isinstance(root, Path) else root
    try:
        fd = open_beneath(base, path)
    except OSError as error:
        raise BadInput(f"{path} {words_of(error)}") from None
    except ValueError:
        raise BadInput(f"{path} is not a file name") from None
    finally:
        if isinstance(root, Path):
            os.close(base)
    try:
        status = os.fstat(fd)
        problem = problem_of(status)
        if problem and not (empty_ok and status.st_size == 0 and stat.S_ISREG(status.st_mode)):
            raise BadInput(f"{path} {problem}")
        os.set_blocking(fd, True)
        head = os.pread(fd, HEAD, 0)
    except OSError as error:
        os.close(fd)
        raise BadInput(f"{path} {words_of(error)}") from None
    except BaseException:
        os.close(fd)
        raise
    return OpenedFile(fd, identity_of(status), path, head)


def seal(
    opened: OpenedFile,
    *,
    limit: int = SEAL_LIMIT,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> SealedBytes:
    """Freeze the bytes of an opened file: a hashed copy in sealed memory, or the file itself above `limit` bytes.

    `opened` stays open and is the caller's to close. Raises Conflict when the file changed while it was copied,
    Failed when cancelled, BadInput when it cannot be read.
    """
    size = opened.identity.size
    if size > limit:
        return SealedBytes(reopened(opened.fd, opened.name), opened.identity, size, None, False, opened.name)
    memory = new_memory(os.path.basename(opened.name))
    try:
        digest = _hash(((opened.fd, 0, size),), opened.name, size, memory, progress, cancelled)
        _check_unchanged(opened)
        return SealedBytes(frozen(memory, opened.name), opened.identity, size, digest, True, opened.name)
    finally:
        os.close(memory)


def digest_of(
    opened: OpenedFile | SealedBytes, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> str:
    """`sha256:…` of the bytes, read where they are; `progress(done, total)` in bytes after each piece.

    Of bytes with a skeleton it is the digest of what a child loads: what is sealed is read from there.
    Raises Conflict when the file changed meanwhile, Failed when cancelled, BadInput when it cannot be read.
    """
    whole = ((opened.fd, 0, opened.identity.size),)
    stretches = _stretches(opened) if isinstance(opened, SealedBytes) else whole
    size = opened.size if isinstance(opened, SealedBytes) else opened.identity.size
    digest = _hash(stretches, opened.name, size, None, progress, cancelled)
    if isinstance(opened, OpenedFile) or not opened.sealed:
        _check_unchanged(opened)
    return digest


def _check_unchanged(opened: OpenedFile | SealedBytes) -> None:
    """Raise Conflict for a file that is not as it was. That another took its name changes only its ctime."""
    status = os.fstat(opened.fd)
    found, known = identity_of(status), opened.identity
    renamed = status.st_nlink == 0 and (found.size, found.modified_ns) == (known.size, known.modified_ns)
    if found != known and not renamed:
        raise Conflict(f"{opened.name} changed while it was being read", hint="try again when it is at rest")


def _stretches(content: SealedBytes) -> tuple[Stretch, ...]:
    """What the bytes are made of as a child sees them."""
    if content.sealed or content.skeleton < 0:
        return ((content.fd, 0, content.size),)
    found: list[Stretch] = []
    here = 0
    for start, stop in LoadPlan.from_bytes(content.plan, content.size).sealed(content.size):
        found += [(content.fd, here, start), (content.skeleton, start, stop)]
        here = stop
    return (*found, (content.fd, here, content.size))


def _hash(
    stretches: Sequence[Stretch],
    name: str,
    size: int,
    copy: int | None,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> str:
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(min(_CHUNK, size) or 1))
    for fd, done, stop in stretches:
        while done < stop:
            if cancelled is not None and cancelled():
                raise Failed(f"reading {name} was cancelled")
            try:
                count = os.preadv(fd, [buffer[: min(_CHUNK, stop - done)]], done)
            except OSError as error:
                raise BadInput(f"{name} {words_of(error)}") from None
            if count == 0:
                raise Conflict(f"{name} shrank while it was being read", hint="try again when it is at rest")
            hasher.update(buffer[:count])
            if copy is not None:
                _keep(copy, buffer[:count], name)
            done += count
            if progress is not None:
                progress(done, size)
    return f"sha256:{hasher.hexdigest()}"


def _keep(memory: int, data: memoryview, name: str) -> None:
    try:
        write_all(memory, data)
    except OSError as error:
        raise Failed(f"{name} cannot be copied into sealed memory: {error.strerror}") from None


def frozen(memory: int, name: str) -> int:
    """A read-only descriptor of a file in memory that nobody can change from here on. Raises Failed."""
    try:
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
    except OSError as error:
        raise Failed(f"the memory that holds {name} cannot be sealed: {error.strerror}") from None
    return reopened(memory, name)


def new_memory(name: str) -> int:
    """An empty file in memory that can be sealed, for whoever closes it. Raises Failed."""
    label = os.fsencode(name)[:200].decode("ascii", "replace").replace("\0", "")
    for flags in (_MFD_NOEXEC_SEAL, 0):
        try:
            return os.memfd_create(label, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | flags)
        except OSError as error:
            if flags == 0:
                raise Failed(f"no sealed memory for {name}: {error.strerror}") from None
    raise AssertionError("unreachable")


def reopened(fd: int, name: str) -> int:
    """The same file under a read-only descriptor with a position of its own."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Failed(f"no read-only descriptor for {name}: {error.strerror}") from None
