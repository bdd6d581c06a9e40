"""The console on a real terminal: it starts, answers, leaves the terminal as it was, and leaves no child behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from console.trust.audit import Audit

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0
MODES = (1049, 1000, 1003, 1006, 2004)
"""Alternate screen, mouse in three ways, bracketed paste: what must be off again."""


class Terminal:
    """The console under a pseudo-terminal whose far end is ours."""

    def __init__(self, store: Path, *options: str, size: tuple[int, int] = (80, 24)) -> None:
        self.master, slave = pty.openpty()
        self.size(*size, slave)
        self.before = termios.tcgetattr(slave)
        environ = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        for name in ("COLUMNS", "LINES"):
            environ.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console", str(store), *options],
            stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environ, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.slave = slave
        self.output = ""
        self.children: set[int] = set()

    def size(self, columns: int, lines: int, descriptor: int | None = None) -> None:
        """Make the terminal another size; the kernel tells the console."""
        packed = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.master if descriptor is None else descriptor, termios.TIOCSWINSZ, packed)

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self.master, keys.encode())

    def read(self, seconds: float) -> None:
        """Take what the console writes for a while; note its children."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                return
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.output += data.decode("utf-8", "replace")
            return

    def wait_for(self, words: str) -> None:
        """Read until the console has shown this."""
        end = time.monotonic() + PATIENCE
        while words not in self.output:
            assert time.monotonic() < end, f"{words!r} never came:\n{self.output[-3000:]}"
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output[-3000:]}"
            self.read(0.2)
        self.note_children()

    def settle(self) -> None:
        """Read until the console has taken every key and was seen with nothing to do a few times."""
        end, rested = time.monotonic() + PATIENCE, 0
        while rested < 3:
            assert time.monotonic() < end, "it does not come to rest"
            self.read(0.05)
            rested += self._rests()

    def _rests(self) -> bool:
        (unread,) = struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)))
        states = set()
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            with suppress(OSError):
                states.add(task.read_text().rpartition(")")[2].split()[0])
        return not unread and states <= {"S", "Z"}

    def note_children(self) -> None:
        """Remember every process below the console."""
        self.children |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read(0.1)
        self.read(0.1)
        return self.process.returncode

    def assert_clean(self) -> None:
        """The terminal is as it was, and every child is gone."""
        for mode in MODES:
            switched = re.findall(rf"\x1b\[\?{mode}([hl])", self.output)
            assert not switched or switched[-1] == "l", f"mode {mode} is still on"
        assert termios.tcgetattr(self.slave)[:4] == self.before[:4]
        self.assert_no_child()

    def assert_no_child(self) -> None:
        """Every process that was below the console is gone."""
        assert self.children
        end = time.monotonic() + PATIENCE
        while left := [pid for pid in self.children if psutil.pid_exists(pid) and _runs(pid)]:
            assert time.monotonic() < end, f"still there: {left}"
            select.select([], [], [], 0.05)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def terminal(store: Path, *options: str, size: tuple[int, int] = (80, 24)) -> Iterator[Terminal]:
    """The console on `store`, with the first screen complete."""
    console = Terminal(store, *options, size=size)
    try:
        console.wait_for("blocked")
        console.wait_for("safe")
        yield console
    finally:
        if console.process.poll() is None:
            console.process.kill()
        console.process.wait()
        os.close(console.master)
        os.close(console.slave)


def test_it_loads_a_model_and_quits_clean(demo_copy: Path) -> None:
    with terminal(demo_copy, size=(120, 40)) as console:
        console.press("l")
        console.wait_for("1 ready")
        console.output = console.output[-200:]
        console.size(100, 30)
        console.wait_for("STATE")
        console.press("q")
        assert console.ended() == 0
        console.assert_clean()


def test_a_locked_audit_log_freezes_nothing(demo_copy: Path) -> None:
    Audit(demo_copy).append("test")
    log = Audit(demo_copy).path
    with terminal(demo_copy, size=(120, 40)) as console, log.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        console.press("l")
        console.press("?")
        console.wait_for("keys of the")
        console.press("\x1b")
        console.wait_for("locked by process")
        console.press("l")
        pressed = time.monotonic()
        console.press("q")
        assert console.ended() == 0
        assert time.monotonic() - pressed < 4
        console.assert_clean()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_clean(demo_copy: Path, number: signal.Signals) -> None:
    with terminal(demo_copy) as console:
        console.process.send_signal(number)
        assert console.ended() == 128 + number
        console.assert_clean()


def test_a_lost_terminal_ends_it_and_its_children(demo_copy: Path) -> None:
    console = Terminal(demo_copy)
    console.wait_for("safe")
    os.close(console.slave)
    os.close(console.master)
    console.process.wait(timeout=PATIENCE)
    console.assert_no_child()


def test_killed_without_a_word_it_leaves_no_child(demo_copy: Path) -> None:
    with terminal(demo_copy) as console:
        console.process.kill()
        console.process.wait()
        console.assert_no_child()


def test_without_a_mouse_the_terminal_keeps_its_own(demo_copy: Path) -> None:
    with terminal(demo_copy, "--no-mouse") as console:
        console.press("q")
        assert console.ended() == 0
        assert "\x1b[?1003h" not in console.output


def test_without_a_terminal_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "Traceback" not in done.stderr
