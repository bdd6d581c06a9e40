from __future__ import annotations

from textual.color import Color

from console.records import Json, Prediction, ProbePlan, ProbeState
from console.ui.panes.answer import answer_lines
from console.ui.panes.live import doubt_lines
from console.ui.panes.typed_row import parsed_line, typed_line
from console.ui.widgets.pixels import half_blocks, image_side, scale_for, shades

BLACK, WHITE = Color(0, 0, 0), Color(255, 255, 255)


def test_only_square_pictures_of_numbers_are_pictures() -> None:
    assert image_side([0.0] * 64) == 8
    assert image_side([0.0] * 63) is None
    assert image_side([0.0] * 49) is None
    assert image_side([*[0.0] * 63, "x"]) is None
    assert image_side([*[0.0] * 63, -1.0]) is None


def test_two_pixels_stand_in_one_cell() -> None:
    picture = half_blocks([1.0, 0.0, 0.0, 1.0], 2, 1, BLACK, WHITE)
    assert [line.plain for line in picture] == ["▀▀"]
    first, second = (span.style for span in picture[0].spans)
    assert (first.foreground, first.background) == (WHITE, BLACK)  # type: ignore[union-attr]
    assert (second.foreground, second.background) == (BLACK, WHITE)  # type: ignore[union-attr]


def test_a_picture_is_scaled_to_the_room_there_is() -> None:
    assert scale_for(8, 80, 40) == 3
    assert scale_for(8, 80, 8) == 2
    assert scale_for(28, 30, 10) == 1
    assert [len(line.plain) for line in half_blocks([0.5] * 64, 8, 3, BLACK, WHITE)] == [24] * 12


def test_shades_grow_with_the_value() -> None:
    values = [place / 63 for place in range(64)]
    for plain in (True, False):
        lines = [line.plain for line in shades(values, 8, plain=plain)]
        assert [len(line) for line in lines] == [16] * 8
        assert lines[0].startswith("  ")
        assert "".join(lines).isascii() == plain


def test_a_typed_row_is_read_like_the_row_it_started_from() -> None:
    assert parsed_line("41, gold, , 2.5, True", {"a": 1, "b": "x", "c": None, "d": 0.1, "e": False}) == [
        41,
        "gold",
        None,
        2.5,
        True,
    ]
    assert parsed_line('"a, b", 3', {"name": "x", "n": 1}) == ["a, b", 3]
    assert parsed_line("good, very good", {"text": "bad"}) == "good, very good"
    assert parsed_line("a sentence", {}) == "a sentence"
    assert parsed_line("1, 2", {}) == [1, 2]
    assert typed_line({"x": [1.0, 2.5]}) == "1, 2.5"
    assert typed_line({"text": "so it is"}) == "so it is"


def test_labels_are_right_or_wrong_and_measures_are_off_by_something() -> None:
    def said(answer: Json, truth: Json, score: dict[str, float] | None, unscored: str = "") -> str:
        outcome = Prediction(1, {"predict": [answer]}, 1.0, 2.0, score=score, unscored=unscored)
        return "\n".join(line.plain for line in answer_lines(outcome, truth, None, 40))

    assert "right" in said(-1, 1, {"rows": 1.0, "correct": 1.0})
    assert "wrong" in said(1, 1, {"rows": 1.0, "correct": 0.0})
    assert "off by 0.5" in said(2.25, 1.75, {"rows": 1.0, "absolute": 0.5, "squared": 0.25})
    assert "off by 0" in said(2.0, 2, {"rows": 1.0, "absolute": 0.0, "squared": 0.0})
    assert "none in this row" in said(1, None, {"missing": 1.0})
    unlike = said([1, 2], 1, {}, "M answers 2 values")
    assert "M answers 2 values" in unlike
    assert "right" not in unlike
    assert "wrong" not in unlike
    assert "truth" not in said(1, None, None)


def test_the_chances_of_several_labels_are_told_by_their_number() -> None:
    outcome = Prediction(1, {"predict": [[1, 0]], "predict_proba": [[0.75, 0.25]]}, 1.0, 2.0)
    lines = [line.plain for line in answer_lines(outcome, None, [[0, 1], [0, 1]], 40)]
    assert [line[:8].split() for line in lines if "━" in line] == [["0", "0.750"], ["1", "0.250"]]


def test_why_there_is_no_score_is_told_at_any_width() -> None:
    probe = ProbeState(ProbePlan("d"), True, 0.0, unscored="the number of a cluster is no label that could be right")
    told = " ".join(line.plain for line in doubt_lines(probe, None, 60))
    assert "no score: the number of a cluster is no label that could be right" in " ".join(told.split())
