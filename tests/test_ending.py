"""The end of a process is over in time whatever holds it up, and the log tells what did."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from console.config import state_dir

ROOT = Path(__file__).parents[1]
PROGRAM = """
import queue, re, subprocess, sys, threading, time
from console import ending
ending._KILL_S, ending._ACCOUNT_S, ending.DEADLINE_S = {kill}, 0.4, 0.8
held = threading.Lock()
held.acquire()
full = queue.Queue(1)
full.put(1)
endless = threading.Thread(target=time.sleep, args=(60,))
told = threading.Event()
with ending.heard("program", lambda number: told.set(), terminal=0 if sys.stdin.isatty() else None):
    print("ready", flush=True)
    def act(): {act}
    act()
sys.exit(7)
"""
SLEEPS = "[sys.executable, '-c', 'import subprocess; subprocess.run([\"sleep\", \"60\"])']"
HOLDING = {
    "queue": "full.put(2)",
    "lock": "held.acquire()",
    "thread": "endless.start(); endless.join()",
    "child": f"subprocess.run({SLEEPS})",
    "interpreter": "re.match('(a|a)*$', 'a' * 60 + 'b')",
    "leftover": "told.wait(); endless.start()",
}


def started(
    act: str, *, stdin: int = subprocess.DEVNULL, first: Callable[[], object] | None = None, kill: float = 60.0
) -> subprocess.Popen[str]:
    """A program that does this, and is ready."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(act=act, kill=kill)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=first or _hearing,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


def _hearing() -> None:
    """Hear SIGHUP, which who started the tests may have told them to ignore."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


NO_THREAD = (
    "import resource; size = int(open('/proc/self/statm').read().split()[0]) * 4096 + (4 << 20); "
    "resource.setrlimit(resource.RLIMIT_AS, (size, size)); print('limited', flush=True); told.wait()"
)
"""Leaves less memory than the stack of another thread takes."""


def log() -> str:
    return (state_dir() / "endings.log").read_text()


@pytest.mark.parametrize("holds", sorted(HOLDING))
def test_nothing_holds_up_an_end(holds: str) -> None:
    with started(HOLDING[holds]) as program:
        program.send_signal(signal.SIGHUP)
        assert program.wait(10) == -signal.SIGALRM


def test_an_end_is_in_order_where_no_thread_can_be_started() -> None:
    with started(NO_THREAD) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "limited\n"
        program.send_signal(signal.SIGHUP)
        assert program.wait(10) == 7
    assert "told to end by SIGHUP" in log()


def test_the_log_tells_what_held_it_up() -> None:
    with started("full.put(2)") as program:
        program.send_signal(signal.SIGTERM)
        program.wait(10)
    assert "program: told to end by SIGTERM" in log()
    assert 'queue.py", line' in log()
    assert "ended in order" not in log()


def test_what_is_left_below_is_killed_to_the_last() -> None:
    with started(f"subprocess.run({SLEEPS})", kill=0.2) as program:
        below: list[psutil.Process] = []
        while len(below) < 2:
            below = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(signal.SIGHUP)
        assert program.wait(10) == 7
        assert not psutil.wait_procs(below, timeout=10)[1]
    assert "killed what it had started" in log()


def test_an_end_in_order_is_its_own() -> None:
    with started("told.wait()") as program:
        program.send_signal(signal.SIGHUP)
        assert program.wait(10) == 7
    assert "program: ended in order after 0.0 s" in log()


def test_a_second_signal_neither_hastens_nor_delays_it() -> None:
    with started("held.acquire()") as program:
        begun = time.monotonic()
        while program.poll() is None:
            program.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert program.returncode == -signal.SIGALRM
        assert time.monotonic() - begun > 0.7
    assert log().count("told to end") == 1


def test_a_terminal_that_goes_without_a_signal_is_noticed() -> None:
    master, slave = pty.openpty()
    with started("told.wait() and sys.stdin.read()", stdin=slave) as program:
        os.close(slave)
        os.close(master)
        assert program.wait(10) == 7
    assert "program: the terminal is gone" in log()


def test_who_was_told_to_ignore_a_hang_up_goes_on() -> None:
    with started("sys.stdout.write(str(told.wait(0.5)))", first=ignoring) as program:
        program.send_signal(signal.SIGHUP)
        assert program.communicate(timeout=10)[0] == "False"
        assert program.returncode == 7


def ignoring() -> None:
    """As `nohup` does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_log_that_has_grown_long_is_put_aside() -> None:
    path = state_dir() / "endings.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * (300 << 10))
    with started("told.wait()") as program:
        program.send_signal(signal.SIGHUP)
        program.wait(10)
    assert len(log()) < 1000
    assert path.with_suffix(".old.log").stat().st_size == 300 << 10
