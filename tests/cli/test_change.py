"""Why an update promoted nothing: a code of its own for each kind of reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.cli import json_shapes
from console.cli.change import _refused, _side_by_side, _without_gate
from console.records import Candidate, Comparison, GateResult, Unchanged

SIDE = Candidate("sha256:0", 1, "C", {}, {"accuracy": 0.9})
MET, MISSED, UNKNOWN = (GateResult("c", passed, "d") for passed in (True, False, None))
FOUND = Comparison("m.pkl", 0.0, "classification", 9, SIDE, SIDE, (MET,), True, conditions=1)
NO_GATE = replace(FOUND, gate=(UNKNOWN,), passed=False, conditions=0)
NO_NUMBERS = replace(NO_GATE, candidate=replace(SIDE, metrics={}))


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (replace(FOUND, gate=(MET, MISSED), passed=False), "gate-refused", "c (d)"),
        (replace(FOUND, gate=(UNKNOWN, MISSED), passed=False), "gate-refused", "c (d)"),
        (replace(FOUND, gate=(MET, UNKNOWN), passed=False), "not-measured", "c (d)"),
        (
            replace(FOUND, gate=(UNKNOWN,), passed=False, unmeasured="no hold-out is named"),
            "not-measured",
            "no hold-out",
        ),
        (replace(NO_GATE, unmeasured="no hold-out is named"), "not-measured", "no hold-out is named"),
        (NO_NUMBERS, "not-measured", "no metric"),
        (replace(FOUND, gate=(MISSED,), passed=False, unchanged=Unchanged.CONTENT), "same-content", "in place already"),
    ],
)
def test_each_reason_has_a_code(found: Comparison, code: str, words: str) -> None:
    error = _refused(found)
    assert (error.code, error.exit_code) == (code, 1)
    assert words in error.message
    assert not _without_gate(found)


def test_without_a_gate_a_yes_takes_figures_that_count() -> None:
    assert _without_gate(NO_GATE)
    assert not _without_gate(NO_NUMBERS)
    assert not _without_gate(replace(NO_GATE, unmeasured="no hold-out is named"))
    assert not _without_gate(FOUND)


def test_the_shape_of_an_update_only_grows() -> None:
    found = replace(FOUND, unchanged=Unchanged.ANSWERS, warnings=("ConvergenceWarning: slow",), problem="it died")
    shape = json_shapes.comparison(found, None)
    assert {"promoted", "version", "current", "candidate", "gate"} <= set(shape)
    assert shape["gate"] == [{"condition": "c", "passed": True, "detail": "d"}]
    assert (shape["unchanged"], shape["warnings"], shape["problem"]) == (
        "same-answers",
        ["ConvergenceWarning: slow"],
        "it died",
    )
    lines = "\n".join(_side_by_side(found))
    assert "unchanged: the candidate answers every row measured exactly as the current model does" in lines
    assert "warning: ConvergenceWarning: slow" in lines
    assert "the current model could not be measured: it died" in lines
