"""The account of a defect of our own: frames and message, no values, readable by its owner only."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from console.config import state_dir
from console.safe_text import safe


def write_crash() -> Path | None:
    """Write the exception being handled to the state directory; None when even that fails. Never raises."""
    try:
        return _written(sys.exc_info()[1])
    except Exception:
        return None


def _written(error: BaseException | None) -> Path:
    home = os.path.expanduser("~")
    account = "".join(traceback.format_exception(error)) if error is not None else "no exception is known\n"
    account = safe(account, 200_000, lines=True)
    if len(home) > 1:
        account = account.replace(home, "~")
    path = state_dir() / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(account)
    return path
