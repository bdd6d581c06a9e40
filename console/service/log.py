"""The log of a service on stderr: one line each, safe to show, written by a thread so that no reader delays a request.

Under journald each begins with its priority (sd-daemon(3)), elsewhere with the time.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from contextlib import suppress

from console.safe_text import safe

_PRIORITY = {"failure": 3, "attention": 4, "ok": 6, "info": 6}
"""Priorities of syslog(3) by the severities of events."""
_MOST_WAITING = 1000
_MOST_SIGNS = 2000
_END_S = 1.0


class Log:
    """Lines on stderr. What more than `_MOST_WAITING` lines wait for is left out."""

    def __init__(self) -> None:
        self._journal = _is_journal()
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def say(self, text: str, severity: str = "info") -> None:
        """One line."""
        begin = f"<{_PRIORITY[severity]}>" if self._journal else time.strftime("%Y-%m-%d %H:%M:%S  ")
        with suppress(queue.Full):
            self._lines.put_nowait(f"{begin}{safe(text, _MOST_SIGNS)}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Write what waits, unless nobody takes it."""
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_END_S)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError):
                os.write(sys.stderr.fileno(), line)


def _is_journal() -> bool:
    """Whether stderr leads to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    with suppress(OSError, ValueError):
        status = os.fstat(sys.stderr.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
