"""The secret by which a console knows again what its own user had it write, wherever that has been meanwhile.

The owner of a file says nothing of who made it: what was unpacked from an archive belongs to whoever unpacked it.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from contextlib import suppress

from console.config import state_dir
from console.durable import sync_parent
from console.errors import OperationError
from console.os_errors import hint, why

_NAME = "own.key"
_BYTES = 32


def tag(data: bytes) -> str:
    """The mark of this user's console on some bytes (HMAC-SHA-256, hexadecimal). Raises OperationError."""
    return _mark(_key(create=True), data)


def is_own(data: bytes, mark: str) -> bool:
    """Whether the mark is this user's own on just these bytes. Raises OperationError where the secret cannot be
    read."""
    key = _key(create=False)
    return bool(key) and hmac.compare_digest(_mark(key, data).encode(), mark.encode("utf-8", "replace"))


def _mark(key: bytes, data: bytes) -> str:
    return hmac.digest(key, data, "sha256").hex()


def _key(*, create: bool) -> bytes:
    """The secret, made where it is missing and `create`; else empty."""
    path = state_dir() / _NAME
    try:
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(secrets.token_bytes(_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(temporary, path)
                sync_parent(path)
            finally:
                os.unlink(temporary)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OperationError(
            f"the console's own secret {path} cannot be used: {why(error)}", hint=hint(error)
        ) from None
    with os.fdopen(fd, "rb") as file:
        status, key = os.fstat(fd), file.read(_BYTES + 1)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077 or len(key) != _BYTES:
        raise OperationError(f"{path} is not a secret of this user's alone", hint="remove it: a new one is made")
    return key
