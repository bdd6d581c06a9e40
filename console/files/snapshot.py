"""Snapshots of an artifact's bytes, so that what is judged is what is loaded; digests of files."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from backends.core.load_plan import LoadPlan
from console.closing import closing_fd
from console.durable import write_all
from console.errors import ConflictError, InputError, OperationError
from console.files import opening
from console.files.opening import Holder, OpenedFile, cannot_read, identity_of
from console.os_errors import hint, why
from console.records import FileIdentity

SEAL_LIMIT = 64 * 2**20
"""Files up to this size in bytes are copied into sealed memory; of larger ones, everything but raw numbers is."""

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL

_CHUNK = 2**20
_MFD_NOEXEC_SEAL = 0x0008
Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]
Stretch = tuple[int, int, int]
"""A descriptor, and the offsets where a stretch of its bytes starts and stops."""


@dataclass(slots=True)
class Snapshot(Holder):
    """Read-only bytes of one artifact. `sealed` = nobody can change them any more, and `digest` is theirs.

    Of a file over the limit it is the file itself: `sealed` is false and `digest` None until `digest_of` is asked.
    `encrypted` = the artifact is encrypted at rest: these bytes are what is in it, `identity` and `digest` are those
    of the file.

    Judging a file that is not sealed gives it a `skeleton` (-1 before): sealed memory of its size that holds everything
    but the raw numbers of large arrays. A child loads from `load_fds` and the inspector's `plan` of where
    arrays lie (a LoadPlan), never from a file alone. Whoever hands such bytes on hands them on as they are.

    Bytes that are loaded as soon as they are judged (`to_load`) may get what their inspector found in a compression
    around them: `decompressed_fd`, sealed memory of its own (-1 = the child opens the compression).
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
    to_load: bool = False
    decompressed_fd: int = -1

    def __enter__(self) -> Snapshot:
        return self

    def replace_with(self, other: Snapshot) -> None:
        """Take over the bytes of another in place of its own, which are given back; the other is left without any."""
        self.close()
        for field in fields(other):
            if field.name != "to_load":
                setattr(self, field.name, getattr(other, field.name))
        other.fd = other.skeleton = other.decompressed_fd = -1

    @property
    def load_fds(self) -> tuple[int, ...]:
        """Descriptors a child loads: sealed memory, then the file that its raw numbers are mapped from, if it has any.

        Raises OperationError for bytes that are not sealed and were not judged.
        """
        if self.sealed:
            return (self.fd,)
        if self.skeleton < 0:
            raise OperationError(f"{self.name} was not judged, so it is not loaded")
        return (self.skeleton, self.fd)

    @property
    def shrank(self) -> bool:
        """Whether the file is shorter than it was: touching numbers that are gone ends a worker with SIGBUS."""
        return not self.sealed and self.fd >= 0 and os.fstat(self.fd).st_size < self.size

    def close(self) -> None:
        """Give the descriptors back; a second call does nothing."""
        held = (self.fd, self.skeleton, self.decompressed_fd)
        self.fd = self.skeleton = self.decompressed_fd = -1
        for fd in held:
            if fd >= 0:
                os.close(fd)


