"""Programs under a pseudo-terminal, with the time at which they showed something."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Program:
    """One running program; `with` ends it and everything it started."""

    def __init__(
        self, argv: Sequence[str], *, size: tuple[int, int] = (160, 48), env: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        columns, lines = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environ = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONPATH": str(ROOT),
            **(env or {}),
        }
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environ.pop(name, None)
        self.output = bytearray()
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [*argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env=environ,
            start_new_session=True,
        )
        os.close(slave)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        below = psutil.Process(self.pid).children(recursive=True) if self._process.poll() is None else []
        self._process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10.0
        while self._process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        self._process.kill()
        self._process.wait()
        for child in psutil.wait_procs(below, timeout=5.0)[1]:
            child.kill()
        os.close(self._master)

    def processor_seconds(self) -> float:
        """The processor time it has used so far, its children apart."""
        return sum(psutil.Process(self.pid).cpu_times()[:2])

    def press(self, keys: str) -> float:
        """Send keys; the time they were sent."""
        sent = time.perf_counter()
        os.write(self._master, keys.encode())
        return sent

    def read(self, seconds: float) -> bool:
        """Take what it writes next, waiting at most so long; whether there was any."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def wait_for(self, words: str, since: int = 0, seconds: float = PATIENCE) -> float:
        """Read until these words stand in what was written from `since` on; the time they came. Raises TimeoutError."""
        wanted = words.encode()
        end = time.perf_counter() + seconds
        while True:
            if self.output.find(wanted, since) >= 0:
                return time.perf_counter()
            if time.perf_counter() > end:
                raise TimeoutError(f"{words!r} never came; the end of it all: {bytes(self.output[-600:])!r}")
            self.read(0.2)

    def rest(self, seconds: float = PATIENCE) -> None:
        """Read until it has hardly used the processor for a while: what runs in its background has ended too."""
        end = time.monotonic() + seconds
        process, quiet = psutil.Process(self.pid), 0
        while quiet < 4 and time.monotonic() < end:
            before = sum(process.cpu_times()[:2])
            self.settle(0.5, 0.5)
            time.sleep(0.2)
            quiet = quiet + 1 if sum(process.cpu_times()[:2]) - before < 0.05 else 0

    def sip(self, seconds: float, rate: float) -> None:
        """Take no more than `rate` bytes a second, as a slow line does."""
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            size = max(1, round(rate / 50))
            if select.select([self._master], [], [], 0)[0]:
                self.output += os.read(self._master, size)
            time.sleep(max(0.0, now + 1 / 50 - time.perf_counter()))

    def settle(self, quiet: float = 0.5, seconds: float = PATIENCE) -> None:
        """Read until nothing came for a while."""
        end = time.monotonic() + seconds
        while self.read(quiet) and time.monotonic() < end:
            pass


def console(store: Path, *options: str) -> list[str]:
    """The command that opens the console."""
    return [sys.executable, "-m", "console", str(store), *options]
