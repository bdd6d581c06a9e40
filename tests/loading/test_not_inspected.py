"""The machine's failure says nothing about a file: it is not inspected, and tried again; a crash is looked at twice."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from pathlib import Path

import pytest

from console.inspection.inspecting import inspect_in
from console.inspection.service import CannotInspect
from console.records import Verdict
from console.worker.inspector import Inspectors
from console.worker.launcher import Launcher


async def killing(launcher: Launcher, number: int, times: int) -> None:
    """Send a signal to the next inspectors that have a file, before their answer."""
    seen: set[int] = set()
    while len(seen) < times:
        for one in launcher.children:
            if one.busy and one.layers and one.pid not in seen:
                seen.add(one.pid)
                os.kill(one.pid, number)
        await asyncio.sleep(0)


@pytest.fixture
def slow_file(tmp_path: Path) -> int:
    """A file that keeps an inspector busy for long enough to be killed over it."""
    path = tmp_path / "slow.pkl"
    path.write_bytes(pickle.dumps([f"{number}" for number in range(60_000)]))
    return os.open(path, os.O_RDONLY)


@pytest.mark.parametrize(
    ("number", "times", "code", "verdict"),
    [
        (signal.SIGSEGV, 1, None, None),
        (signal.SIGKILL, 1, None, None),
        (signal.SIGSEGV, 2, "died", Verdict.DAMAGED),
        (signal.SIGKILL, 2, "not-inspected", None),
    ],
    ids=["crashed-once", "killed-once", "crashed-twice", "killed-twice"],
)
async def test_only_a_second_crash_is_the_files_doing(
    slow_file: int, number: int, times: int, code: str | None, verdict: Verdict | None
) -> None:
    launcher = Launcher()
    inspect = inspect_in(Inspectors(launcher, 1))
    killer = asyncio.create_task(killing(launcher, number, times))
    try:
        if code is None:
            assert (await inspect(slow_file, "slow.pkl")).format == "pickle"
            return
        with pytest.raises(CannotInspect) as caught:
            await inspect(slow_file, "slow.pkl")
        assert (caught.value.reason.code, caught.value.verdict) == (code, verdict)
        said = "a second inspector" if verdict else "not inspected, because the inspector was killed"
        assert said in caught.value.reason.detail
    finally:
        killer.cancel()
        await launcher.close()
        os.close(slow_file)
