"""The versions of an artifact: retained contents under `.model-console/history/<key>/`, told apart by their digest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from console.durable import write_all
from console.errors import BadInput, ConsoleError, Failed
from console.records import Version
from console.store import opening, sealed, syscalls
from console.store.journal import Journal, Operation
from console.store.own_files import HISTORY, OwnFiles, artifact_key, sync_directory
from console.store.sealed import SealedBytes

AS_FOUND = "as found"
FROM_OUTSIDE = "changed outside the console"


class Versions:
    """What the journal knows of one artifact: `entries` by version, the one promoted last standing last, and which is
    `current` as far as it knows. None of them is marked as current: what is in place is for the disk to say."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.entries: dict[int, Version] = {}
        self.current: Version | None = None
        self.last: Operation | None = None
        for one in operations:
            if one.old and one.old_version not in self.entries:
                found = (one.old_version, one.old, one.old_when, "", one.old_why, one.old_size)
                self.entries[one.old_version] = Version(*found, metrics=one.old_metrics)
            entry = Version(one.version, one.new, one.when, one.who, one.why, one.size, metrics=one.metrics)
            self.entries.pop(one.version, None)
            self.entries[one.version] = self.current = entry
            self.last = one

    def number_of(self, digest: str, *, after: int = 0) -> int:
        """The version of a content: its old number where it was there before, else the next free one."""
        if self.current is not None and self.current.digest == digest:
            return self.current.version
        for version, entry in self.entries.items():
            if entry.digest == digest:
                return version
        return max(after, *self.entries, 0) + 1

    def name_of(self, version: int) -> str:
        """The file that retains this version, in the artifact's history directory."""
        return file_name(version, self.entries[version].digest)


def file_name(version: int, digest: str) -> str:
    """The name of a retained content: its number and, so that it can be checked without a journal, its digest."""
    return f"{version}-{digest.removeprefix('sha256:')}"


def versions(root: Path, path: str, *, live_digest: str | None = None) -> tuple[Version, ...]:
    """Every version that can be promoted or is in place, newest number first. `live_digest` saves reading the file.

    A content in place that the console did not put there is told as such. Writes nothing. Raises BadInput, Failed.
    """
    with OwnFiles(root) as own:
        known = Versions(Journal(own).of(path))
        digest, size, when = _live(own, path, known, live_digest)
        kept = _kept(own, path)
        found: list[Version] = []
        current = known.number_of(digest) if digest else 0
        for number, entry in known.entries.items():
            if number == current or known.name_of(number) in kept:
                found.append(replace(entry, current=number == current))
        if digest and current not in known.entries:
            why = FROM_OUTSIDE if known.entries else AS_FOUND
            found.append(Version(current, digest, when, "", why, size, True))
    return tuple(sorted(found, key=lambda one: -one.version))


def _live(own: OwnFiles, path: str, known: Versions, digest: str | None) -> tuple[str, int, float]:
    """Digest, size and time of the content in place; an empty digest where there is none."""
    try:
        opened = opening.open_artifact(own.root_fd, path, empty_ok=True)
    except BadInput:
        return "", 0, 0.0
    with opened:
        identity = opened.identity
        if digest is None and known.last is not None:
            seen = (identity.device, identity.inode, identity.size, identity.modified_ns)
            digest = known.last.new if known.last.identity == seen else None
        return digest or sealed.digest_of(opened), identity.size, identity.modified_ns / 1e9


def _kept(own: OwnFiles, path: str) -> frozenset[str]:
    with ExitStack() as opened:
        try:
            directory = opened.enter_context(own.directory(HISTORY, artifact_key(path)))
        except OSError:
            return frozenset()
        return frozenset(os.listdir(directory))


def open_version(root: Path, path: str, version: int) -> SealedBytes:
    """The bytes of a retained version, checked against the digest it was retained under.

    Raises BadInput when there is no such version, Failed when somebody changed it.
    """
    with OwnFiles(root) as own:
        known = Versions(Journal(own).of(path))
        if version not in known.entries or known.name_of(version) not in _kept(own, path):
            raise BadInput(f"{path} has no retained version {version}", hint="`history` lists the versions there are")
        entry = known.entries[version]
        with own.directory(HISTORY, artifact_key(path)) as directory:
            return _checked(directory, known.name_of(version), f"version {version} of {path}", entry.digest)


