"""Whether a process exists, asked of the kernel and not of /proc, which may hide it (mount option `hidepid`)."""

from __future__ import annotations

import os


def exists(pid: int) -> bool:
    """Whether there is a process of this id, living or ended and not yet waited for."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
