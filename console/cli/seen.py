"""Files on a command line that an engine in another process can use as this one does."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from contextlib import suppress

from console.records import EngineFacts

__all__ = ["why_unseen"]


def why_unseen(facts: EngineFacts, root: str, files: Iterable[str | None]) -> str:
    """Why an engine cannot read or write one of these files for this user; empty where it can, or there is none."""
    for file in files:
        if file is None or os.path.realpath(file).startswith(os.path.join(os.path.realpath(root), "")):
            continue
        if facts.user != _own_name():
            return f"{file} is outside of the store, and the engine is {facts.user}'s"
        if not _is_seen(facts.pid, file):
            return f"the engine does not see {file}"
    return ""


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _is_seen(pid: int, file: str) -> bool:
    """Whether a path leads a process of this user where it leads this one; the directory counts for a new file."""
    place = os.path.abspath(file)
    here = place if os.path.lexists(place) else os.path.dirname(place)
    with suppress(PermissionError):
        try:
            return os.path.samefile(here, f"/proc/{pid}/root{here}")
        except FileNotFoundError:
            return not os.path.lexists(here)
    return True