def _checked(directory: int, name: str, words: str, digest: str) -> SealedBytes:
    try:
        opened = opening.open_artifact(directory, name)
    except ConsoleError as error:
        raise Failed(f"{words} cannot be read: {error.message}") from None
    with opened:
        content = sealed.seal(opened)
    content.name = words
    found = content.digest or sealed.digest_of(content)
    if found != digest:
        content.close()
        raise Failed(f"{words} was changed after it was retained: it is {found}, not {digest}")
    content.digest = digest
    return content


def previous(root: Path, path: str, live_digest: str | None = None) -> int:
    """The newest retained version older than the current one. Raises BadInput when there is none."""
    found = versions(root, path, live_digest=live_digest)
    current = next((one.version for one in found if one.current), 0)
    older = [one.version for one in found if not one.current and (not current or one.version < current)]
    if not older:
        raise BadInput(f"{path} has no older version to go back to")
    return older[0]


def retain(own: OwnFiles, directory: int, name: str, operation: Operation) -> None:
    """Keep the old content, which lies at `name` in `directory`, as its version; `name` stays. Raises OSError, Failed.

    A copy that shares blocks where the file system can; else a second name of the file when nobody else has one (the
    caller takes the first away), else a copy of the bytes.
    """
    kept, partial = file_name(operation.old_version, operation.old), f".{operation.op}.part"
    with own.directory(HISTORY, artifact_key(operation.path), create=True) as target:
        source = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
        try:
            if _holds(target, kept, operation.old):
                return
            if not _clone(source, target, partial) and not _link(source, directory, name, target, partial):
                copy_bytes(source, target, partial)
            if not _holds(target, partial, operation.old):
                raise Failed(f"{operation.path} was being written to while its old content was retained")
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
    with suppress(OSError, BadInput), own.directory(HISTORY, artifact_key(operation.path)) as directory:
        kept = file_name(operation.old_version, operation.old)
        with opening.open_artifact(directory, kept, empty_ok=True) as opened:
            os.fchmod(opened.fd, 0o444)


def unlink_shared(own: OwnFiles, directory: int, name: str, operation: Operation) -> None:
    """After an undone replacement: let go of a version that is the very file in place, not a copy, and of one that was
    being copied. Raises OSError."""
    if not operation.old:
        return
    with suppress(FileNotFoundError), own.directory(HISTORY, artifact_key(operation.path)) as target:
        with suppress(FileNotFoundError):
            os.unlink(f".{operation.op}.part", dir_fd=target)
        kept = file_name(operation.old_version, operation.old)
        live = os.stat(name, dir_fd=directory, follow_symlinks=False)
        mine = os.stat(kept, dir_fd=target, follow_symlinks=False)
        if os.path.samestat(live, mine):
            os.unlink(kept, dir_fd=target)


def _holds(directory: int, name: str, digest: str) -> bool:
    try:
        with opening.open_artifact(directory, name, empty_ok=True) as opened:
            return sealed.digest_of(opened) == digest
    except ConsoleError:
        return False


def _new(directory: int, name: str) -> int:
    _discard(directory, name)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(name, flags, 0o400, dir_fd=directory)


def _discard(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def _clone(source: int, directory: int, name: str) -> bool:
    fd = _new(directory, name)
    try:
        done = syscalls.clone(source, fd)
        if done:
            os.fsync(fd)
    finally:
        os.close(fd)
    if not done:
        _discard(directory, name)
    return done


def _link(source: int, directory: int, name: str, target: int, new: str) -> bool:
    status = os.fstat(source)
    if status.st_nlink != 1:
        return False
    try:
        os.link(name, new, src_dir_fd=directory, dst_dir_fd=target, follow_symlinks=False)
    except OSError:
        return False
    return os.stat(new, dir_fd=target, follow_symlinks=False).st_ino == status.st_ino


def copy_bytes(source: int, directory: int, name: str) -> None:
    """A durable copy of an open file under a new name, readable by its owner alone. Raises OSError."""
    fd = _new(directory, name)
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


def prune(own: OwnFiles, known: Versions, path: str, keep: int) -> tuple[int, ...]:
    """Let go of the versions promoted longest ago beyond `keep`, the current one counted and never taken."""
    kept = _kept(own, path)
    current = known.current.version if known.current else 0
    order = reversed(known.entries)
    retained = [version for version in order if version != current and known.name_of(version) in kept]
    surplus = tuple(retained[max(0, keep - 1) :])
    if not surplus:
        return ()
    with own.directory(HISTORY, artifact_key(path)) as directory:
        for version in surplus:
            _discard(directory, known.name_of(version))
    return surplus
