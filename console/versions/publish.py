"""The one function that puts bytes in place of bytes: atomic, durable, journalled, and never over a foreign change."""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from console.closing import closing_fd
from console.durable import umask, write_all
from console.errors import ConflictError, InputError, OperationError
from console.files import opening, snapshot
from console.files.opening import OpenedFile
from console.files.roots import owner_name
from console.files.snapshot import Snapshot, digest_at, exists
from console.files.state_dir import OwnFiles, artifact_lock
from console.locks import BusyError
from console.records import Version
from console.sharing import Share
from console.versions import history, retention, swap
from console.versions.history import AS_FOUND, FROM_OUTSIDE, Versions
from console.versions.journal import Journal
from console.versions.operations import Operation, calendar
from console.versions.recovery import identity_at, recover_path
from console.versions.swap import Site

_LOCK_WAIT = 30.0
_WHY_CAP = 4000
_WORDS = {
    errno.ENOSPC: "no space is left on its file system",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk reported an input/output error",
    errno.EROFS: "its file system is mounted read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOENT: "its directory is gone",
}


@dataclass(frozen=True, slots=True)
class Promotion:
    """Author and reason of a publication; `metrics` as measured for it, `replaced_metrics` for what it replaces.

    `keep` is how many versions are retained, the current one included.
    """

    who: str
    why: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    replaced_metrics: Mapping[str, float] = field(default_factory=dict)
    keep: int = 10


def publish(
    root: Path,
    path: str,
    content: Snapshot,
    promotion: Promotion,
    *,
    replaces: str | None,
    verify: Verify | None = None,
    mode: int | None = None,
    wait: float = _LOCK_WAIT,
) -> Version:
    """Put `content` in place of the artifact at `path`, which must hold the digest `replaces` (None: not exist yet).

    A new artifact gets the permissions `mode` (None: what the umask leaves), else they stay as they were.

    `verify(fd)` is called with a read-only descriptor of the finished temporary file and raises to stop the
    replacement. At any instant, and after a crash once `recover` ran, the artifact is wholly the old or wholly the new.
    Raises ConflictError when somebody else changed it, BusyError when another process is at it for `wait` seconds,
    OperationError when the system said no: then it is as it was.
    """
    with _begun(root, path, wait) as (own, journal):
        return _published(own, journal, path, content, promotion, replaces, verify, mode)


def rollback(
    root: Path,
    path: str,
    version: int | None,
    promotion: Promotion,
    *,
    verify: Verify | None = None,
    wait: float = _LOCK_WAIT,
) -> Version:
    """Promote a retained version again (None: the one before the current), with the metrics it had.

    What is in place now is replaced, whoever put it there, and retained. Raises InputError, and like `publish`.
    """
    with _begun(root, path, wait) as (own, journal):
        found = {one.version: one for one in history.listed(own, journal, path)}
        number = history.previous(found.values(), path) if version is None else version
        current = next((one for one in found.values() if one.current), None)
        if current is not None and current.version == number:
            raise InputError(f"version {number} of {path} is in place already")
        if number in found and not promotion.metrics:
            promotion = replace(promotion, metrics=found[number].metrics)
        with history.opened_version(own, journal, path, number) as content:
            replaces = current.digest if current else None
            return _published(own, journal, path, content, promotion, replaces, verify, None)


@contextmanager
def _begun(root: Path, path: str, wait: float) -> Iterator[tuple[OwnFiles, Journal]]:
    """The store's own files and its journal while this process alone replaces `path`, with what a crash left of it
    settled."""
    with _in_words(path), OwnFiles(root, create=True) as own, artifact_lock(own, path, wait=wait):
        try:
            journal = Journal(own)
            recover_path(own, journal, path)
            yield own, journal
        except BusyError as error:
            raise OperationError(f"{path} was not replaced: {error.message}", hint=error.hint) from None


def _published(
    own: OwnFiles,
    journal: Journal,
    path: str,
    content: Snapshot,
    promotion: Promotion,
    replaces: str | None,
    verify: Verify | None,
    mode: int | None,
) -> Version:
    with closing_fd(own.parent_of(path)) as directory, _current(directory, path, replaces) as old:
        operation = _plan(path, content, promotion, history.known(own, journal, path), replaces, old)
        site = Site(own, directory, os.path.basename(path), operation)
        done = _replace(site, journal, content, old, verify, mode)
    with suppress(OSError):
        history.prune(own, history.known(own, journal, path), path, promotion.keep)
    return Version(
        done.version, done.new, done.when, done.who, done.why, done.size, current=True, metrics=dict(done.metrics)
    )


