"""Putting a finished temporary file in place of an artifact, and taking it back, so that nobody's change is lost."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from console.closing import closing_fd
from console.durable import sync_directory
from console.errors import ConflictError, OperationError
from console.files import syscalls
from console.files.name_watch import NameWatch
from console.files.opening import OpenedFile, is_still
from console.files.snapshot import digest_at, exists
from console.files.state_dir import CONFLICTS, OwnFiles
from console.locks import locked
from console.os_errors import unmapped_owner, why
from console.versions import retention
from console.versions.operations import Operation

_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_NAME_BYTES = 255
_LOCK_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Site:
    """Place of an operation: the artifact's directory and its name there."""

    own: OwnFiles
    directory: int
    name: str
    operation: Operation

    @property
    def tmp(self) -> str:
        """The name of the temporary file, in the same directory."""
        return self.operation.tmp

    def conflict(self) -> ConflictError:
        """The error for a file that somebody else changed first."""
        return ConflictError(
            f"{self.operation.path} was changed by somebody else in the meantime; their content stays in place",
            hint="look at what is there now, then decide again",
        )


class Unsettled(OperationError):
    """A replacement stopped half way and could not be taken back; recovery settles it."""

    code = "unsettled"


def discard(directory: int, name: str) -> None:
    """Take a name away; nothing happens where it is gone already. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def swap_in(site: Site, old: OpenedFile | None) -> None:
    """Put the temporary file in place and retain the old content as its version; all of it durable.

    The old content keeps lying at the temporary name where the file system can exchange names. Raises ConflictError
    with the other's content in place, OSError with the old content in place.
    """
    try:
        if old is None:
            _put_first(site)
        elif not _exchanged(site):
            _put_over(site, old)
        elif digest_at(site.directory, site.tmp) != site.operation.old:
            raise site.conflict()
        else:
            retention.retain(site.own, site.directory, site.tmp, site.operation)
        sync_directory(site.directory)
    except BaseException:
        take_back(site, old)
        raise


def take_back(site: Site, old: OpenedFile | None) -> None:
    """Undo `swap_in` as far as it went. What somebody else put in place of ours meanwhile stays. Raises Unsettled."""
    try:
        _take_back(site, old)
    except OSError as error:
        raise Unsettled(
            f"replacing {site.operation.path} stopped half way: {why(error)}",
            hint="nothing is lost; it is finished or undone as soon as the store can be written again",
        ) from None


def _take_back(site: Site, old: OpenedFile | None) -> None:
    if digest_at(site.directory, site.name) == site.operation.new:
        if exists(site.directory, site.tmp):
            swap_back(site)
        elif old is None:
            os.rename(site.name, site.tmp, src_dir_fd=site.directory, dst_dir_fd=site.directory)
        else:
            _restore(site, old)
    retention.unlink_shared(site.own, site.directory, site.name, site.operation)
    sync_directory(site.directory)


def swap_back(site: Site) -> None:
    """Exchange again; where ours was replaced in that very moment, the newest stays and the other is set aside."""
    syscalls.rename_at(site.directory, site.tmp, site.name, syscalls.RENAME_EXCHANGE)
    if digest_at(site.directory, site.tmp) != site.operation.new:
        syscalls.rename_at(site.directory, site.tmp, site.name, syscalls.RENAME_EXCHANGE)
        set_aside(site)


def set_aside(site: Site) -> None:
    """Keep what lies at the temporary name in `conflicts/`, since it is somebody's. Raises OSError.

    What is no file and lies on another file system than the store's own files stays where it is, under another name.
    """
    kept = os.fsdecode(os.fsencode(f"{site.operation.op}-{site.name}")[:_NAME_BYTES])
    with site.own.directory(CONFLICTS, create=True) as target:
        try:
            os.rename(site.tmp, kept, src_dir_fd=site.directory, dst_dir_fd=target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _move_far(site, kept, target)
        sync_directory(target)


def _move_far(site: Site, kept: str, target: int) -> None:
    status = os.stat(site.tmp, dir_fd=site.directory, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        aside = f".mc-{site.operation.op}.conflict"
        os.rename(site.tmp, aside, src_dir_fd=site.directory, dst_dir_fd=site.directory)
        return
    with closing_fd(
        os.open(site.tmp, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=site.directory)
    ) as source:
        retention.copy_bytes(source, target, kept)
    discard(site.directory, site.tmp)


def _exchanged(site: Site) -> bool:
    """Swap the two names; False where the file system cannot. Raises ConflictError when the artifact is gone."""
    try:
        syscalls.rename_at(site.directory, site.tmp, site.name, syscalls.RENAME_EXCHANGE)
    except FileNotFoundError:
        raise site.conflict() from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def _put_first(site: Site) -> None:
    try:
        syscalls.rename_at(site.directory, site.tmp, site.name, syscalls.RENAME_NOREPLACE)
    except FileExistsError:
        raise site.conflict() from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _link_first(site)


def _link_first(site: Site) -> None:
    try:
        os.link(site.tmp, site.name, src_dir_fd=site.directory, dst_dir_fd=site.directory, follow_symlinks=False)
    except FileExistsError:
        raise site.conflict() from None
    os.unlink(site.tmp, dir_fd=site.directory)


def _put_over(site: Site, old: OpenedFile) -> None:
    """Rename over the artifact, for file systems without exchange: its content is retained before, checked after.

    A file that somebody renamed to the same name in between cannot be brought back, but is told. Who holds the lock of
    the directory meanwhile, which this does, prevents that.
    """
    retention.retain(site.own, site.directory, site.name, site.operation)
    _lock_directory(site)
    with NameWatch(site.directory, site.name) as watch:
        if not is_still(os.stat(site.name, dir_fd=site.directory, follow_symlinks=False), old):
            raise site.conflict()
        os.rename(site.tmp, site.name, src_dir_fd=site.directory, dst_dir_fd=site.directory)
        if watch.touched_before(site.tmp):
            raise ConflictError(
                f"somebody else put another file in place of {site.operation.path} in the very moment it was replaced, "
                "and this file system kept only one of them: theirs is lost, what was there before is back",
                hint="put their file there again; `flock DIRECTORY mv NEW ARTIFACT` waits for its turn",
            )
    if not is_still(os.fstat(old.fd), old):
        raise site.conflict()


def _lock_directory(site: Site) -> None:
    """Hold the lock of the artifact's directory until that is closed, where the file system has such locks."""
    try:
        with locked(site.directory, f"the directory of {site.operation.path}", wait=_LOCK_WAIT):
            pass
    except OSError:
        return


