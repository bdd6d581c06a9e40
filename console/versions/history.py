"""The versions of an artifact: retained contents under `.model-console/history/<key>/`, told apart by their digest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from console.closing import closing_fd
from console.config import STORE_DIR
from console.errors import ConsoleError, InputError, OperationError
from console.files import opening, snapshot
from console.files.roots import owner_name
from console.files.snapshot import Snapshot, digest_at
from console.files.state_dir import HISTORY, OwnFiles, artifact_key
from console.os_errors import hint, why
from console.records import FileIdentity, Version
from console.versions import retention
from console.versions.journal import Journal
from console.versions.operations import Operation
from console.versions.retention import file_name

AS_FOUND = "as found"
FROM_OUTSIDE = "changed outside the console"


class Versions:
    """History of one artifact: `entries` by version, the one promoted last standing last, and which is `current`
    as far as the journal knows. None of them is marked as current: what is in place is for the disk to say.

    `unrecorded` are retained contents that the journal does not tell of.
    """

    def __init__(self, operations: Iterable[Operation], unrecorded: Iterable[Version] = ()) -> None:
        self.entries: dict[int, Version] = {}
        self.current: Version | None = None
        self.last: Operation | None = None
        for one in operations:
            if one.old and one.old_version not in self.entries:
                found = (one.old_version, one.old, one.old_when, one.old_who, one.old_why, one.old_size)
                self.entries[one.old_version] = Version(*found, metrics=one.old_metrics)
            entry = Version(one.version, one.new, one.when, one.who, one.why, one.size, metrics=one.metrics)
            self.entries.pop(one.version, None)
            self.entries[one.version] = self.current = entry
            self.last = one
        lost = {one.version: one for one in unrecorded if one.version not in self.entries}
        self.entries = {**lost, **self.entries}

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


def known(own: OwnFiles, journal: Journal, path: str) -> Versions:
    """The versions of an artifact, what a crash left open counted as `recover` will settle it. Raises OSError."""
    cut_off = [one for one in journal.unfinished() if one.path == path and one.state == "staged"]
    operations = (*journal.of(path), *(one for one in cut_off if took_effect(own, one)))
    numbers = {number for one in operations for number in (one.version, one.old_version)}
    return Versions(operations, retention.unrecorded(own, path, numbers))


def versions(root: Path, path: str, *, live_digest: str | None = None) -> tuple[Version, ...]:
    """Every version that can be promoted or is in place, newest number first. `live_digest` saves reading the file.

    A content in place that the console did not put there is told as such. Writes nothing. Raises InputError,
    OperationError.
    """
    with OwnFiles(root) as own:
        return listed(own, Journal(own), path, live_digest)


def listed(own: OwnFiles, journal: Journal, path: str, live_digest: str | None = None) -> tuple[Version, ...]:
    """The same, for who has the journal open."""
    try:
        there = known(own, journal, path)
        kept = retention.names(own, path)
    except OSError as error:
        raise OperationError(f"the history of {path} cannot be read: {why(error)}", hint=hint(error)) from None
    live = _live(own, path, there, live_digest)
    found: list[Version] = []
    current = there.number_of(live.digest) if live is not None else 0
    for number, entry in there.entries.items():
        if number == current and live is not None and entry.why == retention.UNRECORDED:
            entry = replace(live, version=number)
        if number == current or there.name_of(number) in kept or displaced(own, journal, path, entry.digest):
            found.append(replace(entry, current=number == current))
    if live is not None and current not in there.entries:
        found.append(replace(live, version=current, current=True))
    return tuple(sorted(found, key=lambda one: -one.version))


def _live(own: OwnFiles, path: str, known: Versions, digest: str | None) -> Version | None:
    """The content in place as the file itself tells of it, without a number; None where there is none."""
    try:
        opened = opening.open_artifact(own.root_fd, path, empty_ok=True)
    except InputError:
        return None
    with opened:
        identity = opened.identity
        if digest is None and known.last is not None:
            digest = known.last.new if known.last.identity == identity[:-1] else None
        why = FROM_OUTSIDE if known.entries else AS_FOUND
        who = owner_name(os.fstat(opened.fd).st_uid)
        digest = digest or snapshot.digest_of(opened)
        return Version(0, digest, identity.modified_ns / 1e9, who, why, identity.size)


def open_version(root: Path, path: str, version: int) -> Snapshot:
    """The content of a retained version, sealed and checked against its digest; the caller closes it.

    Raises InputError where there is none, OperationError where it was changed since.
    """
    with OwnFiles(root) as own:
        return opened_version(own, Journal(own), path, version)


def opened_version(own: OwnFiles, journal: Journal, path: str, version: int) -> Snapshot:
    """The same, for who has the journal open."""
    words = f"version {version} of {path}"
    try:
        there = known(own, journal, path)
        entry = there.entries.get(version)
        if entry is not None and there.name_of(version) in retention.names(own, path):
            with own.directory(HISTORY, artifact_key(path)) as directory:
                return _checked(directory, there.name_of(version), words, entry.digest)
        lying = displaced(own, journal, path, entry.digest) if entry is not None else None
        if entry is not None and lying is not None:
            return _checked(own.root_fd, lying, words, entry.digest)
    except OSError as error:
        raise OperationError(f"{words} cannot be read: {why(error)}", hint=hint(error)) from None
    raise InputError(f"{path} has no retained version {version}", hint="`history` lists the versions there are")


def _checked(directory: int, name: str, words: str, digest: str) -> Snapshot:
    try:
        opened = opening.open_artifact(directory, name)
    except ConsoleError as error:
        raise OperationError(f"{words} cannot be read: {error.message}") from None
    with opened:
        content = snapshot.seal(opened)
    content.name = words
    found = content.digest or snapshot.digest_of(content)
    if found != digest:
        content.close()
        raise OperationError(f"{words} was changed after it was retained: it is {found}, not {digest}")
    content.digest = digest
    return content


def previous(found: Iterable[Version], path: str) -> int:
    """The newest version older than the current one, of those listed. Raises InputError when there is none."""
    found = tuple(found)
    current = next((one.version for one in found if one.current), 0)
    older = [one.version for one in found if not one.current and (not current or one.version < current)]
    if not older:
        raise InputError(f"{path} has no older version to go back to")
    return older[0]


def prune(own: OwnFiles, known: Versions, path: str, keep: int) -> tuple[int, ...]:
    """Let go of the versions promoted longest ago beyond `keep`, the current one counted and never taken.

    Raises OSError.
    """
    kept = retention.names(own, path)
    current = known.current.version if known.current else 0
    order = reversed(known.entries)
    there = [version for version in order if version != current and known.name_of(version) in kept]
    surplus = tuple(there[max(0, keep - 1) :])
    if not surplus:
        return ()
    with own.directory(HISTORY, artifact_key(path)) as directory:
        for version in surplus:
            with suppress(FileNotFoundError):
                os.unlink(known.name_of(version), dir_fd=directory)
    return surplus


def took_effect(own: OwnFiles, operation: Operation) -> bool:
    """Whether the new content was put in place, by what lies there: the old one under the temporary name proves it,
    whatever somebody did to the artifact afterwards."""
    try:
        directory = own.parent_of(operation.path)
    except OSError:
        return False
    with closing_fd(directory):
        lying = _digest(directory, operation.tmp)
        if operation.old and lying == operation.old:
            return True
        in_place = _digest(directory, os.path.basename(operation.path))
        return in_place == operation.new and lying in (None, "", operation.new)


def displaced(own: OwnFiles, journal: Journal, path: str, digest: str) -> str | None:
    """Where in the store a content lies that was replaced and not yet moved to the history."""
    for one in journal.unfinished():
        if one.path == path and one.state == "staged" and one.old == digest:
            place = os.path.join(os.path.dirname(path), one.tmp)
            if _digest(own.root_fd, place) == digest:
                return place
    return None


def _digest(directory: int, name: str) -> str | None:
    """The digest of a file; None where there is none, "" where it cannot be read."""
    try:
        return digest_at(directory, name)
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A retained version, and since when it stood in place."""

    version: int
    digest: str
    when: float


def replaced_by_console(root: Path, path: str, identity: FileIdentity | None) -> Replaced | None:
    """The artifact at `path` before, if the file there is still the one the console put there last; reads no artifact.

    Raises InputError, OperationError where the journal cannot be read.
    """
    if identity is None or not (root / STORE_DIR).is_dir():
        return None
    with OwnFiles(root) as own:
        known = Versions(Journal(own).of(path))
    last = known.last
    if last is None or not last.old or last.identity != identity[:-1]:
        return None
    return Replaced(last.old_version, last.old, known.entries[last.old_version].when)
