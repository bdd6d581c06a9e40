"""Words and numbers as the screens write them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.records import Artifact, Verdict, WorkerState, WorkerView
from console.safe_text import safe_signs
from console.ui import states, text
from tests.ui.demo_records import artifact


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0B"),
        (932, "932B"),
        (1024, "1.0K"),
        (12_288, "12K"),
        (317_440, "310K"),
        (1023_000, "999K"),
        (4_404_019, "4.2M"),
        (220_200_960, "210M"),
        (5 << 40, "5.0T"),
        (None, ""),
    ],
)
def test_sizes(count: int | None, said: str) -> None:
    assert text.size(count) == said


@given(st.integers(0, 1 << 62))
def test_a_size_never_outgrows_its_column(count: int) -> None:
    assert len(text.size(count)) <= 5


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.824, "0.82 ms"), (2.14, "2.1 ms"), (9.97, "10 ms"), (210.4, "210 ms"), (1400, "1.4 s"), (None, "")],
)
def test_durations(value: float | None, said: str) -> None:
    assert text.milliseconds(value) == said


@given(st.floats(0, 5_000_000))
def test_a_duration_never_outgrows_its_column(value: float) -> None:
    assert len(text.milliseconds(value)) <= 7


@pytest.mark.parametrize(
    ("age", "said"), [(0.2, "now"), (5, "5s ago"), (3599, "59m ago"), (7300, "2h ago"), (3e7, "347d ago")]
)
def test_ages(age: float, said: str) -> None:
    assert text.ago(1000.0, 1000.0 + age) == said


def test_a_clock_that_ran_backwards_is_no_negative_age() -> None:
    assert text.ago(2000.0, 1000.0) == "now"


@given(st.text(max_size=60), st.integers(1, 40))
def test_cutting_keeps_to_the_width_and_to_both_ends(words: str, width: int) -> None:
    short = text.cut_middle(words, width)
    assert cell_len(short) <= width
    if cell_len(words) <= width:
        assert short == words
    elif words.isascii() and width >= 3:
        assert short[0] == words[0]
        assert short[-1] == words[-1]


@given(
    st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["a", "b", "c"])), max_size=4),
    st.integers(2, 30),
    st.booleans(),
)
def test_cut_pieces_say_what_the_cut_text_says(pieces: list[tuple[str, str]], width: int, middle: bool) -> None:
    whole = "".join(piece for piece, _ in pieces)
    if cell_len(whole) <= width:
        return
    kept = text.cut_pieces(tuple(pieces), width, middle=middle)
    expected = text.cut_middle(whole, width) if middle else text.cut(whole, width)
    assert "".join(piece for piece, _ in kept) == expected


def test_a_class_is_said_with_its_last_step() -> None:
    row = artifact(
        "a", 1, 0, "pickle", "sklearn.pipeline.Pipeline", None, steps=("a.B", "sklearn.linear_model._x.Ridge")
    )
    assert states.class_words(row) == "Pipeline › Ridge"


def test_the_state_that_matters_most_is_said() -> None:
    row = artifact("a", 1, 0, "pickle", "X", Verdict.SAFE, changed=True)
    ready = WorkerView("a", WorkerState.READY, 0.0)
    assert states.status(row, ready).word == "changed"
    assert states.status(row, WorkerView("a", WorkerState.ERROR, 0.0)).word == "error"
    assert states.status(row, WorkerView("a", WorkerState.ENDED, 0.0)).word == "on disk"
    assert states.status(row, None).word == "on disk"
    assert states.status(artifact("a", 1, 0, "pickle", None, Verdict.BLOCKED), None).word == "blocked"


def test_every_status_has_glyph_word_and_colour() -> None:
    for state in WorkerState:
        said = states.status(artifact("a", 1, 0, "pickle", "X", Verdict.SAFE), WorkerView("a", state, 0.0))
        assert said.glyph
        assert said.word
        assert said.role


def test_what_was_accepted_asks_for_nobody_any_more() -> None:
    row = artifact("a", 1, 0, "pickle", "X", Verdict.REVIEW)
    assert (states.trust(row).glyph, states.trust(row).role) == ("?", "attention")
    accepted = states.trust(replace(row, accepted=True))
    assert (accepted.glyph, accepted.word, accepted.role) == ("✔", "review", "ok")


def test_signs_can_be_ascii() -> None:
    text.use_ascii(True)
    try:
        assert text.sign("● a › b").isascii()
        assert text.cut_middle("abcdefghij", 6).isascii()
    finally:
        text.use_ascii(False)


def test_a_line_to_type_on_keeps_one_sign_for_each_character() -> None:
    odd = "a\x1b[31m\u202e\udcff" + "e\u0301\u0301\u0301" + "幅\n"
    shown = safe_signs(odd)
    assert len(shown) == len(odd)
    assert shown == "a�[31m��e\u0301\u0301�幅�"
    assert safe_signs("churn/data.csv") == "churn/data.csv"


def test_what_the_machine_kept_from_being_inspected_is_unread_not_damaged() -> None:
    kept = Artifact("m.pkl", 3, 0.0, why="not inspected, because no inspector can be started")
    assert str(states.status(kept, None)) == str(states.trust(kept)) == "? unread"
    assert str(states.trust(Artifact("m.pkl", 3, 0.0))) == "… reading"
