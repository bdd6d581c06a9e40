"""The console under a pseudo-terminal whose far end is the test's."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0
ASK, ANSWER = "\x1b[6n", b"\x1b[1;1R"
"""Where is the cursor? Every terminal answers, in the order of what it is given."""
MODES = (1049, 1000, 1003, 1006, 2004)
"""Alternate screen, mouse in three ways, bracketed paste: what must be off again."""


def _take_terminal() -> None:
    """Have the terminal on stdin as one's own, and hear of its end also where the tests run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """The console on a store, or a command, with a terminal of its own.

    Without `controlling` the kernel sends no signal when the terminal goes, as with a relay or in a container. With
    `shell` it is started by a shell with job control, which is the `process`.
    """

    def __init__(
        self,
        *words: object,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
        controlling: bool = True,
        shell: bool = False,
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.size(*size, self.slave)
        self.before = termios.tcgetattr(self.slave)
        environ = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **(env or {})}
        for name in ("COLUMNS", "LINES"):
            environ.pop(name, None)
        slave = self.slave
        command = [sys.executable, "-m", "console", *map(str, words)]
        self.process = subprocess.Popen(
            ["bash", "--norc", "-i"] if shell else command,
            stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environ, start_new_session=True,
            preexec_fn=_take_terminal if controlling else None,
        )  # fmt: skip
        self.output = ""
        self.children: set[int] = set()
        if shell:
            self.press(f"{shlex.join(command)}\n")

    def size(self, columns: int, lines: int, descriptor: int | None = None) -> None:
        """Make the terminal another size; the kernel tells the console."""
        packed = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.master if descriptor is None else descriptor, termios.TIOCSWINSZ, packed)

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self.master, keys.encode())

    def read(self, seconds: float) -> None:
        """Take what the console writes next, waiting for it at most so long."""
        with suppress(OSError):
            if select.select([self.master], [], [], seconds)[0]:
                before = len(self.output)
                self.output += os.read(self.master, 65536).decode("utf-8", "replace")
                for _ in range(self.output.count(ASK, max(0, before - len(ASK) + 1))):
                    os.write(self.master, ANSWER)

    def wait_for(self, words: str, seconds: float = PATIENCE) -> None:
        """Read until the console has shown this."""
        end = time.monotonic() + seconds
        while words not in self.output:
            assert time.monotonic() < end, f"{words!r} never came:\n{self.output[-3000:]}"
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output[-3000:]}"
            self.read(0.2)
        self.note_children()

    def seen(self, words: str, seconds: float) -> bool:
        """Read until the console has shown this or has ended, for so long at most; whether it has shown it."""
        end = time.monotonic() + seconds
        while words not in self.output and time.monotonic() < end and self.process.poll() is None:
            self.read(0.2)
        return words in self.output

    def linger(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def lose(self) -> None:
        """Take the terminal away, as a dropped line does."""
        for name in ("slave", "master"):
            if (descriptor := getattr(self, name)) >= 0:
                setattr(self, name, -1)
                os.close(descriptor)

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
        assert ASK not in self.output.rpartition("\x1b[?1049l")[2], "the shell would get the answer"
        assert termios.tcgetattr(self.slave)[:4] == self.before[:4]
        self.assert_no_child()

    def assert_no_child(self) -> None:
        """Every process that was below the console is gone."""
        assert self.children
        end = time.monotonic() + PATIENCE
        while left := [pid for pid in self.children if psutil.pid_exists(pid) and _runs(pid)]:
            assert time.monotonic() < end, f"still there: {left}"
            select.select([], [], [], 0.05)

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.lose()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
