"""The operator's own training program, run under the trainer's limits and sandbox."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from typing import Callable

from backends.core.errors import Refusal

CANDIDATE = "{candidate}"
LINE_CAP = 2000
LINES_A_SECOND = 500
LAST_LINES = 40
"""Of what a program prints faster than that, the last of these lines."""
LOOK_MS = 50
"""How often it is looked whether the program has ended: what it started may hold its output open."""
END_SECONDS = 5.0
PAUSE_S = 0.002

OnLine = Callable[[str], None]


def run(command: list[str], directory: str, suffix: str, candidate: int, on_line: OnLine, console: int) -> None:
    """Run `command` in `directory` with {candidate} replaced by a path, then copy what it wrote there to `candidate`.

    A first word of `python` means the interpreter of this trainer. `on_line` gets what it prints, capped. Whatever the
    program started ends with it, and all of it with the console, at the descriptor `console`. Raises Refusal when no
    word holds {candidate}, when it cannot start, fails, or leaves no candidate.
    """
    if not any(CANDIDATE in part for part in command):
        raise Refusal("bad-input", f"the training command names no {CANDIDATE}: where should it write the model?")
    path = os.path.join(tempfile.mkdtemp(), f"candidate{suffix}")
    words = [part.replace(CANDIDATE, path) for part in command]
    if words[0] in ("python", "python3"):
        words[0] = sys.executable
    try:
        process = subprocess.Popen(
            words,
            cwd=directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise Refusal("bad-input", f"the training command {words[0]} cannot start: {error.strerror}") from None
    lines = _Lines(on_line)
    try:
        status = _follow(process, lines, console)
    finally:
        end_children()
    if status != 0:
        how = f"exit code {status}" if status > 0 else f"signal {-status}"
        message = f"the training command ended with {how}{': ' if lines.last else ''}{lines.last[:300]}"
        raise Refusal("command-failed", message, {"exit": how})
    _take(path, candidate)


def _follow(process: subprocess.Popen[bytes], lines: _Lines, console: int) -> int:
    """Tell what it prints until it ends; its status. Ends this process when there is a word of the console, or none of
    it any more."""
    assert process.stdout is not None
    output = process.stdout.fileno()
    poll = select.poll()
    poll.register(console, select.POLLIN)
    poll.register(output, select.POLLIN)
    while process.poll() is None:
        for fd, _ in poll.poll(LOOK_MS):
            if fd == console:
                end_children()
                os._exit(0)
            if not lines.read(output):
                poll.unregister(output)
    os.set_blocking(output, False)
    with suppress(BlockingIOError):
        while lines.read(output):
            pass
    lines.end()
    process.stdout.close()
    return process.returncode


class _Lines:
    """The output of a program, told line by line; a line that is too long is told in pieces.

    Of what comes faster than can be told the last lines are kept and told at the end. `last` is the last line.
    """

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self._begun = b""
        self._told = 0
        self._since = time.monotonic()
        self._kept: deque[str] = deque(maxlen=LAST_LINES)
        self.last = ""

    def read(self, fd: int) -> bool:
        """Take what is there; whether there may be more. Raises BlockingIOError."""
        data = os.read(fd, 1 << 16)
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._take(line)
        while len(self._begun) > LINE_CAP:
            self._take(self._begun[:LINE_CAP])
            self._begun = self._begun[LINE_CAP:]
        return bool(data)

    def end(self) -> None:
        """Tell what has no end of line, and what was kept."""
        if self._begun:
            self._take(self._begun)
        self._tell()

    def _take(self, line: bytes) -> None:
        for start in range(0, len(line) or 1, LINE_CAP):
            text = line[start : start + LINE_CAP].decode("utf-8", "backslashreplace").rstrip("\r")
            self.last = text.strip() or self.last
            self._kept.append(text)
            if time.monotonic() - self._since > 1.0:
                self._told, self._since = 0, time.monotonic()
            self._told += 1
            if self._told <= LINES_A_SECOND:
                self._tell()

    def _tell(self) -> None:
        while self._kept:
            self._on_line(self._kept.popleft())


def end_children() -> None:
    """Kill every process below this one: what a killed one leaves behind becomes a child of this process, until there
    is none."""
    until = time.monotonic() + END_SECONDS
    while time.monotonic() < until:
        for pid in _children():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(PAUSE_S)


def _children() -> list[int]:
    found = []
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError), open(f"/proc/self/task/{task}/children", encoding="ascii") as children:
            found += [int(pid) for pid in children.read().split()]
    return found


def _take(path: str, candidate: int) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise Refusal("command-failed", "the training command ended well but wrote no candidate") from None
    with os.fdopen(fd, "rb") as source, os.fdopen(os.dup(candidate), "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
