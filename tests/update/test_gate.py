"""The gate: which candidates may pass, condition by condition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.recipes.recipe import Gate
from console.records import Candidate, Quantiles, lower_is_better
from console.update.gate import Doubts, judge_gate, main_metric


def side(p50: float | None = None, **metrics: float) -> Candidate:
    latency = None if p50 is None else Quantiles(p50, p50, p50, p50, 10)
    return Candidate("sha256:0", 1, "C", {}, metrics, latency)


@pytest.mark.parametrize(
    ("gate", "current", "candidate", "outcome"),
    [
        (Gate(at_least=0.8, metric="accuracy"), None, side(accuracy=0.8), [True]),
        (Gate(at_least=0.8, metric="accuracy"), None, side(accuracy=0.79), [False]),
        (Gate(at_least=0.8, metric="accuracy"), None, side(f1=0.9), [None]),
        (Gate(at_least=0.8, metric="accuracy"), None, side(accuracy=math.nan), [False]),
        (Gate(at_least=0.8, metric="accuracy"), None, side(accuracy=math.inf), [False]),
        (Gate(at_least=0.3, metric="log_loss"), None, side(log_loss=0.2), [True]),
        (Gate(at_least=0.3, metric="log_loss"), None, side(log_loss=0.4), [False]),
        (Gate(at_least=-0.3, metric="neg_log_loss"), None, side(neg_log_loss=-0.2), [True]),
        (Gate(not_worse_by=0.01), side(accuracy=0.9), side(accuracy=0.89), [True]),
        (Gate(not_worse_by=0.01), side(accuracy=0.9), side(accuracy=0.88), [False]),
        (Gate(not_worse_by=0.0), side(accuracy=0.9), side(accuracy=0.9), [True]),
        (Gate(not_worse_by=0.01), side(), side(accuracy=0.9), [None]),
        (Gate(not_worse_by=0.01), None, side(accuracy=0.1), [True]),
        (Gate(not_worse_by=0.01), side(accuracy=math.nan), side(accuracy=0.9), [False]),
        (Gate(metric="log_loss", not_worse_by=0.1), side(log_loss=0.5), side(log_loss=0.59), [True]),
        (Gate(metric="log_loss", not_worse_by=0.1), side(log_loss=0.5), side(log_loss=0.61), [False]),
        (Gate(max_latency_ratio=1.5), side(2.0), side(3.0), [True]),
        (Gate(max_latency_ratio=1.5), side(2.0), side(3.1), [False]),
        (Gate(max_latency_ratio=1.5), side(None), side(3.1), [None]),
        (Gate(max_latency_ratio=1.5), side(2.0), side(None), [None]),
        (Gate(max_latency_ratio=1.5), None, side(3.1), [True]),
        (Gate(max_latency_ratio=1.5), side(0.0), side(3.1), [None]),
        (
            Gate(metric="r2", at_least=0.5, not_worse_by=0.1, max_latency_ratio=2),
            side(1.0, r2=0.7),
            side(3.0, r2=0.65),
            [True, True, False],
        ),
    ],
)
def test_conditions(gate: Gate, current: Candidate | None, candidate: Candidate, outcome: list[bool | None]) -> None:
    results, passed = judge_gate(gate, current, candidate)
    assert [result.passed for result in results] == outcome
    assert passed is all(one is True for one in outcome)
    assert all(result.condition and result.detail for result in results)


def test_no_condition_is_no_pass() -> None:
    results, passed = judge_gate(Gate(), side(accuracy=0.5), side(accuracy=0.99))
    assert not passed
    assert "your word" in results[0].detail


def test_a_missing_baseline_is_said() -> None:
    results, _passed = judge_gate(Gate(not_worse_by=0.1, max_latency_ratio=2), None, side(1.0, accuracy=1.0))
    assert all("no current model" in result.detail for result in results)


def test_the_metric_compared_by() -> None:
    assert main_metric(Gate(metric="mine"), side(accuracy=1)) == "mine"
    assert main_metric(Gate(), side(log_loss=0.1, accuracy=1, roc_auc=1)) == "roc_auc"
    assert main_metric(Gate(), side(max_error=1, r2=0.5)) == "r2"
    assert main_metric(Gate(), side(odd=1)) == "odd"
    assert main_metric(Gate(), side()) is None
    assert main_metric(Gate(), side(accuracy=1), side(roc_auc=0.9, accuracy=0.8)) == "roc_auc"


def test_a_candidate_that_spoils_the_telling_metric_is_not_judged_by_another() -> None:
    results, passed = judge_gate(Gate(not_worse_by=0.1), side(roc_auc=0.9, accuracy=0.8), side(accuracy=0.99))
    assert (passed, results[0].passed) == (False, None)
    assert results[0].detail == "roc_auc could not be measured for the candidate"


def test_which_way_is_better() -> None:
    for name in ("log_loss", "mean_absolute_error", "max_error", "davies_bouldin_score", "mean_gamma_deviance"):
        assert lower_is_better(name)
        assert not lower_is_better(f"neg_{name}")
    for name in ("accuracy", "roc_auc", "r2", "silhouette_score"):
        assert not lower_is_better(name)


values = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(values, values, st.floats(-10, 10), st.floats(0, 10))
def test_nothing_passes_on_what_is_not_a_finite_number(
    old: float | None, new: float | None, least: float, worse: float
) -> None:
    current = side(**({} if old is None else {"accuracy": old}))
    candidate = side(**({} if new is None else {"accuracy": new}))
    results, passed = judge_gate(Gate("accuracy", at_least=least, not_worse_by=worse), current, candidate)
    usable = old is not None and new is not None and math.isfinite(old) and math.isfinite(new)
    if not usable:
        assert not passed
    elif old is not None and new is not None:
        slack = 1e-6 * max(1.0, abs(old), abs(new))
        if passed:
            assert new >= least - slack
            assert new >= old - worse - slack
        elif results[0].passed and new >= old - worse + slack:
            pytest.fail("a candidate that meets both conditions did not pass")


@given(st.floats(0.01, 1e3), st.floats(0.01, 1e3), st.floats(0.1, 10))
def test_more_slack_never_turns_a_pass_into_a_fail(old: float, new: float, ratio: float) -> None:
    strict = judge_gate(Gate(max_latency_ratio=ratio), side(old), side(new))[1]
    loose = judge_gate(Gate(max_latency_ratio=ratio * 2), side(old), side(new))[1]
    assert loose or not strict


ALL = Gate(metric="accuracy", at_least=0.1, not_worse_by=1.0, max_latency_ratio=9)
GOOD = side(1.0, accuracy=1.0)


def test_a_flaw_of_the_hold_out_lets_nothing_pass() -> None:
    results, passed = judge_gate(ALL, GOOD, GOOD, Doubts(flaw="no hold-out is named"))
    assert [(one.passed, one.detail) for one in results[:2]] == [(None, "not measured: no hold-out is named")] * 2
    assert not passed
    for gate in (Gate(max_latency_ratio=9), Gate()):
        results, passed = judge_gate(gate, GOOD, GOOD, Doubts(flaw="no hold-out is named"))
        assert any(one.passed is None and one.detail == "not measured: no hold-out is named" for one in results)
        assert not passed


def test_what_is_missing_has_its_cause() -> None:
    bare = side()
    results, _passed = judge_gate(ALL, bare, GOOD, Doubts(problem="it does not load"))
    assert [one.detail.partition(": ")[2] for one in results[1:]] == ["it does not load"] * 2
    results, _passed = judge_gate(ALL, GOOD, side(1.0), Doubts(candidate={"accuracy": "y is continuous"}))
    assert [one.detail for one in results[:2]] == [
        "accuracy could not be measured for the candidate: y is continuous"
    ] * 2


def test_what_a_current_model_of_another_version_took_part_in_says_so() -> None:
    fact = "written with scikit-learn 1.3.2, run with 1.9.1"
    gate = Gate(metric="accuracy", at_least=0.5, not_worse_by=0.1)
    results, passed = judge_gate(gate, side(accuracy=0.9), side(accuracy=0.9), Doubts(versions=fact))
    assert passed
    assert [fact in result.detail for result in results] == [False, True]
    assert results[1].detail == f"0.9 now, 0.9 for the candidate; the current model was {fact}"
    [free], _passed = judge_gate(Gate(), side(accuracy=0.9), side(accuracy=0.9), Doubts(versions=fact))
    assert free.detail.endswith(f"; the current model was {fact}")
