"""The end of a process that has lost its terminal or was told to end: begun in order, over in time whatever holds on.

SIGHUP, SIGTERM and a terminal that hangs up are heard by a thread that waits for no lock. The first act is a timer of
the kernel: when that runs out the process is gone, and its children with it, since each has asked the kernel for that.
What held the end up is written down a moment before, by a thread of `faulthandler` that needs no interpreter.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from console.config import state_dir
from console.safe_text import safe

DEADLINE_S = 3.0
"""From the signal to the end by the kernel."""
_KILL_S = 2.0
"""From the signal to the end of every process below this one."""
_ACCOUNT_S = 2.5
"""From the signal to the account of what holds the end up."""
_LOOK_S = 1.0
"""How often a terminal is looked at whose driver does not wake who waits for its end."""
_LOG_CAP = 256 << 10
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL
_NUMBERS = (signal.SIGHUP, signal.SIGTERM)


def is_gone(descriptor: int) -> bool:
    """Whether nobody is at the other side of a terminal or pipe any more."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & _GONE for _, event in poll.poll(0))


def silence(descriptor: int) -> None:
    """Let what is still written to a stream that nobody reads go nowhere, and whoever reads it find its end."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


class Ending:
    """A handle from `heard`. `number` is the signal that began the end, 0 before it; `hear` gets it in a thread."""

    def __init__(self, subject: str, hear: Callable[[int], object], terminal: int | None) -> None:
        self.number = 0
        self.hear = hear
        self._subject = safe(subject, 500)
        self._terminal = terminal
        self._ears, self._mouth = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._over = False
        self._begun = 0.0
        self._log = -1
        self._thread = threading.Thread(target=self._listen, name="ending", daemon=True)

    def start(self) -> None:
        """Begin to listen; the interpreter's own C handler writes the number of each signal to `_mouth`."""
        signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more. An end that has begun stays under its deadline until the process is gone."""
        self._over = True
        with suppress(BlockingIOError):
            os.write(self._mouth, b"\0")
        self._thread.join()
        signal.set_wakeup_fd(-1)
        if self._log >= 0:
            self._write(f"ended in order after {time.monotonic() - self._begun:.1f} s")
            faulthandler.cancel_dump_traceback_later()
            os.close(self._log)
        os.close(self._ears)
        os.close(self._mouth)

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._ears, select.POLLIN)
        if self._terminal is not None:
            poll.register(self._terminal, 0)
        killed = False
        while not self._over:
            poll.poll(1e3 * min(_LOOK_S, _KILL_S))
            if self.number and not killed and time.monotonic() > self._begun + _KILL_S:
                killed = True
                self._kill_below()
            with suppress(BlockingIOError):
                for number in os.read(self._ears, 256):
                    if number in _NUMBERS:
                        self._begin(number)
            if self._terminal is not None and is_gone(self._terminal):
                poll.unregister(self._terminal)
                self._lose()

    def _begin(self, number: int) -> None:
        """Arm the kernel's timer, and then all the rest. A second cause changes nothing."""
        if self.number:
            return
        _arm()
        self.number, self._begun = number, time.monotonic()
        self.hear(number)
        with suppress(OSError):
            self._log = _opened()
            self._write(f"told to end by {signal.Signals(number).name}")
            with suppress(RuntimeError):  # where no more threads may be started
                faulthandler.dump_traceback_later(_ACCOUNT_S, file=self._log)

    def _lose(self) -> None:
        """The terminal is gone: nothing that is still written to it can fail or wait."""
        self._terminal = None
        self._begin(signal.SIGHUP)
        for descriptor in (0, 1, 2):
            if is_gone(descriptor):
                silence(descriptor)
        self._write("the terminal is gone")

    def _kill_below(self) -> None:
        """Kill all children: each could hold this process up; and what it started in turn would outlive it."""
        import psutil

        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
        self._write("killed what it had started")

    def _write(self, what: str) -> None:
        if self._log >= 0:
            line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {os.getpid()} {self._subject}: {what}\n"
            with suppress(OSError):
                os.write(self._log, line.encode("utf-8", "backslashreplace"))


@contextmanager
def heard(subject: str, hear: Callable[[int], object], *, terminal: int | None = None) -> Iterator[Ending]:
    """Have `hear` called, in a thread, when this process shall end; from then on it has `DEADLINE_S`.

    `subject` is what the log calls it, `terminal` the descriptor without which it has no reason to go on. Without one
    it may have been started to outlive its terminal: a SIGHUP that is ignored stays so. For the main thread only.
    """
    numbers = [one for one in _NUMBERS if terminal is not None or signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _heard) for number in numbers}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    ending = Ending(subject, hear, terminal)
    ending.start()
    try:
        yield ending
    finally:
        ending.stop()
        if not ending.number:
            for number, handler in before.items():
                signal.signal(number, handler)


def _heard(_number: int, _frame: FrameType | None) -> None:
    """On the main thread, where it waits for a lock or matches a pattern that never ends, the thread not coming in."""
    _arm()


def _arm() -> None:
    """Have the kernel end this process in time; asked again, at the time that was set first."""
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)


def _opened() -> int:
    """The log, only its owner's to read; one that has grown long is put aside. Raises OSError."""
    path = state_dir() / "endings.log"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_CAP:
            path.replace(path.with_suffix(".old.log"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
