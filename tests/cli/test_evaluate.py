"""Output of evaluate: figures and what is left out in one column, and below what was decided."""

from __future__ import annotations

from console.cli.evaluate import _lines, _nothing
from console.records import Evaluated


def test_figures_stand_beside_what_is_left_out() -> None:
    found = Evaluated(
        "classification",
        108,
        {"accuracy": 0.9876543, "f1": 1.0},
        {"log_loss": "SVC has no predict_proba"},
        missing=12,
        notes=("12 of 120 rows have no truth and were left out",),
        meanings=("f1 is of the outliers",),
    )
    assert list(_lines(found)) == [
        "classification on 108 rows",
        "  accuracy  0.987654",
        "  f1        1",
        "  log_loss  left out: SVC has no predict_proba",
        "12 of 120 rows have no truth and were left out",
        "f1 is of the outliers",
    ]


def test_why_nothing_was_measured() -> None:
    untold = Evaluated("regression", 0, {}, missing=9, notes=("none of the 9 rows has a truth",))
    assert _nothing(untold).message == "nothing was measured: none of the 9 rows has a truth"
    broken = Evaluated("regression", 9, {}, {"r2": "the answer is NaN"}, notes=("something else",))
    assert _nothing(broken).message == "nothing was measured: the answer is NaN"
    assert _nothing(broken).code == "not-measured"
    assert "no metric for a model of transformation" in _nothing(Evaluated("transformation", 9, {})).message
