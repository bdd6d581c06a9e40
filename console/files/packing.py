"""A directory that is one artifact as bytes to load: an archive of its members in sealed memory, stored as they are."""

from __future__ import annotations

import os
import zipfile

from console.closing import closing_fd
from console.errors import ConflictError, InputError
from console.files.directories import OpenedDirectory, digest_of_directory
from console.files.snapshot import Snapshot, frozen, new_memory

MOST_BYTES = 1 << 30
"""Members of one artifact together, in bytes: all of them are held in memory while it is loaded."""
_CHUNK = 1 << 20


def packed(opened: OpenedDirectory) -> Snapshot:
    """The members of an opened artifact, frozen; the digest is that of the directory.

    Raises InputError for one that is too large, ConflictError where a member changes meanwhile, OperationError.
    """
    if opened.identity.size > MOST_BYTES:
        told = f"{opened.identity.size >> 20:,} MB"
        raise InputError(f"{opened.name} has {told}, and a directory of at most {MOST_BYTES >> 20:,} MB is run")
    with closing_fd(new_memory(os.path.basename(opened.name))) as memory:
        with os.fdopen(os.dup(memory), "w+b") as file, zipfile.ZipFile(file, "w") as archive:
            for name, member in sorted(opened.members.items()):
                _add(archive, name, member.fd, member.identity.size, opened.name)
        digest = digest_of_directory(opened)
        size = os.fstat(memory).st_size
        return Snapshot(frozen(memory, opened.name), opened.identity, size, digest, True, opened.name)


def _add(archive: zipfile.ZipFile, name: str, fd: int, size: int, whole: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{whole} holds a file whose name is no text, so it is not run") from None
    with archive.open(zipfile.ZipInfo(name), "w") as into:
        at = 0
        while at < size:
            data = os.pread(fd, min(_CHUNK, size - at), at)
            if not data:
                raise ConflictError(f"{whole} shrank while it was being read", hint="try again when it is at rest")
            into.write(data)
            at += len(data)