def seal(
    opened: OpenedFile,
    *,
    limit: int = SEAL_LIMIT,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Snapshot:
    """Freeze the bytes of an opened file: a hashed copy in sealed memory, or the file itself above `limit` bytes.

    `opened` stays open and is the caller's to close. Raises ConflictError when the file changed while it was copied,
    OperationError when cancelled, InputError when it cannot be read.
    """
    size = opened.identity.size
    if size > limit:
        return Snapshot(reopened(opened.fd, opened.name), opened.identity, size, None, False, opened.name)
    with closing_fd(new_memory(os.path.basename(opened.name))) as memory:
        digest = _hash(((opened.fd, 0, size),), opened.name, size, memory, progress, cancelled)
        _check_unchanged(opened)
        return Snapshot(frozen(memory, opened.name), opened.identity, size, digest, True, opened.name)


def digest_of(
    opened: OpenedFile | Snapshot, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> str:
    """`sha256:…` of the bytes, read where they are; `progress(done, total)` in bytes after each piece.

    Of bytes with a skeleton it is the digest of what a child loads: what is sealed is read from there. Raises
    ConflictError when the file changed meanwhile, OperationError when cancelled, InputError when it cannot be read.
    """
    whole = ((opened.fd, 0, opened.identity.size),)
    stretches = _stretches(opened) if isinstance(opened, Snapshot) else whole
    size = opened.size if isinstance(opened, Snapshot) else opened.identity.size
    digest = _hash(stretches, opened.name, size, None, progress, cancelled)
    if isinstance(opened, OpenedFile) or not opened.sealed:
        _check_unchanged(opened)
    return digest


def _check_unchanged(opened: OpenedFile | Snapshot) -> None:
    """Raise ConflictError for a file that is not as it was. That another took its name changes only its ctime."""
    status = os.fstat(opened.fd)
    found, known = identity_of(status), opened.identity
    renamed = status.st_nlink == 0 and (found.size, found.modified_ns) == (known.size, known.modified_ns)
    if found != known and not renamed:
        raise ConflictError(f"{opened.name} changed while it was being read", hint="try again when it is at rest")


def _stretches(content: Snapshot) -> tuple[Stretch, ...]:
    """The stretches that the bytes consist of, as a child sees them."""
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
                raise OperationError(f"reading {name} was cancelled")
            try:
                count = os.preadv(fd, [buffer[: min(_CHUNK, stop - done)]], done)
            except OSError as error:
                raise cannot_read(name, error) from None
            if count == 0:
                raise ConflictError(f"{name} shrank while it was being read", hint="try again when it is at rest")
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
        raise OperationError(f"{name} cannot be copied into sealed memory: {why(error)}", hint=hint(error)) from None


def frozen(memory: int, name: str) -> int:
    """A read-only descriptor of a file in memory that nobody can change from here on. Raises OperationError."""
    try:
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
    except OSError as error:
        raise OperationError(f"the memory that holds {name} cannot be sealed: {why(error)}", hint=hint(error)) from None
    return reopened(memory, name)


def from_memory(memory: int, name: str) -> Snapshot:
    """The bytes that somebody wrote into memory of ours, unchangeable from here on; their digest is not taken yet."""
    status = os.fstat(memory)
    return Snapshot(frozen(memory, name), identity_of(status), status.st_size, None, True, name)


def new_memory(name: str) -> int:
    """An empty file in memory that can be sealed, for whoever closes it. Raises OperationError."""
    label = os.fsencode(name)[:200].decode("ascii", "replace").replace("\0", "")
    for flags in (_MFD_NOEXEC_SEAL, 0):
        try:
            return os.memfd_create(label, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | flags)
        except OSError as error:
            if flags == 0:
                raise OperationError(f"no sealed memory for {name}: {why(error)}", hint=hint(error)) from None
    raise AssertionError("unreachable")


def reopened(fd: int, name: str) -> int:
    """The same file under a read-only descriptor with a position of its own."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise OperationError(f"no read-only descriptor for {name}: {why(error)}", hint=hint(error)) from None


def digest_at(directory: int, name: str) -> str | None:
    """The digest of the regular file of this name; None where there is nothing, "" where it is something else or is
    being written to. Raises OSError where it cannot be told."""
    try:
        fd = opening.open_beneath(directory, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
            return ""
        raise
    with OpenedFile(fd, opening.identity_of(os.fstat(fd)), name) as opened:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        try:
            return digest_of(opened)
        except ConflictError:
            return ""
        except InputError as error:
            raise OSError(errno.EIO, error.message) from None


def exists(directory: int, name: str) -> bool:
    """Whether there is anything of this name, a dangling link included."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