def _restore(site: Site, old: OpenedFile) -> None:
    """Put the content of the replaced file, which is open still, back in place."""
    retention.copy_bytes(old.fd, site.directory, site.tmp)
    with closing_fd(os.open(site.tmp, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=site.directory)) as fd:
        copy_attributes(old.fd, fd, site.operation.path)
        os.fsync(fd)
    os.rename(site.tmp, site.name, src_dir_fd=site.directory, dst_dir_fd=site.directory)


def copy_attributes(source: int, target: int, path: str) -> None:
    """Owner, mode and extended attributes of the open artifact at `path` to another file, as far as this user may give
    them. Raises OSError, and OperationError where the owner has no number here."""
    status = os.fstat(source)
    _give(target, status, path)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    with suppress(OSError):
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))


def _give(target: int, status: os.stat_result, path: str) -> None:
    """Give a file to the owner and the group of another."""
    for owner in (status.st_uid, -1):
        try:
            os.fchown(target, owner, status.st_gid)
        except PermissionError:
            continue
        except OSError as error:
            missing = unmapped_owner(status.st_uid, status.st_gid) if error.errno == errno.EINVAL else ""
            if not missing:
                raise
            raise OperationError(
                f"{path} was not replaced: {missing}, so nothing can be given to it",
                hint="run the console outside of the namespace, or have the file given to a user that is mapped here",
            ) from None
        return
