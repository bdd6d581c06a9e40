"""Trials of whether this user can do with a store's own files what the console needs; none of them is changed."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.closing import closing_fd
from console.config import STORE_DIR
from console.errors import ConsoleError
from console.files.roots import owner_name, user_name
from console.files.state_dir import HISTORY, JOURNAL, LOCK
from console.locks import holder, try_lock
from console.os_errors import why
from console.versions.recovery import damaged, damaged_words, unsettled

_FILE = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_FIRST_USE = "it is made when it is first needed"
_IN_OWN = ("audit log", "journal", LOCK, "history")
_KEYS_CAP = 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its name, whether it works, and how that is known or what would help."""

    name: str
    works: bool
    evidence: str


def trials(root: Path, audit_file: str) -> tuple[Trial, ...]:
    """Each thing that loading, updating and rolling back need of the store at `root`."""
    own = root / STORE_DIR
    first = _directory("own directory", own, root)
    if not first.works and not os.path.lexists(own):
        return first, *(Trial(name, False, "it would be in the own directory") for name in _IN_OWN), *_state(root)
    return (
        first,
        _file("audit log", own / audit_file, own),
        _file("journal", own / JOURNAL, own),
        _file(LOCK, own / LOCK, own),
        _history(own / HISTORY, own),
        *_state(root),
    )


def _directory(name: str, path: Path, parent: Path) -> Trial:
    if path.is_symlink():
        return Trial(name, False, f"{path} is a symbolic link, which is not followed: remove it")
    if not path.exists():
        may = os.access(parent, os.W_OK | os.X_OK, effective_ids=True)
        return Trial(name, may, _FIRST_USE if may or not parent.exists() else _denied(parent, "rwx"))
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return Trial(name, False, _denied(path, "rwx"))
    return Trial(name, True, f"{user_name()} may write in it")


def _file(name: str, path: Path, parent: Path) -> Trial:
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | _FILE)
    except FileNotFoundError:
        return _directory(name, path, parent) if parent.exists() else Trial(name, True, _FIRST_USE)
    except PermissionError:
        return Trial(name, False, _denied(path, "rw"))
    except OSError as error:
        return Trial(name, False, f"{path} cannot be opened: {why(error)}")
    with closing_fd(fd):
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return Trial(name, False, f"{path} is not a plain file: move it away")
        if not try_lock(fd):
            return Trial(name, False, f"{path} is locked by {holder(fd)}: end that process, or wait")
    return Trial(name, True, f"{user_name()} can append to it" if name != LOCK else "it was taken and given back")


def _history(path: Path, parent: Path) -> Trial:
    """The directory, those of each artifact in it, and their locks; the first that fails is told."""
    first = _directory("history", path, parent) if parent.exists() else Trial("history", True, _FIRST_USE)
    if not first.works or not path.exists():
        return first
    count = 0
    with suppress(OSError), os.scandir(path) as entries:
        for entry, _ in zip(entries, range(_KEYS_CAP), strict=False):
            for tried in (_directory("history", Path(entry.path), path), _free(Path(entry.path) / LOCK)):
                if not tried.works:
                    return tried
            count += 1
    return Trial("history", True, f"{user_name()} can write in it and in those of {count} artifacts")


def _free(path: Path) -> Trial:
    """Whether the lock of an artifact can be opened; that one is being replaced right now is no fault."""
    try:
        os.close(os.open(path, os.O_RDWR | _FILE))
    except PermissionError:
        return Trial("history", False, _denied(path, "rw"))
    except OSError:
        return Trial("history", True, "")
    return Trial("history", True, "")


def _state(root: Path) -> Iterator[Trial]:
    """Whether the journal tells of earlier work that was not finished."""
    try:
        cut_off, lines = unsettled(root), damaged(root)
    except (ConsoleError, OSError) as error:
        yield Trial("earlier updates", False, str(error))
        return
    if cut_off:
        count = f"{len(cut_off)} artifacts, the first is {cut_off[0]}"
        yield Trial("earlier updates", False, f"interrupted or at work: {count}; `history` on it settles what can be")
    else:
        yield Trial("earlier updates", True, "none was left half done")
    if lines:
        told = f"{damaged_words(lines)} passed over; the next clean-up drops what is damaged"
        yield Trial("journal lines", False, told)


def _denied(path: Path, rights: str) -> str:
    """Whose it is, and the command that lets this user, for who may give it."""
    try:
        status = path.stat()
    except OSError as error:
        return f"{path} cannot be reached: {why(error)}"
    mine = status.st_gid in (os.getegid(), *os.getgroups())
    command = f"chmod g+{rights} {shlex.quote(os.fspath(path))}"
    if not mine:
        command = f"chgrp --reference={shlex.quote(os.fspath(path.parent))} {shlex.quote(os.fspath(path))} && {command}"
    owner = owner_name(status.st_uid)
    whom = f"{owner} or root" if status.st_uid else owner
    return f"{path} belongs to {owner} and has mode {stat.S_IMODE(status.st_mode):04o}: ask {whom} for `{command}`"
