"""`serve` in a process of its own, as a service manager starts it and hears of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil

from console.service import runtime

LIMIT_S = 250


class Served:
    """One `model-console serve` of a store, from its start to its end."""

    def __init__(self, store: Path, *options: str, **environment: str) -> None:
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.bind("")
        self._heard.settimeout(LIMIT_S)
        name = self._heard.getsockname().decode().replace("\0", "@")
        self.lines: list[str] = []
        """Lines of its log that were read."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console", "serve", str(store), *options],
            env={**os.environ, "NOTIFY_SOCKET": name, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._heard.close()
        self._stderr.close()

    def hear(self, begin: str) -> str:
        """The next thing the service manager is told that begins so."""
        while not (told := self._heard.recv(4096).decode()).startswith(begin):
            pass
        return told

    def children(self) -> list[psutil.Process]:
        """Everything that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and tell the exit code."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def read(self, text: str) -> str:
        """The next line of its log that holds a text, which may have been read before."""
        for line in self.lines:
            if text in line:
                return line
        while line := self._stderr.readline():
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"nothing says {text!r}: {self.lines}")

    def port(self) -> int:
        """The port of HTTP, which its log tells."""
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.read("ask http://"))
        assert found is not None
        return int(found[1])

    @property
    def _stderr(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr


def own_directories(home: str) -> dict[str, str]:
    """The environment of a `serve` that outlives one test; the path of its socket is as short as that of `home`."""
    kinds = {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CONFIG", "CACHE", "STATE", "DATA")}
    return {**kinds, runtime.VARIABLE: f"{home}/run"}


def command(*words: str) -> tuple[int, Any, str]:
    """Run another command: its exit code, its JSON if it is to tell any, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "console", *words], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def until(holds: Callable[[], object]) -> bool:
    """Whether what another process does has been seen, before too long."""
    ends = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
