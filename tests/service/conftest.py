"""A runtime directory of each test's own, whose path is short enough for a socket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.service import runtime


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runtime directory."""
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as directory:
        monkeypatch.setenv(runtime.VARIABLE, f"{directory}/run")
        yield Path(directory, "run")
