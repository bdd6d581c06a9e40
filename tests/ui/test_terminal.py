"""Output to the terminal says the same in fewer bytes, and a terminal that takes nothing stops nobody."""

from __future__ import annotations

import random
import re
import sys
import time
from pathlib import Path

import pytest

from console.ui.terminal import LATE_S, SILENT_S, Pace, lean
from tests.benchmarks.programs import Program
from tests.ui.measured import Clock

TOKEN = re.compile(r"\x1b\[(?P<y>\d+);(?P<x>\d+)H|(?P<sgr>\x1b\[[\d;]*m)|(?P<new>\n)|(?P<char>.)")
STYLES = ("\x1b[1;38;2;1;2;3m", "\x1b[38;2;9;9;9;48;2;0;0;0m", "\x1b[4m")
Screen = dict[tuple[int, int], tuple[str, str]]


def shown(data: str) -> Screen:
    """Where which character stands in which style, by the few sequences there are."""
    cells: Screen = {}
    y, x, style = 1, 1, ""
    for token in TOKEN.finditer(data):
        if token["y"]:
            y, x = int(token["y"]), int(token["x"])
        elif token["sgr"]:
            style = "" if token["sgr"] == "\x1b[0m" else style + token["sgr"]
        elif token["new"]:
            y, x = y + 1, 1
        else:
            cells[y, x] = token["char"], style
            x += 1
    return cells


@pytest.mark.parametrize("seed", range(50))
def test_lean_output_shows_the_same(seed: int) -> None:
    choice = random.Random(seed)
    parts: list[str] = []
    for _ in range(60):
        kind = choice.randrange(5)
        if kind == 0:
            parts.append(f"\x1b[{choice.randint(1, 20)};{choice.randint(1, 20)}H")
        elif kind == 1:
            parts.append("\n")
        elif kind == 2:
            parts.append(choice.choice((*STYLES, "\x1b[0m")))
        else:
            parts.append(f"{choice.choice(STYLES)}{'ab'[: choice.randint(1, 2)]}\x1b[0m")
    before, after = "".join(parts[:30]), "".join(parts[30:])
    assert shown(lean(before) + lean(after)) == shown(before + after)


def test_a_column_of_one_style_does_not_say_its_style_again() -> None:
    column = "".join(f"\x1b[{row};7H\x1b[1;38;2;1;2;3m⣿\x1b[0m\x1b[{row};8H\n" for row in range(5, 25)) + "\x1b[1;1H"
    assert lean(column).count("\x1b[1;38;2;1;2;3m") <= 2
    assert len(lean(column)) < len(column) / 2.5


def test_other_sequences_pass_as_they_are() -> None:
    for data in ("\x1b[?1049h", "\x1b]52;c;aGVsbG8=\x07", "\x1b[?2026h", "plain", ""):
        assert lean(data) == data


def test_what_moves_by_itself_backs_off_and_comes_back() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.due()
    pace.give()
    early = pace.due(), pace.late
    clock.now += 2 * LATE_S
    assert (early, pace.late) == ((False, False), True)
    periods = []
    for _ in range(100):
        clock.now += 0.1
        pace.due()
        periods.append(pace.period)
    assert periods == sorted(periods)
    assert 2.0 <= periods[-1] <= 5.0
    pace.take(1)
    drawn = 0
    for _ in range(900):
        clock.now += 0.1
        drawn += pace.due()
    assert pace.period == 0.0
    assert all(pace.due() for _ in range(3))
    assert drawn > 400


def test_what_follows_a_key_is_an_answer() -> None:
    now = 100.0
    pace = Pace(lambda: now)
    seen = [pace.answering]
    pace.pressed()
    seen.append(pace.answering)
    now += 0.5
    assert [*seen, pace.answering] == [False, True, False]


def held(pace: Pace) -> bool:
    """Whether pictures wait now."""
    return pace.behind


def is_late(pace: Pace) -> bool:
    """Whether the terminal counts as slow now."""
    return pace.late


def test_a_picture_waits_until_the_terminal_has_answered_the_one_before() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.ask()
    assert not held(pace), "a terminal that has never answered is not waited for"
    assert not pace.ask(), "one question at a time"
    clock.now += 0.2
    pace.answered()
    pace.give()
    pace.take(1)
    assert pace.ask()
    assert held(pace)
    clock.now += 0.3
    assert (held(pace), is_late(pace)) == (True, False), "a way of 0.2 s is not late after 0.3 s"
    clock.now += 0.3
    assert is_late(pace)
    pace.answered()
    assert not held(pace)


def test_a_terminal_that_has_fallen_silent_is_given_up_and_asked_again_later() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.ask()
    pace.answered()
    assert pace.ask()
    clock.now += SILENT_S + 0.1
    assert not held(pace)
    assert not pace.ask()
    clock.now += SILENT_S
    assert pace.ask()
    assert held(pace)
    pace.answered()
    assert not held(pace)


@pytest.mark.slow
def test_a_terminal_that_takes_nothing_does_not_stop_the_console(tmp_path: Path) -> None:
    heart = tmp_path / "heart"

    def wait_for_beats() -> None:
        wanted, end = heart.stat().st_size + 4, time.monotonic() + 20
        while heart.stat().st_size < wanted:
            assert time.monotonic() < end, "the event loop stands still while nothing is read"
            time.sleep(0.01)

    with Program([sys.executable, "-m", "tests.ui.beating_console", str(heart)], size=(120, 40)) as program:
        program.wait_for("probing")
        program.settle(0.3)
        for _ in range(15):
            for key in ("v", "\x1b"):
                program.press(key)
                wait_for_beats()
        since = len(program.output)
        program.press("?")
        program.wait_for("Move down a page", since)
