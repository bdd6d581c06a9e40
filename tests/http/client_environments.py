"""Environments of the clients of others: their own code as it is released, without what it does not import."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UV = "uv==0.13.9"
"""It installs them in seconds where pip takes minutes."""
HERE = Path(__file__).parent


def environment(name: str, home: Path, where: Path = HERE) -> Path:
    """The interpreter with the packages of `name`.txt, made once below `home` for all tests."""
    listed = where / f"{name}.txt"
    key = hashlib.sha256(sys.version.encode() + listed.read_bytes()).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    place = home / f"{name}-{key}"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            _make(place, listed, _uv(home))
            (place / "complete").touch()
    return place / "bin" / "python"


def _uv(home: Path) -> str:
    """This machine's uv, or one that pip puts below `home`."""
    own = home / UV / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--only-binary", ":all:"]
        _run([*pip, "--target", str(home / UV), UV])
        found = str(own)
    return found


def _make(place: Path, listed: Path, uv: str) -> None:
    _run([uv, "venv", "-q", "--no-config", "--python", sys.executable, str(place)])
    install = [uv, "pip", "install", "-q", "--no-config", "--no-cache", "--no-deps", "--only-binary", ":all:"]
    _run([*install, "--python", str(place / "bin" / "python"), "-r", str(listed)])


def _run(command: list[str]) -> None:
    """Run it; a machine that reaches no registry does without the test."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the clients of others are not installed here: {done.stderr.strip()[-300:]}")
