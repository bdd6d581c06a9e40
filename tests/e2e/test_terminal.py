"""The console on a real terminal: it starts, answers, leaves the terminal as it was, and leaves no child behind."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from console.config import state_dir
from console.trust.audit import Audit
from tests.e2e.lost_terminals import LIMIT_S
from tests.e2e.terminal import ROOT, Terminal


@contextmanager
def terminal(store: Path, *options: str, size: tuple[int, int] = (80, 24), shell: bool = False) -> Iterator[Terminal]:
    """The console on `store`, with the first screen complete."""
    console = Terminal(store, *options, size=size, shell=shell)
    try:
        console.wait_for("blocked")
        console.wait_for("safe")
        yield console
    finally:
        console.close()


def test_it_loads_a_model_and_quits_clean(demo_copy: Path) -> None:
    with terminal(demo_copy, size=(120, 40)) as console:
        console.press("l")
        console.wait_for("1 ready")
        console.output = console.output[-200:]
        console.size(100, 30)
        console.wait_for("STATE")
        console.press("q")
        assert console.ended() == 0
        console.assert_clean()


@pytest.mark.slow
def test_a_locked_audit_log_freezes_nothing(demo_copy: Path) -> None:
    Audit(demo_copy).append("test")
    log = Audit(demo_copy).path
    with terminal(demo_copy, size=(120, 40)) as console, log.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        console.press("l")
        console.press("?")
        console.wait_for("keys of the")
        console.press("\x1b")
        console.wait_for("by process")
        console.press("l")
        pressed = time.monotonic()
        console.press("q")
        assert console.ended() == 0
        assert time.monotonic() - pressed < 4
        console.assert_clean()


@pytest.mark.parametrize(("number", "options"), [(signal.SIGTERM, ()), (signal.SIGHUP, ("--no-mouse",))])
def test_a_signal_ends_it_clean(demo_copy: Path, number: signal.Signals, options: tuple[str, ...]) -> None:
    """Without a mouse the terminal keeps its own."""
    with terminal(demo_copy, *options) as console:
        console.process.send_signal(number)
        assert console.ended() == 128 + number
        console.assert_clean()
        assert ("\x1b[?1003h" in console.output) == (not options)


def test_a_lost_terminal_ends_it_and_its_children(demo_copy: Path) -> None:
    with terminal(demo_copy) as console:
        console.lose()
        assert console.process.wait(LIMIT_S) == 129
        console.assert_no_child()
    log = state_dir() / "endings.log"
    assert f"console on {demo_copy}: the terminal is gone" in log.read_text()
    assert "ended in order" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_stopped_from_a_shell_it_comes_back_or_ends_with_the_terminal(demo_copy: Path) -> None:
    with terminal(demo_copy, shell=True) as shell:
        (console,) = psutil.Process(shell.process.pid).children()
        console.send_signal(signal.SIGTSTP)
        shell.wait_for("Stopped")
        shell.output = ""
        shell.press("fg\n")
        shell.wait_for("safe")
        shell.press("?")
        shell.wait_for("Move down a page")
        console.send_signal(signal.SIGTSTP)
        shell.wait_for("Stopped")
        shell.note_children()
        shell.lose()
        console.wait(LIMIT_S)
        shell.assert_no_child()


def test_killed_without_a_word_it_leaves_no_child(demo_copy: Path) -> None:
    with terminal(demo_copy) as console:
        console.process.kill()
        console.process.wait()
        console.assert_no_child()


def test_without_a_terminal_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "Traceback" not in done.stderr
