"""Whether the interpreter that a recipe names can run a worker, asked of it before any is started."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from contextlib import suppress

from console.os_errors import why
from console.safe_text import safe

LEAST = (3, 9)
_SECONDS = 20.0
_ANSWER_BYTES = 200
_QUESTION = (
    "import sys; print('python %d.%d %s.' % (sys.version_info[0], sys.version_info[1], "
    "getattr(getattr(sys, 'implementation', None), 'name', '')))"
)
_ANSWER = re.compile(rb"\Apython (\d+)\.(\d+) (\w*)\.")


def why_unfit(python: str) -> str | None:
    """Why no worker can run under the program at `python`, as the end of "the interpreter … "; None where one can.

    The program is started once, without an environment, and ended when it has said something; it may take seconds.
    """
    try:
        said = _asked([python, "-I", "-S", "-c", _QUESTION])
    except OSError as error:
        return f"cannot be started: {why(error)}"
    found = _ANSWER.match(said)
    if found is None:
        line = safe(said.partition(b"\n")[0].decode("utf-8", "replace").strip(), 60)
        told = f"it says “{line}”" if line else "it says nothing"
        return f"is no Python {LEAST[0]}.{LEAST[1]} or newer: asked for its version {told}"
    version, name = (int(found[1]), int(found[2])), found[3].decode("ascii")
    if version < LEAST:
        return f"is Python {version[0]}.{version[1]}, and a worker needs {LEAST[0]}.{LEAST[1]} or newer"
    if name != "cpython":
        return f"is {safe(name)}, and a worker needs CPython"
    return None


def _asked(command: list[str]) -> bytes:
    """The first bytes that a program prints, or nothing. Raises OSError."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, cwd="/"
    )
    assert process.stdout is not None
    said, end = b"", time.monotonic() + _SECONDS
    try:
        while b"\n" not in said and len(said) < _ANSWER_BYTES:
            if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                break
            more = os.read(process.stdout.fileno(), _ANSWER_BYTES)
            if not more:
                break
            said += more
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        process.stdout.close()
    return said
