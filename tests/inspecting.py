"""Artifacts inspected as an inspector does it, in the test's own process."""

from __future__ import annotations

import tempfile
from pathlib import Path

from backends.core import registry
from backends.core.inspection import Inspection
from backends.core.source import Source


def inspect_file(path: Path) -> Inspection:
    """The inspection of a file."""
    with path.open("rb") as file:
        return registry.inspect(Source(file.fileno(), path.name))


def inspect_bytes(data: bytes, name: str = "model.pkl") -> Inspection:
    """The inspection of these bytes, as a file of this name."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return registry.inspect(Source(file.fileno(), name))
