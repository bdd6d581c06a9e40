"""Stopping and going on, as a shell with job control asks: the terminal is given back, and taken again whole.

While it is stopped everything of the console stands: probes send nothing and nothing is looked at. Workers keep what
they hold; an answer that comes meanwhile is taken when the console goes on, and no deadline passes (`console.awake`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

from console import awake
from console.ending import is_gone

if TYPE_CHECKING:
    from textual.app import App


class Stoppable(LinuxDriver):
    """A driver that stops with its whole process group, as with a program between the shell and it."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        awake.follow(self._loop)
        self._stopped = False

    def start_application_mode(self) -> None:
        """Take the terminal, once it is this process's to take."""
        self._wait_for_terminal()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Give the terminal back with every mode off."""
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
            self._mouse_pixels = False
        super().stop_application_mode()
        self._in_band_window_resize = False

    def stop(self) -> bool:
        """Stop until somebody has the process go on; false where there is nobody who could."""
        if not is_job():
            return False
        if self._is_shown():
            self.suspend_application_mode()
        self._halt(signal.SIGTSTP)
        self._go_on()
        return True

    def _sigtstp_application(self, *_: object) -> None:
        """Textual's own would stop this process alone, in the middle of whatever the event loop does."""
        self._loop.call_soon_threadsafe(self.stop)

    def _sigcont_application(self, *_: object) -> None:
        """Every way to go on comes by here first, before any timer is looked at."""
        awake.went_on()
        if not self._stopped:
            self._loop.call_soon_threadsafe(self._begin_anew)

    def _begin_anew(self) -> None:
        """It may have been stopped unasked, and the terminal be as the shell wants it; its loss sends this too."""
        if self._is_shown():
            self._wait_for_terminal()
            self.suspend_application_mode()
            self._go_on()

    def _halt(self, number: signal.Signals) -> None:
        """Have the kernel stop the process group, and come back when it goes on."""
        self._stopped = True
        before = signal.signal(number, signal.SIG_DFL)
        try:
            os.killpg(0, number)
        finally:
            signal.signal(number, before)
            self._stopped = False

    def _wait_for_terminal(self) -> None:
        """In the background (`bg`) the terminal is another's: stopped again at once, as the kernel does to writers."""
        while self._in_background() and is_job():
            self._halt(signal.SIGTTOU)

    def _in_background(self) -> bool:
        try:
            return not is_gone(self.fileno) and os.tcgetpgrp(self.fileno) != os.getpgrp()
        except OSError:
            return False

    def _is_shown(self) -> bool:
        return self._auto_restart and self._writer_thread is not None and not is_gone(self.fileno)

    def _go_on(self) -> None:
        if self._auto_restart and not is_gone(self.fileno):
            self._must_signal_resume = True
            self.exit_event.clear()
            self.resume_application_mode()
            self._app.refresh()


@contextmanager
def reopened(terminal: int) -> Iterator[int]:
    """A descriptor of this process's own to read a terminal by, that never blocks; `terminal` where none is to be had.

    What was ready to be read may be the shell's by the time a stopped process goes on, and who waits for more of it
    could not be ended. The one that the shell has given is the shell's as well, and stays as it is.
    """
    try:
        own = os.open(f"/proc/self/fd/{terminal}", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield terminal
        return
    try:
        yield own
    finally:
        os.close(own)


def is_job() -> bool:
    """Whether a shell with job control waits for this process group: one of the session that is in another group.

    Without one, as where the console is all that `ssh host -t`, a terminal window or tmux has started, the kernel
    lets nobody stop (POSIX calls the group orphaned), and nobody could have it go on.
    """
    import psutil

    group, session = os.getpgrp(), os.getsid(0)
    try:
        for parent in psutil.Process().parents():
            if os.getsid(parent.pid) != session:
                return False
            if os.getpgid(parent.pid) != group:
                return True
    except (psutil.Error, OSError):
        return False
    return False
