"""`--screen` and `--filter`: what the console begins with, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from console.cli import main
from console.composition import LocalDoor
from console.config import Settings
from console.start import Start


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[Start]]]:
    """Runs a command line that may open the console; the exit code, and what it began with."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    found: list[Start] = []

    def opens(_root: Path, _settings: Settings, start: Start) -> int:
        found.append(start)
        return 0

    return lambda *argv: (main.run(argv, LocalDoor(), opens, lambda: None), found)


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ((), Start("home", "", None)),
        (("--screen", "events"), Start("events", "", None)),
        (("--screen", "charts"), Start("charts", "", None)),
        (("--screen", "errors:churn/lr"), Start("errors", "churn/lr", None)),
        (("--screen", "output:churn/lr"), Start("output", "churn/lr", None)),
        (("--screen=live:a:b.pkl", "--filter", "!trouble"), Start("live", "a:b.pkl", "!trouble")),
        (("--filter", ""), Start("home", "", "")),
    ],
)
def test_what_the_console_begins_with(
    begun: Callable[..., tuple[int, list[Start]]], tmp_path: Path, words: tuple[str, ...], start: Start
) -> None:
    assert begun(*words, str(tmp_path)) == (0, [start])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("evnts", "there is no screen 'evnts': did you mean events?"),
        ("hstory:churn/lr", "there is no screen 'hstory': did you mean history:churn/lr?"),
        ("frobnicate", "it is one of home, charts, "),
        ("model", "model is about a model, which is to be named: model:churn/lr"),
        ("live:", "live is about a model, which is to be named: live:churn/lr"),
        ("events:churn/lr", "events is about no model: say --screen events"),
        ("", "argument --screen: must not be empty"),
    ],
)
def test_a_screen_that_cannot_be_is_a_mistake_with_what_was_meant(
    begun: Callable[..., tuple[int, list[Start]]],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    word: str,
    said: str,
) -> None:
    assert begun("--screen", word, str(tmp_path)) == (2, [])
    assert said in capsys.readouterr().err
