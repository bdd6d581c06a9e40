"""Ctrl-Z gives the terminal back to the shell and fg takes it whole; where nobody could go on, nothing stops."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from console.config import config_dir
from tests.e2e.terminal import ASK, MODES, PATIENCE, Terminal

ALL_MODES = (*MODES, 1004, 1015, 1016, 2048)
"""With focus, other ways of the mouse and of telling the size."""
NAMES = ("cancer/svm", "churn/lr", "legacy/forest", "trouble/slow", "wine/forest")
KILL_LINE = "\x15"
"""For what the shell was told in the console's place: nothing can be taken back before SIGSTOP."""
READS = "\x1b[?2004h"
"""Bracketed paste, which a shell turns on when it begins to read a line; what comes before is not its editor's."""
PUSHED, POPPED = "\x1b[22;2t", "\x1b[23;2t"


@contextmanager
def terminal(store: Path, *, size: tuple[int, int] = (80, 24), shell: bool = False) -> Iterator[Terminal]:
    """The console on `store`, with the first screen complete."""
    console = Terminal(store, size=size, shell=shell)
    try:
        console.wait_for("blocked")
        console.wait_for("safe")
        yield console
    finally:
        console.close()


def assert_given_back(shell: Terminal) -> None:
    """The shell has a terminal as it likes it: its own screen, no mode of ours, no question left, its own title."""
    for mode in ALL_MODES:
        switched = re.findall(rf"\x1b\[\?{mode}([hl])", shell.output.rpartition("Stopped")[0])
        assert not switched or switched[-1] == "l", f"mode {mode} is still on"
    assert len(re.findall(r"\x1b\[>\d+u", shell.output)) == shell.output.count("\x1b[<u"), "kitty's keys are still on"
    assert shell.output.count(PUSHED) == shell.output.count(POPPED) > 0
    assert ASK not in shell.output.rpartition("\x1b[?1049l")[2], "the shell would get the answer"


def assert_whole(shell: Terminal, since: int) -> None:
    """Every line has been drawn again, not only what has changed."""
    end = time.monotonic() + PATIENCE
    while missing := [name for name in NAMES if name not in re.sub(r"\x1b\[[\d;]*m", "", shell.output[since:])]:
        assert time.monotonic() < end, f"not drawn again: {missing}\n{shell.output[since:]!r}"
        shell.read(0.2)
    assert "\x1b[?1049h" in shell.output[since:]


@pytest.fixture(autouse=True)
def settings() -> None:
    """With a bell; no libraries are loaded beforehand, which costs more than all the rest."""
    path = config_dir() / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("bell = true\nwarm = false\n")


def stopped(console: psutil.Process) -> bool:
    """Whether the kernel has stopped it."""
    return console.status() == psutil.STATUS_STOPPED


def wait_stopped(shell: Terminal, console: psutil.Process, since: int, nudge: str = "") -> None:
    """Until the shell has told it, and reads; of what stops in the background it tells with its next prompt."""
    end = time.monotonic() + PATIENCE
    while READS not in shell.output[since:].partition("Stopped")[2] or not stopped(console):
        assert time.monotonic() < end, f"never stopped:\n{shell.output[-2000:]}"
        shell.press(nudge)
        shell.read(0.1)


@pytest.mark.slow
def test_a_shell_has_its_terminal_back_and_fg_goes_on(demo_copy: Path) -> None:
    with terminal(demo_copy, shell=True) as shell:
        (console,) = psutil.Process(shell.process.pid).children()
        shell.press("l")
        shell.wait_for("1 ready")
        shell.press("\x1a")
        wait_stopped(shell, console, 0)
        assert_given_back(shell)
        below = {child.pid for child in console.children(recursive=True)}
        shell.press("stty -a\n")
        shell.wait_for(" icanon ")
        assert re.search(r" echo ", shell.output), "typing is not seen"
        since = len(shell.output)
        shell.size(100, 27)
        shell.press("fg\n")
        assert_whole(shell, since)
        assert below <= {child.pid for child in console.children(recursive=True)}, "what it had started is gone"
        since = len(shell.output)
        shell.press("\x1a")
        wait_stopped(shell, console, since)
        since = len(shell.output)
        shell.press("bg\n")
        wait_stopped(shell, console, since, nudge="\n")
        assert "\x1b[?1049h" not in shell.output[since:], "it took a terminal that was not its own"
        since = len(shell.output)
        shell.press("fg\n")
        assert_whole(shell, since)
        since = len(shell.output)
        console.send_signal(signal.SIGSTOP)
        wait_stopped(shell, console, since)
        since = len(shell.output)
        shell.press(f"{KILL_LINE}fg\n")
        assert_whole(shell, since)
        since = len(shell.output)
        shell.press("q")
        end = time.monotonic() + PATIENCE
        while POPPED not in shell.output[since:] or psutil.pid_exists(console.pid):
            assert time.monotonic() < end, "it does not end"
            shell.read(0.1)


def bells(output: str) -> int:
    """How often the bell rings; the sign also ends sequences that the mouse's shape is told by."""
    return re.sub(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)", "", output).count("\x07")


def test_without_a_shell_it_goes_on_and_title_and_bell_tell_trouble(demo_copy: Path) -> None:
    with terminal(demo_copy) as console:
        console.press("\x1a")
        console.wait_for("Nothing to suspend to")
        console.process.send_signal(signal.SIGTSTP)
        console.press("?")
        console.wait_for("Move down a page")
        console.wait_for(f"{PUSHED}\x1b]2;model-console: {demo_copy.name}\x1b\\")
        assert bells(console.output) == 0
        demo_copy.rename(demo_copy.with_name("gone"))
        console.wait_for(f"\x1b]2;model-console: {demo_copy.name} · store not there\x1b\\")
        end = time.monotonic() + PATIENCE
        while not bells(console.output):
            assert time.monotonic() < end, "no bell"
            console.read(0.2)
        demo_copy.with_name("gone").rename(demo_copy)
        console.press("q")
        assert console.ended() == 0
        assert bells(console.output) == 1
        assert POPPED in console.output.rpartition("store not there")[2]
        console.assert_clean()
