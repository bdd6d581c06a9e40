"""The temporary file of a replacement: written beside the artifact, verified, and on the disk before it is used."""

from __future__ import annotations

import os
from collections.abc import Callable

from console.durable import umask, write_all
from console.errors import OperationError
from console.files import opening, snapshot
from console.files.opening import OpenedFile
from console.files.snapshot import Snapshot
from console.sharing import Share
from console.versions import swap
from console.versions.swap import Site

Verify = Callable[[int], None]
_CHUNK = 2**20


def stage(site: Site, content: Snapshot, old: OpenedFile | None, verify: Verify | None, mode: int | None) -> None:
    """Write the temporary file, have it verified and make it durable. Raises what `verify` raises, OSError,
    OperationError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(site.tmp, flags, 0o600, dir_fd=site.directory)
    try:
        _write(fd, content)
        if verify is not None:
            _verified(fd, verify)
        if _digest_written(fd) != site.operation.new:
            raise OperationError(
                f"{site.operation.path} was not replaced: the bytes written are not those of the candidate"
            )
        if old is None:
            Share.of(site.directory).adopt(fd)
            os.fchmod(fd, 0o666 & ~umask() if mode is None else mode)
        else:
            swap.copy_attributes(old.fd, fd, site.operation.path)
        os.fsync(fd)
    finally:
        os.close(fd)


def _write(fd: int, content: Snapshot) -> None:
    offset = 0
    while offset < content.size:
        part = os.pread(content.fd, min(_CHUNK, content.size - offset), offset)
        if not part:
            break
        write_all(fd, part)
        offset += len(part)


def _verified(fd: int, verify: Verify) -> None:
    readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        verify(readable)
    finally:
        os.close(readable)


def _digest_written(fd: int) -> str:
    """The digest of everything in an open file of ours."""
    return snapshot.digest_of(OpenedFile(fd, opening.identity_of(os.fstat(fd)), "the temporary file"))
