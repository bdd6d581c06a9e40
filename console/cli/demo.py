"""`demo`: builds the demo store in a process of its own, since that takes scikit-learn, and says how far it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import sample_models
from console.cli.output import Output
from console.config import cache_dir
from console.errors import OperationError


def demo_store(directory: str | None, output: Output) -> Path:
    """The demo store's path, built when it is not there or of an older release. Raises OperationError."""
    path = Path(directory).absolute() if directory else cache_dir() / "demo-store"
    if sample_models.is_current(path):
        return path
    output.say(f"building the demo store in {path}, once")
    command = [sys.executable, "-m", "sample_models", str(path), "--json-progress"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        for line in builder.stdout:
            step = json.loads(line)
            place = f"[{step['done'] + 1:>2}/{step['total']}] " if step["total"] else ""
            output.say(f"{place}{step['text']}")
    if builder.returncode:
        raise OperationError(
            f"the demo store could not be built in {path}", hint="name another place with --build-only DIR"
        )
    return path
