"""The operator's own training program, run under the trainer's limits and sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import Callable

from console.worker.child.main import Refusal

CANDIDATE = "{candidate}"
LINE_CAP = 2000
LINES_CAP = 5000


def run(command: list[str], directory: str, suffix: str, candidate: int, on_line: Callable[[str], None]) -> None:
    """Run `command` in `directory` with {candidate} replaced by a path, then copy what it wrote there to `candidate`.

    A first word of `python` means the interpreter of this trainer. `on_line` gets what it prints, capped. Raises
    Refusal when no word holds {candidate}, when it cannot start, fails, or leaves no candidate.
    """
    if not any(CANDIDATE in part for part in command):
        raise Refusal("bad-input", f"the training command names no {CANDIDATE}: where should it write the model?")
    path = os.path.join(tempfile.mkdtemp(), f"candidate{suffix}")
    words = [part.replace(CANDIDATE, path) for part in command]
    if words[0] in ("python", "python3"):
        words[0] = sys.executable
    try:
        process = subprocess.Popen(
            words, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise Refusal("bad-input", f"the training command {words[0]} cannot start: {error.strerror}") from None
    status = _follow(process, on_line)
    if status != 0:
        how = f"exit code {status}" if status > 0 else f"signal {-status}"
        raise Refusal("command-failed", f"the training command ended with {how}")
    _take(path, candidate)


def _follow(process: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> int:
    assert process.stdout is not None
    told = 0
    with process.stdout as output:
        for line in iter(lambda: output.readline(LINE_CAP), b""):
            told += 1
            if told <= LINES_CAP:
                on_line(line.decode("utf-8", "backslashreplace").rstrip("\r\n"))
    return process.wait()


def _take(path: str, candidate: int) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise Refusal("command-failed", "the training command ended well but wrote no candidate") from None
    with os.fdopen(fd, "rb") as source, os.fdopen(os.dup(candidate), "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
