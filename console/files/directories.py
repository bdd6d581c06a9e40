"""Artifacts that are directories: their row, their members opened beneath the store, one digest over a manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from backends.core.directories import beneath, format_of, members_of
from backends.core.errors import Unsupported
from console.errors import ConflictError, InputError
from console.files import opening, snapshot
from console.files.opening import Holder, OpenedFile, open_artifact
from console.records import Artifact, FileIdentity

MOST_MEMBERS = 240
"""Files of one artifact: so many descriptors fit into one message to a child."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(slots=True)
class OpenedDirectory(Holder):
    """An open artifact that is a directory: `fd` is its own, `members` its files by their names in it."""

    fd: int
    identity: FileIdentity
    name: str
    members: dict[str, OpenedFile] = field(default_factory=dict)

    def __enter__(self) -> OpenedDirectory:
        return self

    def close(self) -> None:
        """Give the descriptors back; a second call does nothing."""
        for member in self.members.values():
            member.close()
        Holder.close(self)


def refuse_to_load_directory(root: Path, path: str) -> None:
    """Raise InputError where the artifact at `path` is a directory of a format that nothing is loaded from: why, and
    what to do."""
    try:
        found, members = format_of(os.listdir(root / path), beneath(root / path))
    except (OSError, Unsupported):
        return
    if found.packed is None or not found.packed(members):
        raise InputError(f"{path} can be inspected but not run: {found.not_loadable}")


def members_at(place: str | Path, names: Collection[str]) -> tuple[str, ...]:
    """The members of the directory at `place`, which has entries of these `names`, by their paths in it; none where it
    is no artifact."""
    return members_of(names, beneath(place))


def row_of_directory(place: str | Path, path: str, members: Collection[str]) -> Artifact | None:
    """The row of the directory at `place`, which has these `members`; None where it has none.

    A member that vanishes meanwhile is left out. Raises OSError for the directory itself.
    """
    if not members:
        return None
    found: dict[str, os.stat_result] = {}
    for name in members:
        with suppress(FileNotFoundError, NotADirectoryError):
            found[name] = os.lstat(os.path.join(place, name))
    identity = identity_of_members(os.lstat(place), found)
    times = (status.st_mtime for status in found.values())
    problem = _problem(found)
    return Artifact(path, identity.size, max(times, default=0.0), identity, problem=problem, members=len(members))


def open_directory(root: Path, path: str) -> OpenedDirectory:
    """Open the artifact that is the directory at `path` beneath the store's root, and its members, following no link.

    Raises InputError with one sentence for what is none, and for a member that cannot be read.
    """
    base = opening.open_root(root)
    try:
        opened = OpenedDirectory(opening.open_beneath(base, path, _DIRECTORY), _NO_IDENTITY, path)
    except OSError as error:
        raise opening.cannot_read(path, error) from None
    finally:
        os.close(base)
    try:
        _open_members(opened)
    except BaseException:
        opened.close()
        raise
    return opened


def digest_of_directory(opened: OpenedDirectory) -> str:
    """`sha256:…` of the manifest: a line with digest, size and name of each member, in order of their names.

    Raises ConflictError when a member, or which there are, changed meanwhile, InputError when one cannot be read.
    """
    manifest = hashlib.sha256()
    for name, member in sorted(opened.members.items()):
        line = f"{snapshot.digest_of(member)} {member.identity.size} ".encode()
        manifest.update(line + os.fsencode(name) + b"\0")
    statuses = {name: os.fstat(member.fd) for name, member in opened.members.items()}
    same = identity_of_members(os.fstat(opened.fd), statuses) == opened.identity
    if not same or set(_members_in(opened.fd)) != set(opened.members):
        raise ConflictError(f"{opened.name} changed while it was being read", hint="try again when it is at rest")
    return f"sha256:{manifest.hexdigest()}"


def artifact_digest(root: Path, path: str) -> str:
    """The digest of the artifact at `path` beneath the store's root: a file, one that a link leads to, a directory.

    Raises InputError, ConflictError.
    """
    if (root / path).is_dir():
        with open_directory(root, path) as whole:
            return digest_of_directory(whole)
    with open_artifact(root, path, links=True) as opened:
        return snapshot.digest_of(opened)


_LARGEST = 2**63 - 1
_NO_IDENTITY = FileIdentity(0, 0, 0, 0, 0)


def _members_in(fd: int) -> tuple[str, ...]:
    return members_of(os.listdir(fd), beneath(fd))


def _open_members(opened: OpenedDirectory) -> None:
    members = _members_in(opened.fd)
    if not members:
        raise InputError(f"{opened.name} is a directory, and no artifact", hint="name one artifact in it")
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{opened.name} {_too_many(len(members))}")
    for name in members:
        try:
            member = opened.members[name] = open_artifact(opened.fd, name)
            member.name = f"{opened.name}/{name}"
        except InputError as error:
            raise InputError(f"{opened.name}/{error.message}", hint=error.hint) from None
    statuses = {name: os.fstat(member.fd) for name, member in opened.members.items()}
    opened.identity = identity_of_members(os.fstat(opened.fd), statuses)


def identity_of_members(directory: os.stat_result, members: Mapping[str, os.stat_result]) -> FileIdentity:
    """One identity of all members, for whose inode stands a digest of theirs and their names."""
    hasher = hashlib.blake2b(directory.st_ino.to_bytes(8, "little"), digest_size=8)
    for name, status in sorted(members.items()):
        known = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        hasher.update(os.fsencode(name) + f"\0{known}".encode())
    statuses = members.values()
    return FileIdentity(
        directory.st_dev,
        int.from_bytes(hasher.digest(), "little"),
        min(sum(status.st_size for status in statuses), _LARGEST),
        max((status.st_mtime_ns for status in statuses), default=0),
        max((status.st_ctime_ns for status in statuses), default=0),
    )


def _problem(members: Mapping[str, os.stat_result]) -> str | None:
    if len(members) > MOST_MEMBERS:
        return _too_many(len(members))
    found = ((name, opening.problem_of(status, name)) for name, status in members.items())
    return next((f"holds {name}, which {problem}" for name, problem in found if problem), None)


def _too_many(count: int) -> str:
    return f"has {count:,} files, and an artifact that is a directory has at most {MOST_MEMBERS}"
