"""Links as what is written to: never, and the sentence that says so."""

from __future__ import annotations

import os
from pathlib import Path

from console.errors import InputError


def require_no_link(root: Path, path: str) -> None:
    """Raise InputError for an artifact that is a symbolic link."""
    try:
        leads = os.readlink(root / path)
    except OSError:
        return
    raise InputError(
        f"{path} is a link to {leads}, and nothing is written through a link", hint="name that file itself"
    )
