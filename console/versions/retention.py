"""Retaining what a replacement takes the place of: beside the history's other files, whole, durable and unwritable."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Container, Iterator
from contextlib import suppress

from console.closing import closing_fd
from console.durable import sync_directory, write_all
from console.errors import ConsoleError, InputError, OperationError
from console.files import opening, snapshot, syscalls
from console.files.roots import owner_name
from console.files.state_dir import HISTORY, OwnFiles, artifact_key
from console.records import Version
from console.sharing import Share
from console.versions.operations import Operation

UNRECORDED = "its record was lost"
_NAME = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{64})")


def file_name(version: int, digest: str) -> str:
    """The name of a retained content: its number and, so that it can be checked without a journal, its digest."""
    return f"{version}-{digest.removeprefix('sha256:')}"


def names(own: OwnFiles, path: str) -> set[str]:
    """The names in the history directory of an artifact. Raises OSError where it cannot be listed."""
    with suppress(FileNotFoundError), own.directory(HISTORY, artifact_key(path)) as directory:
        return set(os.listdir(directory))
    return set()


def unrecorded(own: OwnFiles, path: str, known: Container[int]) -> Iterator[Version]:
    """The retained contents whose number is not among the `known`, by number: a journal can be damaged or lost."""
    found = sorted((int(match[1]), match[2]) for name in names(own, path) if (match := _NAME.fullmatch(name)))
    for version, digest in found:
        if version in known:
            continue
        with suppress(OSError), own.directory(HISTORY, artifact_key(path)) as directory:
            status = os.stat(file_name(version, digest), dir_fd=directory, follow_symlinks=False)
            who = owner_name(status.st_uid)
            yield Version(version, f"sha256:{digest}", status.st_mtime, who, UNRECORDED, status.st_size)


def retain(own: OwnFiles, directory: int, name: str, operation: Operation) -> None:
    """Keep the old content, which lies at `name` in `directory`, as its version; `name` stays. Raises OSError,
    OperationError.

    A copy that shares blocks where the file system can; else a second name of the file when it is this user's and
    nobody else has one (the caller takes the first away), else a copy of the bytes. It is never writable, and may be
    read by whom the file may be.
    """
    kept, partial = file_name(operation.old_version, operation.old), _partial(operation)
    with own.directory(HISTORY, artifact_key(operation.path), create=True) as target:
        source = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
        try:
            if _holds(target, kept, operation.old):
                return
            if not _clone(source, target, partial) and not _link(source, directory, name, target, partial):
                copy_bytes(source, target, partial)
            if not _holds(target, partial, operation.old):
                raise OperationError(f"{operation.path} was being written to while its old content was retained")
            os.rename(partial, kept, src_dir_fd=target, dst_dir_fd=target)
            sync_directory(target)
        except BaseException:
            with suppress(OSError):
                _discard(target, partial)
            raise
        finally:
            os.close(source)


def settle(own: OwnFiles, operation: Operation) -> None:
    """The replacement is certain: nobody may write to the retained content any more."""
    with suppress(OSError, InputError), own.directory(HISTORY, artifact_key(operation.path)) as directory:
        kept = file_name(operation.old_version, operation.old)
        with opening.open_artifact(directory, kept, empty_ok=True) as opened:
            os.fchmod(opened.fd, stat.S_IMODE(os.fstat(opened.fd).st_mode) & 0o444)


def discard_partial(own: OwnFiles, operation: Operation) -> None:
    """Let go of what a retaining that was cut off left. Raises OSError."""
    with suppress(FileNotFoundError), own.directory(HISTORY, artifact_key(operation.path)) as target:
        os.unlink(_partial(operation), dir_fd=target)


def unlink_shared(own: OwnFiles, directory: int, name: str, operation: Operation) -> None:
    """After an undone replacement: let go of a version that is the very file in place, not a copy. Raises OSError."""
    discard_partial(own, operation)
    if not operation.old:
        return
    kept = file_name(operation.old_version, operation.old)
    with suppress(FileNotFoundError), own.directory(HISTORY, artifact_key(operation.path)) as target:
        live = os.stat(name, dir_fd=directory, follow_symlinks=False)
        mine = os.stat(kept, dir_fd=target, follow_symlinks=False)
        if os.path.samestat(live, mine):
            os.unlink(kept, dir_fd=target)


def _partial(operation: Operation) -> str:
    return f".{operation.op}.part"


def _holds(directory: int, name: str, digest: str) -> bool:
    try:
        with opening.open_artifact(directory, name, empty_ok=True) as opened:
            return snapshot.digest_of(opened) == digest
    except ConsoleError:
        return False


def _new(source: int, directory: int, name: str) -> int:
    """A new file to copy an open one into, for whom that is there, and nobody to write to."""
    _discard(directory, name)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(name, flags, 0o400, dir_fd=directory)
    try:
        status = os.fstat(source)
        like = Share(status.st_uid, status.st_gid, 0)
        like.give(fd, stat.S_IMODE(status.st_mode) & 0o444 | 0o400)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _discard(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _clone(source: int, directory: int, name: str) -> bool:
    with closing_fd(_new(source, directory, name)) as fd:
        done = syscalls.clone(source, fd)
        if done:
            os.fsync(fd)
    if not done:
        _discard(directory, name)
    return done


def _link(source: int, directory: int, name: str, target: int, new: str) -> bool:
    status = os.fstat(source)
    if status.st_nlink != 1 or status.st_uid != os.geteuid() != 0:
        return False
    try:
        os.link(name, new, src_dir_fd=directory, dst_dir_fd=target, follow_symlinks=False)
    except OSError:
        return False
    return os.stat(new, dir_fd=target, follow_symlinks=False).st_ino == status.st_ino


def copy_bytes(source: int, directory: int, name: str) -> None:
    """A durable copy of an open file under a new name, which nobody may write to. Raises OSError."""
    fd = _new(source, directory, name)
    try:
        offset = 0
        while part := os.pread(source, 2**20, offset):
            write_all(fd, part)
            offset += len(part)
        os.fsync(fd)
    except BaseException:
        _discard(directory, name)
        raise
    finally:
        os.close(fd)
