"""Secret files, which their owner alone may read and no link leads to; among them the identities of age."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from console.durable import sync_parent
from console.errors import AccessDeniedError, InputError, OperationError
from console.files.roots import owner_name, user_name
from console.os_errors import hint, why

_SIZE_CAP = 64 << 10


def open_secret(path: Path, what: str) -> int:
    """A read-only descriptor of a secret file, for whoever closes it. `what` names it in messages ("the identity").

    Raises InputError when it is not there or no plain file, AccessDeniedError when it is another user's or others may
    read it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {why(error)}", hint=hint(error)) from None
    try:
        _check(os.fstat(fd), path, what)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check(status: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE_CAP:
        raise InputError(f"{what} {path} is not a plain file of at most {_SIZE_CAP >> 10} KiB")
    if status.st_uid != os.geteuid():
        owner = owner_name(status.st_uid)
        raise AccessDeniedError(
            f"{what} {path} belongs to {owner}, not to {user_name()}", hint="use a copy of your own"
        )
    if stat.S_IMODE(status.st_mode) & 0o177:
        mode = stat.S_IMODE(status.st_mode)
        raise AccessDeniedError(
            f"{what} {path} has mode {mode:04o}: others must not be able to read it",
            hint=f"chmod 400 {shlex.quote(os.fspath(path))}",
        )


def read_secret(path: Path, what: str) -> bytes:
    """The content of a secret file. Raises like `open_secret`."""
    fd = open_secret(path, what)
    with os.fdopen(fd, "rb") as file:
        return file.read(_SIZE_CAP)


def write_secret(path: Path, make: Callable[[], bytes], what: str) -> None:
    """A new file of mode 0400, durable, with what `make` returns; nothing is written over and nothing half is left.

    Raises InputError when something is there or it cannot be written, OperationError when the disk is full.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, 0o400)
    except FileExistsError:
        raise InputError(
            f"{path} is there already, and {what} is never written over", hint="name another file"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write {what} to {path}: {why(error)}", hint=hint(error)) from None
    try:
        os.fchmod(fd, 0o400)
        with os.fdopen(fd, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        sync_parent(path)
    except BaseException as error:
        os.unlink(path)
        if isinstance(error, OSError):
            raise OperationError(f"{what} could not be written to {path}: {why(error)}", hint=hint(error)) from None
        raise


def check_library() -> None:
    """Make sure that the library for sealing is installed, without importing it. Raises OperationError."""
    if find_spec("pyrage") is None:
        raise _no_library()


def _no_library() -> OperationError:
    message = "sealing needs the Python package pyrage, which is not installed"
    return OperationError(message, hint=f"{shlex.quote(sys.executable)} -m pip install 'model-console[security]'")


def generate_identity(path: Path) -> str:
    """Write a new X25519 identity the way age-keygen does, with mode 0400; returns its recipient (`age1…`).

    Raises InputError when something is there, OperationError without the library.
    """
    try:
        from pyrage import x25519
    except ImportError:
        raise _no_library() from None
    identity = x25519.Identity.generate()
    recipient = str(identity.to_public())
    created = datetime.now(UTC).isoformat(timespec="seconds")
    text = f"# created: {created}\n# public key: {recipient}\n{identity}\n"
    write_secret(path, lambda: text.encode("ascii"), "an identity")
    return recipient
