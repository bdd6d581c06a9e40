"""Real files with hostile names and contents, on a real terminal and on both streams of the commands."""

from __future__ import annotations

import json
import os
import re
import signal
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.e2e.hostile_store import build
from tests.e2e.terminal import Terminal
from tests.e2e.test_terminal import terminal

SEQUENCES = re.compile(r"\x1b\[[?<>=]?[0-9;:$]*[A-Za-z]|\x1b[()][AB0]|\x1b[78=>]|\x1b\]22;[a-z-]*(?:\x1b\\|\x07)")
"""What a terminal program writes: control sequences without any text in them, and the shape of the pointer."""
TITLE = re.compile(r"\x1b\]2;([^\x1b\x07]*)\x1b\\")
"""What sets the terminal's title, whose words must be as harmless as those on the screen."""
ODD_COLOURS = re.compile(r"\x1b\[[0-9;:]*1337")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store; only looked at."""
    return build(tmp_path_factory.mktemp("hostile") / "store")


def steering(text: str) -> list[str]:
    """Characters that steer or hide, beside line ends."""
    return [
        char for char in text if char not in "\r\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]


def shown(console: Terminal, keys: str) -> None:
    """Press a key and take all that comes of it."""
    console.press(keys)
    console.settle()


@pytest.mark.parametrize("size", [(80, 24), pytest.param((200, 50), marks=pytest.mark.slow)])
def test_nothing_but_our_own_sequences_reaches_a_terminal(hostile: Path, size: tuple[int, int]) -> None:
    with terminal(hostile, size=size) as console:
        for keys in ("j", "j", "\r", "t", "\x1b[B", "\x1b", "4", "\x1b", "b", "\x1b", "jj", "l", "\x1b", "u", "\x1b"):
            shown(console, keys)
        for keys in ("v", "\x1b", "e", "\x1b", ":", "\x1b", "?", "\x1b", "/pkl\r", "sss"):
            shown(console, keys)
        assert console.process.poll() is None, "looking ended it"
        console.process.send_signal(signal.SIGTERM)
        assert console.ended() == 128 + signal.SIGTERM
        assert not ODD_COLOURS.search(console.output)
        assert steering(SEQUENCES.sub("", TITLE.sub(r"\1", console.output))) == []


def paths(root: Path) -> Iterator[str]:
    return (str(root / name) for name in sorted(os.listdir(root)) if name.endswith(".pkl"))


@pytest.mark.slow
def test_what_commands_print_is_harmless_and_their_json_is_text(run: Run, hostile: Path) -> None:
    listed = run("ls", str(hostile))
    inspected = [run("inspect", path) for path in paths(hostile)]
    for done in (listed, *inspected, run("history", next(paths(hostile))), run("evaluate", str(hostile / "model.pkl"))):
        assert steering(done.out + done.err) == []
    for argv in (("ls", str(hostile)), ("inspect", str(hostile)), ("inspect", next(paths(hostile)))):
        done = run(*argv, "--json")
        assert done.out.isascii()
        assert steering(done.out + done.err) == []
        json.loads(done.out)
    rows = run("ls", str(hostile), "--json").json
    assert {os.fsencode(row["path"]) for row in rows} == {
        os.fsencode(name) for name in os.listdir(hostile) if name.endswith(".pkl")
    }


def test_what_is_asked_wrongly_is_not_repeated_raw(run: Run, hostile: Path) -> None:
    """As when a shell puts the names of a hostile directory in the place of a `*`."""
    names = [os.fsdecode(name) for name in os.listdir(os.fsencode(hostile))]
    done = run("inspect", *names)
    assert done.code == 2
    assert steering(done.out + done.err) == []
    done = run("inspect", "/nowhere/\x1b[31m\u202e")
    assert done.code == 4
    assert steering(done.err) == []
