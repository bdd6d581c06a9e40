"""Whatever the console does when its terminal goes, it is gone within seconds, and so is all it started."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.lost_terminals import Loss, series


def held(losses: list[Loss]) -> list[Loss]:
    """Those that took too long, left something, or are not in the log, which begins with the first picture.

    Who was asked to quit may be through with it before the terminal goes, and then has nothing to tell.
    """
    return [one for one in losses if one.held or not (one.told or one.moment == "start" or had_quit(one))]


def had_quit(one: Loss) -> bool:
    """Whether it ended as the operator had asked, or was met by the signal when it had nothing left to do but end."""
    return one.moment == "quit" and one.code in (0, -signal.SIGHUP)


@pytest.mark.slow
def test_a_terminal_lost_during_an_update_or_a_question(demo_store: Path) -> None:
    assert not held(series(2, busy=0, seed=5, demo=demo_store, names=("update", "dialog")))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_terminals_lost_on_a_busy_machine(demo_store: Path) -> None:
    """A minute or two."""
    assert not held(series(20, busy=4, seed=7, demo=demo_store))
