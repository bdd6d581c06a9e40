"""The unit, as systemd itself reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from console.records.service import ServeOptions
from console.service.unit import quoted, unit_text

_OPTIONS = ServeOptions(http="127.0.0.1:8080", socket="/run/a b/e.sock", anonymous=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
@pytest.mark.parametrize("name", ["models", 'a "b" 50% $HOME \\x'])
def test_systemd_takes_it_without_a_word(tmp_path: Path, name: str) -> None:
    store, unit = tmp_path / name, tmp_path / "model-console.service"
    store.mkdir()
    unit.write_text(unit_text(store, _OPTIONS, drain_s=20.0))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_starts_this_interpreter_with_the_same_options() -> None:
    text = unit_text(Path("/srv/models"), _OPTIONS, drain_s=20.0)
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    words = ["-m", "console", "serve", "/srv/models", "--http", "127.0.0.1:8080", "--socket", "/run/a b/e.sock"]
    assert line == "ExecStart=" + " ".join(f'"{word}"' for word in (sys.executable, *words, "--anonymous"))
    assert "TimeoutStopSec=35\n" in text
    assert 'ReadWritePaths="/srv/models" "/run/a b"\n' in text


def test_without_http_it_says_so() -> None:
    assert '"--no-http"' in unit_text(Path("/srv"), ServeOptions(), drain_s=1.0)


@pytest.mark.parametrize("forbidden", ["RestrictNamespaces", "SystemCallFilter", "MemoryDenyWriteExecute"])
def test_nothing_in_it_takes_a_layer_from_the_sandboxes(forbidden: str) -> None:
    text = unit_text(Path("/srv"), ServeOptions(), drain_s=1.0)
    assert "Delegate=yes\n" in text
    assert forbidden not in text


@pytest.mark.parametrize(
    ("word", "expected"),
    [("a b", '"a b"'), ('"', '"\\""'), ("\\", '"\\\\"'), ("50%", '"50%%"'), ("a\nb", '"a\\x0ab"'), ("$X", '"$$X"')],
)
def test_words_of_a_command_are_quoted(word: str, expected: str) -> None:
    assert quoted(word, command=True) == expected
