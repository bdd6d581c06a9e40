"""Doing something as another user: in a forked child, since nobody comes back from that."""

from __future__ import annotations

import encodings.ascii  # noqa: F401  (the interpreter may be readable by root alone)
import json
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from console.errors import ConsoleError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


@pytest.fixture
def public() -> Iterator[Path]:
    """A store that every user reaches; pytest's own directories are their owner's alone."""
    base = Path(tempfile.mkdtemp(prefix="public-"))
    os.chmod(base, 0o755)
    root = base / "store"
    root.mkdir()
    os.chmod(root, 0o755)
    yield root
    shutil.rmtree(base)


def as_user(uid: int, groups: Sequence[int], work: Callable[[], Any], umask: int = 0o022) -> Any:
    """The result of `work` (as JSON), done by this user with these groups, the first of them the user's own, or the
    message of the ConsoleError it raised as {"error": ...}."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            os.umask(umask)
            os.setgroups(list(groups))
            os.setgid(groups[0] if groups else uid)
            os.setuid(uid)
            try:
                told = work()
            except ConsoleError as error:
                told = {"error": error.message}
            os.write(write, json.dumps(told).encode())
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    assert said, "it failed; see its traceback"
    return json.loads(said)
