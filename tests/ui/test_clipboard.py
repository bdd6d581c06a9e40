"""The ladder of copying: a tool, tmux, the terminal, a file."""

from __future__ import annotations

import base64
import re
import stat
from pathlib import Path

import pytest

from console.ui.clipboard import OSC52_LIMIT, copy, osc52


@pytest.fixture
def path_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Put a tool with this name on the PATH; what it is given lands in a file."""

    def make(name: str, code: int = 0) -> Path:
        got = tmp_path / f"{name}.got"
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\ncat > {got}\nexit {code}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
        return got

    return make


async def test_a_desktop_s_own_tool_comes_first(path_with, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    got = path_with("wl-copy")
    said = await copy(
        "trace\nback", lambda _: pytest.fail("not through the terminal"), tmp_path, {"WAYLAND_DISPLAY": "w"}
    )
    assert said == "copied with wl-copy"
    assert got.read_text() == "trace\nback"


async def test_a_tool_that_fails_is_not_believed(path_with, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path_with("xclip", code=1)
    sent: list[str] = []
    said = await copy("x", sent.append, tmp_path, {"DISPLAY": ":0"})
    assert said == "copied through the terminal"
    assert sent == ["\x1b]52;c;eA==\x07"]


async def test_screen_gets_it_in_pieces_it_hands_on(tmp_path: Path) -> None:
    sent: list[str] = []
    await copy("y" * 3000, sent.append, tmp_path, {"STY": "1.pts"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sent[0], re.DOTALL)
    assert len(pieces) > 1
    assert all(len(piece) <= 768 for piece in pieces)
    assert "".join(pieces) == f"\x1b]52;c;{base64.b64encode(b'y' * 3000).decode()}\x07"


async def test_tmux_gets_it_bare_and_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sent: list[str] = []
    await copy("x", sent.append, tmp_path, {"TMUX": "/tmp/none,1,0"})
    assert sent == ["\x1b]52;c;eA==\x07\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"]


async def test_what_is_too_long_goes_to_a_file(tmp_path: Path) -> None:
    text = "z" * OSC52_LIMIT
    said = await copy(text, lambda _: pytest.fail("too long for a terminal"), tmp_path / "state", {})
    (path,) = (tmp_path / "state").iterdir()
    assert str(path) in said
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600


async def test_lone_surrogates_of_a_file_name_are_no_obstacle(tmp_path: Path) -> None:
    sent: list[str] = []
    assert await copy("a\udcffb", sent.append, tmp_path, {}) == "copied through the terminal"
    assert sent == [osc52(base64.b64encode(rb"a\xffb").decode(), {})]
