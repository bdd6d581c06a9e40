"""Putting a finished directory in place of an artifact that is one, in one step that can be taken back."""

from __future__ import annotations

import os
from pathlib import Path

from console.durable import sync_directory
from console.errors import ConflictError, ConsoleError, OperationError
from console.files import opening, syscalls
from console.files.directories import OpenedDirectory, artifact_digest, open_directory
from console.os_errors import hint, why

_PARENT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def swap_directory(root: Path, path: str, staged: str, replaces: str) -> None:
    """Exchange the artifact at `path`, whose digest is `replaces`, with the directory named `staged` beside it.

    What was replaced then lies at `staged`, so that doing the same again takes it back. All of it is durable. Raises
    ConflictError, with their content in place, where somebody else was faster, InputError for a directory that is no
    artifact, OperationError where the file system cannot exchange names.
    """
    beside = os.path.join(os.path.dirname(path), staged)
    with open_directory(root, beside) as new:
        _sync(new)
    base = opening.open_root(root)
    try:
        parent = opening.open_beneath(base, os.path.dirname(path) or ".", _PARENT)
    finally:
        os.close(base)
    try:
        names = (staged, os.path.basename(path))
        syscalls.rename_at(parent, *names, syscalls.RENAME_EXCHANGE)
        if _digest(root, beside) != replaces:
            syscalls.rename_at(parent, *names, syscalls.RENAME_EXCHANGE)
            raise ConflictError(
                f"{path} was changed by somebody else in the meantime; their content stays in place",
                hint="look at what is there now, then decide again",
            )
        sync_directory(parent)
    except OSError as error:
        raise OperationError(f"{path} was not replaced: {why(error)}", hint=hint(error)) from None
    finally:
        os.close(parent)


def _digest(root: Path, path: str) -> str | None:
    try:
        return artifact_digest(root, path)
    except ConsoleError:
        return None


def _sync(opened: OpenedDirectory) -> None:
    """Make all members durable, and their names. Raises OSError."""
    for member in opened.members.values():
        os.fsync(member.fd)
    os.fsync(opened.fd)
