"""Real children for every test, and a launcher that must leave nothing behind."""

from __future__ import annotations

import os
import pickle
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import Load, OpenFile, Payload


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[OpenFile]:
    """Write bytes to a file and open it for reading."""
    fds = []

    def write(data: bytes, name: str = "file") -> int:
        path = tmp_path / name
        path.write_bytes(data)
        fds.append(os.open(path, os.O_RDONLY))
        return fds[-1]

    yield write
    for fd in fds:
        os.close(fd)


@pytest.fixture
def evil(open_file: OpenFile) -> Load:
    """A pickle that evaluates an expression when it is loaded."""
    return lambda expression: open_file(pickle.dumps(Payload(expression)), "model.pkl")


def descriptors() -> dict[str, str]:
    """The open descriptors of this process, and where they lead."""
    return {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)}


def _is_open(fd: str) -> bool:
    """Not that of the listing itself, which is closed by now."""
    return os.path.lexists(f"/proc/self/fd/{fd}")


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[Launcher]:
    """A launcher; after the test neither a process nor a descriptor nor a scratch directory of it is left."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    open_before = descriptors()
    found = Launcher()
    yield found
    scratch = Path(found._scratch.path or tmp_path)
    await found.close()
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before
    left = descriptors()
    assert len(left) <= len(open_before), [where for where in left.items() if where not in open_before.items()]
    assert scratch == tmp_path or not scratch.exists()  # noqa: ASYNC240


@pytest.fixture
async def worker(launcher: Launcher) -> Worker:
    """A fresh worker without a model."""
    return await Worker.start(launcher, "model.pkl")
