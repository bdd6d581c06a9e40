"""Time in which the process was stopped passes for no deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from console.awake import Awake
from tests.ui.measured import Clock

SLEEPER = """
import asyncio, os, signal, sys
from console import awake

awake._AWAKE.__init__(lambda: os.stat(sys.argv[1]).st_mtime)

async def main():
    loop = asyncio.get_running_loop()
    awake.follow(loop)
    signal.signal(signal.SIGCONT, awake.went_on)
    there = asyncio.Event()
    loop.add_reader(0, there.set)
    loop.call_soon(os.kill, os.getpid(), signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            await there.wait()
    except TimeoutError:
        print("overdue")
    else:
        print("answered")

asyncio.run(main())
"""


def test_what_passes_while_it_is_stopped_is_not_counted() -> None:
    clock = Clock()
    awake = Awake(clock)
    began = awake.look()
    clock.now += 2.0
    assert awake.look() - began == 2.0
    clock.now += 3600.0
    awake.went_on()
    assert awake.look() - began == 2.0
    clock.now += 1.0
    assert awake.now() - began == 3.0
    awake.went_on()
    assert awake.now() - began >= 2.0, "a signal without a stop takes back no more than the last second"


def test_an_answer_that_came_while_it_was_stopped_is_in_time(tmp_path: Path) -> None:
    """Its clock is the time of a file, which an hour passes for while it is stopped."""
    clock = tmp_path / "clock"
    clock.touch()
    child = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(clock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
    os.utime(clock, (0, clock.stat().st_mtime + 3600))
    child.stdin.write("an answer\n")
    child.stdin.flush()
    child.send_signal(signal.SIGCONT)
    assert child.communicate(timeout=60)[0] == "answered\n"
