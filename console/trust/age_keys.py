"""Identities of age: the keys that open what was sealed for them."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from console.errors import OperationError
from console.trust.secret_files import write_secret


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
