from __future__ import annotations

import sys
from pathlib import Path

import pytest

from console.errors import OperationError
from console.worker.interpreters import why_unfit
from console.worker.launcher import Launcher


def program(directory: Path, does: str) -> str:
    """A shell script in the place of an interpreter."""
    path = directory / "python"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("echo 'python 3.8 cpython.'", "is Python 3.8, and a worker needs 3.9 or newer"),
        ("echo 'python 2.7 .'", "is Python 2.7, and a worker needs 3.9 or newer"),
        ("echo 'python 3.11 pypy.'", "is pypy, and a worker needs CPython"),
        ("exit 0", "is no Python 3.9 or newer: asked for its version it says nothing"),
        ("echo no such option >&2; exit 2", "is no Python 3.9 or newer: asked for its version it says nothing"),
        ("while :; do echo y; done", "is no Python 3.9 or newer: asked for its version it says “y”"),
        ("printf '\\033[2Jhello'", "is no Python 3.9 or newer: asked for its version it says “\\x1b[2Jhello”"),
    ],
)
def test_what_is_no_fit_interpreter_is_said(tmp_path: Path, does: str, why: str) -> None:
    assert why_unfit(program(tmp_path, does)) == why


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    assert why_unfit(str(tmp_path / "text")) == "cannot be started: exec format error"


def test_our_own_interpreter_is_fit() -> None:
    assert why_unfit(sys.executable) is None


async def test_nothing_is_started_under_an_interpreter_that_is_not_fit(tmp_path: Path) -> None:
    python = program(tmp_path, f'echo "$@" >> {tmp_path / "started"}; echo "python 3.8 cpython."')
    launcher = Launcher()
    try:
        with pytest.raises(OperationError, match=r"is Python 3\.8, and .*; nothing was started") as told:
            await launcher.spawn("worker", label="m", python=python)
    finally:
        await launcher.close()
    assert "environment.python in the recipe" in (told.value.hint or "")
    assert (tmp_path / "started").read_text().count("-I -S -c import sys") == 1
    assert "boot" not in (tmp_path / "started").read_text()
