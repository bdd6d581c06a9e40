"""The service manager's notify socket (sd_notify(3)): readiness, status, watchdog, and that the service ends."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress

from console.safe_text import safe


class Notifier:
    """Messages to the service manager; none where no NOTIFY_SOCKET is named. For an event loop."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = _watchdog_s()
        self._timer: asyncio.TimerHandle | None = None

    def ready(self, status: str) -> None:
        """The service answers. From now on the watchdog is fed by the event loop, so that one that hangs is noticed."""
        self._send(f"READY=1\nSTATUS={safe(status)}")
        if self._watchdog_s and self._timer is None:
            self._feed()

    def status(self, text: str) -> None:
        """A line on how the service stands."""
        self._send(f"STATUS={safe(text)}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` tells that it was."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, text: str) -> None:
        """The service ends. The watchdog is fed until the process is gone."""
        self._send(f"STOPPING=1\nSTATUS={safe(text)}")

    def close(self) -> None:
        """Feed the watchdog no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _feed(self) -> None:
        self._send("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(self._watchdog_s / 2, self._feed)

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.sendto(text.encode("utf-8", "backslashreplace"), self._address)


def _watchdog_s() -> float:
    """The seconds in which the service manager wants to hear of this process; 0 where it does not."""
    asked, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return 0.0
    with suppress(ValueError):
        return max(0.0, int(asked) / 1e6)
    return 0.0
