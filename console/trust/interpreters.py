"""Interpreters that a recipe may name: the console runs such a program, and only the program itself can put on the
sandbox, so it must be one that nobody but root and the user could have put there."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from console.errors import AccessDeniedError
from console.files.roots import owner_name

_MOST_LINKS = 40


def admitted(python: str, store: Path, listed: Collection[str] = ()) -> str:
    """`python` as it may be run for a model of `store`; `listed` are the interpreters that the user's policy names.

    It must be an absolute path of an executable file that lies outside the store, as must every link on the way, all of
    it owned by root or the user and not writable by others. Raises AccessDeniedError with the reason and the next step.
    """
    named = os.path.normpath(python)
    if named in listed and _unusable(named) is None:
        return named
    step = "correct environment.python in the recipe"
    why = _unusable(python)
    if why is not None:
        raise AccessDeniedError(f"the recipe's interpreter {python} is not run: {why}", hint=step)
    try:
        why = next(_objections(python, Path(os.path.realpath(store))), None)
    except OSError as error:
        why = f"it cannot be looked at: {error.strerror}"
    if why is None:
        return python
    raise AccessDeniedError(
        f"the recipe's interpreter {python} is not run: {why}",
        hint=f"{step}, or list the path under [recipes] interpreters in your policy",
    )


def _unusable(python: str) -> str | None:
    if not os.path.isabs(python):
        return "it is not an absolute path"
    if "\0" in python or not os.path.exists(python):
        return "there is no such file"
    if not os.path.isfile(python) or not os.access(python, os.X_OK):
        return "it is not an executable file"
    return None


def _objections(python: str, store: Path) -> Iterator[str]:
    """Objections against any directory that is passed on the way to the program, any link, or the program."""
    for passed in _way(python):
        if passed == store or store in passed.parents:
            yield "its way leads through the store, where whoever sent the models could have put it"
        status = os.lstat(passed)
        if status.st_uid not in (0, os.geteuid()):
            yield f"{passed} belongs to {owner_name(status.st_uid)}, who is neither root nor you"
        if not stat.S_ISLNK(status.st_mode) and _others_write(status):
            yield f"others may write {passed}"


def _way(path: str) -> Iterator[Path]:
    """Every directory, link and file that the kernel passes on the way to `path`, each by a path without links."""
    rest = path.split("/")[::-1]
    here, links = Path("/"), 0
    yield here
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = here.parent
            continue
        step = here / part
        yield step
        if not step.is_symlink():
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(0, "too many links")
        target = os.readlink(step)
        rest += target.split("/")[::-1]
        here = Path("/") if target.startswith("/") else here


def _others_write(status: os.stat_result) -> bool:
    """Whether somebody but root and the user may write; in a sticky directory nobody can replace another's file."""
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return False
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _private(status)


def _private(status: os.stat_result) -> bool:
    """Whether the group is root's, or the owner's own: one of the same number, as `useradd` makes them."""
    return status.st_gid in (0, status.st_uid)
