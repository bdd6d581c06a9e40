"""Data chosen on a real terminal, and remembered by the next session there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal


def session(store: Path, *steps: tuple[str, str]) -> None:
    """A console whose first row is the model: each key is pressed once what comes before it was seen."""
    console = Terminal(store, size=(80, 24))
    try:
        for words, keys in steps:
            console.wait_for(words)
            console.press(keys)
        assert console.ended() == 0
        console.assert_clean()
    finally:
        console.close()


@pytest.mark.slow
def test_the_next_session_drives_without_asking(demo_copy: Path) -> None:
    for one in demo_copy.iterdir():
        if one.name != "churn":
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    (demo_copy / "churn" / "lr.recipe.toml").unlink()
    asked = (("safe", "p"), ("2 data files", "\r"), ("churned", "\r"), ("Use it", "\r"), ("1 probing", "q"))
    session(demo_copy, *asked)
    session(demo_copy, ("safe", "p"), ("1 probing", "q"))
