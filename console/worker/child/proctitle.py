"""Process title of a child in ps and top: its kind and artifact, in place of an interpreter's command line."""

from __future__ import annotations

import ctypes
import os

from console.worker.child.sandbox.privileges import prctl

_PR_SET_NAME = 15


def show(kind: str, label: str) -> None:
    """Overwrite this process's arguments, as far as they reach, and its short name. Left as it was where that fails."""
    title = f"model-console {kind} {label}".rstrip().encode("utf-8", "replace").replace(b"\0", b" ")
    try:
        begin, end = _arguments()
        room = end - begin
        if begin and room > len(kind) + 16:
            ctypes.memmove(begin, title[: room - 1].ljust(room, b"\0"), room)
        name = ctypes.create_string_buffer(f"mc-{kind}".encode()[:15])
        prctl(_PR_SET_NAME, ctypes.addressof(name))
    except (OSError, ValueError, IndexError):
        return


def _arguments() -> tuple[int, int]:
    """Addresses of this process's argument strings: arg_start and arg_end of proc_pid_stat(5)."""
    with open(f"/proc/{os.getpid()}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return int(fields[45]), int(fields[46])
