"""The README's walk through the demo, step by step in a real terminal multiplexer, at the sizes people have.

Keys are pressed until what they bring is on the screen; nothing depends on how long that takes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.config import state_dir
from tests.e2e.terminal import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
PATIENCE_SECONDS = 120.0
_AGAIN_SECONDS = 3.0
"""After so long without an effect a key that may be pressed twice is pressed again."""


class Tmux:
    """The console in a window of a tmux server of its own."""

    def __init__(self, socket: Path, size: tuple[int, int], command: list[str]) -> None:
        self._tmux = ("tmux", "-f", os.devnull, "-S", str(socket))
        words = shlex.join(["env", f"PYTHONPATH={ROOT}", *command])
        self._run("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), f"{words}; read -r _")

    def _run(self, *words: str) -> str:
        environ = {name: value for name, value in os.environ.items() if name != "TMUX"}
        return subprocess.run((*self._tmux, *words), capture_output=True, text=True, check=True, env=environ).stdout

    def screen(self) -> str:
        """The picture on the terminal."""
        return self._run("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Send keys by tmux's names."""
        self._run("send-keys", *keys)

    def write(self, words: str) -> None:
        """Send text as it is."""
        self._run("send-keys", "-l", words)

    def until(
        self,
        *words: str,
        keys: tuple[str, ...] = (),
        again: bool = False,
        what: Callable[[str], object] = lambda _screen: True,
    ) -> None:
        """Press keys, and wait until the screen shows all of these words together; with `again` press now and then."""
        end, due = time.monotonic() + PATIENCE_SECONDS, 0.0
        while True:
            screen = self.screen()
            if all(re.search(word, screen) for word in words) and what(screen):
                return
            assert time.monotonic() < end, f"{keys} never brought {words}:\n{screen}"
            if keys and time.monotonic() > due:
                self.press(*keys)
                due = time.monotonic() + _AGAIN_SECONDS if again else end
            time.sleep(0.05)

    def close(self) -> None:
        """End it with everything in it."""
        subprocess.run((*self._tmux, "kill-server"), check=False, capture_output=True)


@contextmanager
def demo(tmp_path: Path, store: Path, size: tuple[int, int]) -> Iterator[Tmux]:
    """The console on the demo store, all of it read."""
    tmux = Tmux(tmp_path / "socket", size, [sys.executable, "-m", "console", str(store)])
    try:
        tmux.until("20 models", "1 blocked", "1 damaged", what=lambda screen: "reading" not in screen)
        yield tmux
    finally:
        tmux.close()


def choose(tmux: Tmux, name: str) -> None:
    """On the table, put the cursor on the one row of this name."""
    tmux.until("enter keep", keys=("/",))
    tmux.write(name)
    tmux.until("1 of 20")
    tmux.press("Enter")
    tmux.until(f"▌ . .*{name}")


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_the_walk(demo_copy: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    with demo(tmp_path, demo_copy, size) as tmux:
        tmux.until("▌ ✖ blocked +trouble/do-not-load", "byte 867", keys=("!",))
        tmux.until("do-not-load.pkl is blocked: posix.system", keys=("l",))
        choose(tmux, "wine/forest")
        tmux.press("l")
        tmux.until("1 overview", keys=("Enter",))
        tmux.press("p")
        tmux.until("probe 20/s, reached", "─latency", "─throughput", "─memory", r"accuracy \d")
        tmux.until("probe (50|100|200|500)/s, reached", keys=(">",))
        tmux.until("batch [248]", keys=(")",))
        tmux.until("held; measuring goes on", keys=("Space",))
        exported(tmux, "E", "*.csv")
        exported(tmux, "C-s", "*.svg")


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_the_walk_to_what_goes_in_and_out(demo_copy: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    with demo(tmp_path, demo_copy, size) as tmux:
        choose(tmux, "digits/mlp")
        tmux.press("l")
        tmux.until("1 overview", keys=("Enter",))
        tmux.until("▀▀▀▀▀▀▀▀", "predicted", "truth", keys=("3",))


@pytest.mark.parametrize(
    ("name", "key", "size", "words"),
    [
        ("trouble/raises", "p", (80, 24), ("X has 13 features, but", "→ the rows have 13 columns")),
        ("trouble/dies", "p", (160, 48), ("segmentation fault", "→ native code crashed")),
        ("legacy/forest", "l", (80, 24), ("incompatible", "→ written with scikit-learn 1.2.2")),
    ],
)
def test_the_walk_through_what_fails(
    demo_copy: Path, tmp_path: Path, name: str, key: str, size: tuple[int, int], words: tuple[str, ...]
) -> None:
    with demo(tmp_path, demo_copy, size) as tmux:
        choose(tmux, name)
        tmux.press(key)
        tmux.until("1 (failing|error)")
        tmux.until(*words, keys=("e",))
        tmux.until("copied|written to", keys=("c",))


def test_the_walk_through_an_update(demo_copy: Path, tmp_path: Path) -> None:
    with demo(tmp_path, demo_copy, (80, 24)) as tmux:
        choose(tmux, "churn/lr")
        tmux.until("enter retrain", keys=("u",))
        tmux.until("✔ the candidate meets the gate", "current +candidate", keys=("Enter",))
        tmux.until("Replace .*churn/lr", keys=("P",))
        tmux.press("y")
        tmux.until("STATE")
        tmux.until("● current +2 .*\n.* 1 ", keys=("h",))
        tmux.until("Put version 1", keys=("j", "B"))
        tmux.press("y")
        tmux.until("● current +1 ")


def test_the_walk_to_a_change_from_another_shell(demo_copy: Path, tmp_path: Path) -> None:
    with demo(tmp_path, demo_copy, (80, 24)) as tmux:
        choose(tmux, "sensors/online")
        tmux.press("l")
        tmux.until("▌ ● ready +sensors/online")
        for command in (("update", "--yes"), ("update", "--yes"), ("rollback",)):
            path = demo_copy / "sensors" / "online.pkl"
            subprocess.run(
                (sys.executable, "-m", "console", command[0], str(path), *command[1:]),
                check=True, cwd=ROOT, capture_output=True,
            )  # fmt: skip
            tmux.until("▌ ▲ changed +sensors/online")
            tmux.press("r")
            tmux.until("▌ ● ready +sensors/online")


def exported(tmux: Tmux, key: str, pattern: str) -> None:
    """Press a key until a new file is there."""
    folder = state_dir() / "exports"
    before = len(list(folder.glob(pattern)))
    tmux.press(key)
    tmux.until(what=lambda _screen: len(list(folder.glob(pattern))) > before)
