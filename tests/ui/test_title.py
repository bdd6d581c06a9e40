"""The terminal's title and bell: what they say, how often, and that nothing steers the terminal through them."""

from __future__ import annotations

import re

import pytest

from console.records import Event, EventKind
from console.ui import text
from console.ui.bell import BURST_S, OWN_DOING_S, REST_S, Bell
from console.ui.title import Title, takes_title, title_words
from tests.ui.measured import Clock

STEERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202e]")


def test_it_names_store_and_trouble() -> None:
    assert title_words("/srv/models", {"ready": 3}, False) == "model-console: models"
    counts = {"failing": 2, "error": 1, "blocked": 4}
    assert title_words("/srv/models", counts, False) == "model-console: models · 2 failing, 1 dead"
    assert title_words("/srv/models", {}, True) == "model-console: models · store not there"
    assert title_words("/", {}, False) == "model-console: /"


@pytest.mark.parametrize("name", ["a\x1b]0;owned\x07", "b\x9c\x9d", "c\nd", "\u202egnp", "\x1b[2J", "x" * 300])
def test_a_hostile_name_steers_nothing(name: str) -> None:
    words = title_words(f"/srv/{name}", {"failing": 1}, False)
    assert not STEERS.search(words)
    assert len(words) < 120
    assert words.endswith("1 failing")


def test_it_is_ascii_where_nothing_else_is_drawn() -> None:
    text.use_ascii(True)
    try:
        assert title_words("/srv/modèles", {"failing": 1}, False) == "model-console: mod?les - 1 failing"
    finally:
        text.use_ascii(False)


def test_it_is_written_when_it_changes_and_put_back_at_the_end() -> None:
    said: list[str] = []
    title = Title(said.append, "xterm-256color")
    title.tell("before the terminal is taken")
    assert said == []
    title.take()
    title.tell("one")
    title.tell("one")
    title.tell("two")
    title.give_back()
    title.tell("three")
    title.give_back()
    title.take()
    assert said == [
        "\x1b[22;2t\x1b]2;before the terminal is taken\x1b\\",
        "\x1b]2;one\x1b\\",
        "\x1b]2;two\x1b\\",
        "\x1b]2;\x1b\\\x1b[23;2t",
        "\x1b[22;2t\x1b]2;three\x1b\\",
    ]


@pytest.mark.parametrize("terminal", ["", "dumb", "linux", "linux-16color", "vt100", "cons25"])
def test_a_terminal_without_titles_gets_none(terminal: str) -> None:
    said: list[str] = []
    title = Title(said.append, terminal)
    title.take()
    title.tell("words")
    title.give_back()
    assert said == []
    assert all(map(takes_title, ("xterm-256color", "screen-256color", "tmux", "foot", "alacritty")))


def failed(subject: str, words: str, kind: str = "failure.added", severity: str = "failure") -> Event:
    """Something that went wrong."""
    return Event(EventKind(kind), 0.0, subject, words, severity)


def test_the_bell_rings_once_for_a_new_trouble() -> None:
    clock = Clock()
    asked: dict[str, float] = {}
    bell = Bell(asked, clock)
    died = failed("a", "a died: exit 11; it starts again in 2 s", "worker.error")
    rang = [bell.rings([died])]
    for wait in (1, 4, 40, 400):
        clock.now += wait
        rang.append(bell.rings([failed("a", f"a died: exit 11; it starts again in {wait} s", "worker.error")]))
    assert rang == [True, False, False, False, False]
    assert bell.rings([failed("a", "a raised ValueError")]), "that is another trouble"
    clock.now += BURST_S
    assert not bell.rings([failed("b", "b is ready", severity="ok")])
    assert bell.rings([failed("b", "b raised"), failed("c", "c raised")])
    clock.now += BURST_S / 2
    assert not bell.rings([failed("d", "d raised")]), "what fails together rings once"


def test_the_second_telling_of_one_death_does_not_ring_later_either() -> None:
    clock = Clock()
    bell = Bell({}, clock)
    pair = [failed("a", "predict: segmentation fault"), failed("a", "a died", "worker.error")]
    rang = [bell.rings(pair)]
    clock.now += 2 * REST_S
    rang.append(bell.rings(pair[::-1]))
    assert rang == [True, False]


def test_what_the_operator_has_just_done_rings_nothing_and_begins_anew() -> None:
    clock = Clock()
    asked = {"a": clock.now}
    bell = Bell(asked, clock)
    raised = failed("a", "a raised ValueError")
    clock.now += OWN_DOING_S / 2
    assert not bell.rings([raised])
    clock.now += 10 * REST_S
    assert not bell.rings([raised]), "it was seen when it came"
    asked["a"] = clock.now
    clock.now += 2 * OWN_DOING_S
    assert bell.rings([raised]), "it fails again after somebody has seen to it"
