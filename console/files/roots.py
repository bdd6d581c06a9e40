"""Roots of stores: which one a path belongs to, on what file system it lies, and whether this user may change it."""

from __future__ import annotations

import errno
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

from backends.core.directories import is_artifact
from console.config import STORE_DIR
from console.errors import InputError
from console.os_errors import hint, why

_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Place:
    """A path as the store sees it: its root, and the path beneath it ("" for the root itself).

    A root that was given by way of a link is kept as it was given, since the link may come to lead elsewhere.
    """

    root: Path
    path: str


def place_of(path: str | os.PathLike[str], *, as_artifact: bool = False) -> Place:
    """The store of `path` and the place in it.

    The store is the nearest directory at or above that holds `.model-console/`, else the directory given, or the
    artifact's own. With `as_artifact` a directory that is an artifact is taken for one. Links on the way to the last
    name are followed, the last name itself is not. Raises InputError.
    """
    given = os.path.abspath(os.fspath(path))
    try:
        if os.path.isdir(given):
            whole = Path(os.path.realpath(given))
            _require_listable(whole)
            start = whole.parent if as_artifact and is_artifact(whole) and not is_store(whole) else whole
        else:
            parent = Path(os.path.realpath(os.path.dirname(given)))
            whole, start = parent / os.path.basename(given), parent
            whole.lstat()
    except FileNotFoundError:
        raise InputError(f"there is no {given}") from None
    except OSError as error:
        at, step = _obstacle(given) if error.errno == errno.EACCES else ("", None)
        raise InputError(f"{given} cannot be reached: {why(error)}{at}", hint=hint(error) or step) from None
    root = next((up for up in (start, *start.parents) if is_store(up)), start)
    inside = os.path.relpath(whole, root)
    if os.path.isdir(given):
        root = _as_given(Path(given), root)
    return Place(root, "" if inside == "." else inside)


def _as_given(given: Path, root: Path) -> Path:
    """The root as it stands in the path that was given, links and all, where it does."""
    return next((up for up in (given, *given.parents) if os.path.realpath(up) == os.fspath(root)), root)


def passed_links(path: Path) -> tuple[Path, ...]:
    """The symbolic links on the way to a path, each without a link above it; none where it is no way at all."""
    found: list[Path] = []
    here, left = "/", [*reversed(path.parts)]
    while left and len(found) < _MOST_LINKS:
        here = os.path.normpath(os.path.join(here, left.pop()))
        try:
            leads = os.readlink(here)
        except OSError:
            continue
        found.append(Path(here))
        here = os.path.dirname(here)
        left += reversed(Path(leads).parts)
    return tuple(found)


def _obstacle(given: str) -> tuple[str, str | None]:
    """The directory on the way that this user may not pass, as the end of a sentence, and what helps."""
    for up in reversed(Path(os.path.realpath(given)).parents):
        if not os.access(up, os.X_OK, effective_ids=True):
            return f" at {up}, which {_owner_and_mode(up.stat())}", f"its owner can let you through: chmod o+x {up}"
    return "", None


def _owner_and_mode(status: os.stat_result) -> str:
    return f"is {owner_name(status.st_uid)}'s, with mode {status.st_mode & 0o7777:04o}"


def _require_listable(directory: Path) -> None:
    """Raise InputError for a directory that this user may not list or enter."""
    if os.access(directory, os.R_OK | os.X_OK, effective_ids=True):
        return
    raise InputError(
        f"{directory} cannot be looked into by {user_name()}: it {_owner_and_mode(directory.stat())}",
        hint=f"its owner can let you list and enter it: chmod o+rx {directory}, or by a group that you are in",
    )


def is_store(directory: Path) -> bool:
    """Whether a directory holds the console's own files; a link to another store's does not count."""
    own = os.path.join(directory, STORE_DIR)
    return os.path.isdir(own) and not os.path.islink(own)


def why_not_writable(root: Path) -> str | None:
    """Why nothing in the store can be changed, as a sentence; None when it can."""
    try:
        if os.statvfs(root).f_flag & os.ST_RDONLY:
            return f"{root} is mounted read-only"
    except OSError as error:
        return f"{root} cannot be reached: {why(error)}"
    if (root / STORE_DIR).is_symlink():
        return f"{root / STORE_DIR} is a symbolic link, which is not followed"
    for directory in (root, root / STORE_DIR):
        if directory.exists() and not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
            return f"{user_name()} may not write in {directory}"
    return None


def user_name() -> str:
    """The login name of the effective user, or its number where it has none."""
    return owner_name(os.geteuid())


def owner_name(uid: int) -> str:
    """The login name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


_REMOTE = frozenset("nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre beegfs gpfs ocfs2 gfs2 virtiofs".split())  # noqa: SIM905


def file_system_of(path: Path, table: str | None = None) -> str:
    """The type of the file system that holds `path` ("ext4", "nfs4", "fuse.sshfs"); "" where it cannot be told."""
    if table is None:
        try:
            table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return ""
    where = os.path.realpath(path)
    best, found = -1, ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5:
            continue
        mounted = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        inside = where == mounted or where.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= best:
            best, found = len(mounted), kind[0]
    return found


def is_remote(kind: str) -> bool:
    """Whether files may change there without this kernel telling of it."""
    return kind in _REMOTE or kind == "fuse" or kind.startswith("fuse.")