@contextmanager
def _in_words(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        words = _WORDS.get(error.errno or 0, error.strerror or str(error))
        raise OperationError(f"{path} was not replaced: {words}", hint="the artifact is as it was before") from None


@contextmanager
def _current(directory: int, path: str, replaces: str | None) -> Iterator[OpenedFile | None]:
    """The artifact that is to be replaced, open and known to hold what the caller believes. Raises ConflictError."""
    name = os.path.basename(path)
    if replaces is None:
        if exists(directory, name):
            raise ConflictError(f"{path} exists already; nothing was replaced")
        yield None
        return
    try:
        opened = opening.open_artifact(directory, name, empty_ok=True)
    except InputError as error:
        raise ConflictError(f"{path} cannot be replaced: {error.message}") from None
    with opened:
        if snapshot.digest_of(opened) != replaces:
            raise ConflictError(
                f"{path} is no longer what the candidate was compared with; nothing was replaced",
                hint="look at what is there now, then decide again",
            )
        yield opened


def _plan(
    path: str,
    content: Snapshot,
    promotion: Promotion,
    known: Versions,
    replaces: str | None,
    old: OpenedFile | None,
) -> Operation:
    digest = content.digest or snapshot.digest_of(content)
    if digest == replaces:
        raise OperationError(f"{path} holds exactly this content already; nothing to replace")
    old_version = known.number_of(replaces) if replaces else 0
    name = uuid.uuid4().hex[:16]
    return Operation(
        op=name,
        path=path,
        tmp=f".mc-{name}.tmp",
        new=digest,
        old=replaces or "",
        version=known.number_of(digest, after=old_version),
        old_version=old_version,
        when=calendar(time.time()),
        who=promotion.who,
        why=promotion.why[:_WHY_CAP],
        size=content.size,
        old_size=old.identity.size if old else 0,
        old_when=calendar(old.identity.modified_ns / 1e9) if old else 0.0,
        old_who=owner_name(os.fstat(old.fd).st_uid) if old else "",
        old_why=FROM_OUTSIDE if known.entries else AS_FOUND,
        metrics=dict(promotion.metrics),
        old_metrics=dict(promotion.replaced_metrics),
    )


def _replace(
    site: Site,
    journal: Journal,
    content: Snapshot,
    old: OpenedFile | None,
    verify: Verify | None,
    mode: int | None,
) -> Operation:
    operation = journal.append(site.operation, "intent")
    try:
        stage(site, content, old, verify, mode)
        operation = journal.append(operation, "staged")
        swap.swap_in(site, old)
        try:
            operation = journal.append(operation, "committed", identity=identity_at(site))
        except BaseException:
            swap.take_back(site, old)
            raise
    except swap.Unsettled:
        raise
    except BaseException as error:
        _abort(site, journal, operation, "conflict" if isinstance(error, ConflictError) else "aborted")
        raise
    with suppress(OSError, OperationError):
        retention.settle(site.own, operation)
        swap.discard(site.directory, site.tmp)
        journal.append(operation, "done", durable=False)
    return operation


def _abort(site: Site, journal: Journal, operation: Operation, state: str) -> None:
    """Leave nothing behind; what cannot be cleaned up now is settled by the next recovery."""
    with suppress(OSError, OperationError):
        retention.discard_partial(site.own, operation)
        if operation.state == "intent" or digest_at(site.directory, site.tmp) in (None, operation.new):
            swap.discard(site.directory, site.tmp)
            journal.append(operation, state)


Verify = Callable[[int], None]
_CHUNK = 2**20


def stage(site: Site, content: Snapshot, old: OpenedFile | None, verify: Verify | None, mode: int | None) -> None:
    """Write the temporary file, have it verified and make it durable. Raises what `verify` raises, OSError,
    OperationError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with closing_fd(os.open(site.tmp, flags, 0o600, dir_fd=site.directory)) as fd:
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


def _write(fd: int, content: Snapshot) -> None:
    offset = 0
    while offset < content.size:
        part = os.pread(content.fd, min(_CHUNK, content.size - offset), offset)
        if not part:
            break
        write_all(fd, part)
        offset += len(part)


def _verified(fd: int, verify: Verify) -> None:
    with closing_fd(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)) as readable:
        verify(readable)


def _digest_written(fd: int) -> str:
    """The digest of everything in an open file of ours."""
    return snapshot.digest_of(OpenedFile(fd, opening.identity_of(os.fstat(fd)), "the temporary file"))
