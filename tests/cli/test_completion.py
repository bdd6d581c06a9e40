"""The completion scripts in real shells: what a tab makes of what was typed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli.completion import script
from console.cli.parser import commands_parser

SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], "source {script}"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -U compinit && compinit -u -D; source {script}; compdef _shtab_model_console model-console",
    ),
}
TYPED = {
    "a command": ("model-console docto\t", "model-console doctor "),
    "an option": ("model-console probe --sec\t", "--seconds "),
    "a choice": ("model-console convert --to jo\t", "--to joblib "),
    "one of two words": ("model-console audit veri\t", "audit verify "),
    "a word about tokens": ("model-console token rev\t", "token revoke "),
    "an artifact": ("model-console inspect wine/for\t", "wine/forest.joblib "),
    "a name with a blank": ("model-console predict my\t", "my\\ model.pkl "),
    "a file of an option": ("model-console predict m --data wine/ro\t", "--data wine/rows.csv "),
    "a store": ("model-console win\t", "model-console wine/"),
    "a theme": ("model-console --theme console-l\t", "--theme console-light "),
    "a theme of the demo": ("model-console demo --theme ansi-d\t", "--theme ansi-dark "),
    "a screen": ("model-console --screen ev\t", "--screen events "),
    "a screen of a model": ("model-console --screen hist\t#", "--screen history:#"),
    "a format": ("model-console convert m --to hd\t", "--to hdf5 "),
    "a key of how to read": ("model-console predict m --read miss\t#", "--read missing=#"),
    "a value of how to read": ("model-console evaluate m --read header=tr\t", "--read header=true "),
    "an encoding": ("model-console probe m --read encoding=cp\t", "--read encoding=cp1252 "),
    "another one": ("model-console update m --read header=true --read encoding=lat\t", "--read encoding=latin-1 "),
    "the ways to read": ("model-console predict m --read sep=\t\t", "\\;"),
    "an option after it": ("model-console evaluate m --read header=true --targ\t", "header=true --target "),
}


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self.terminal, other = pty.openpty()
        environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(directory), "PS1": "$ "}
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, cwd=directory, env=environment, start_new_session=True
        )
        os.close(other)
        self.seen = ""

    def type(self, text: str) -> None:
        """Send keys."""
        os.write(self.terminal, text.encode())

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Read until this was shown."""
        until = time.monotonic() + seconds
        while text not in self.seen:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} is not in {self.seen!r}"
            if select.select([self.terminal], [], [], left)[0]:
                self.seen += os.read(self.terminal, 4096).decode()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    directory = tmp_path_factory.mktemp(name)
    (directory / "wine").mkdir()
    for each in ("wine/forest.joblib", "wine/rows.csv", "my model.pkl"):
        (directory / each).touch()
    (directory / "script").write_text(script(commands_parser(), name))
    command, load = SHELLS[name]
    one = Shell(command, directory)
    one.type(load.format(script=directory / "script") + "; echo load''ed\n")
    one.wait_for("loaded")
    yield one
    one.close()


@pytest.mark.parametrize("title", TYPED)
def test_a_tab_completes(shell: Shell, title: str) -> None:
    typed, shown = TYPED[title]
    shell.seen = ""
    shell.type(typed)
    shell.wait_for(shown)
    shell.type("\x15")
