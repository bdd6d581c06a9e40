"""The gate: whether a candidate may take the place of the current model, condition by condition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from console.recipes.recipe import Gate
from console.records import Candidate, GateResult, lower_is_better

_PREFERRED = ("roc_auc", "balanced_accuracy", "accuracy", "r2", "silhouette_score", "adjusted_rand_score")


@dataclass(frozen=True, slots=True)
class Doubts:
    """Why a measurement is missing or does not count: `flaw` of the hold-out, `problem` of the current model as a
    whole, and the causes for single metrics of either model. `versions` names the libraries in which the current model
    runs in another version than it was written with: what it was measured by may not be its own answers."""

    flaw: str = ""
    problem: str = ""
    current: Mapping[str, str] = field(default_factory=dict)
    candidate: Mapping[str, str] = field(default_factory=dict)
    versions: str = ""


def main_metric(gate: Gate, candidate: Candidate, current: Candidate | None = None) -> str | None:
    """The metric the two are compared by: the recipe's, else the most telling of those measured of either.

    A candidate that has no such figure is not compared by another one instead.
    """
    if gate.metric is not None:
        return gate.metric
    names = [*(current.metrics if current else ()), *candidate.metrics]
    return next((name for name in _PREFERRED if name in names), next(iter(names), None))


def judge_gate(
    gate: Gate, current: Candidate | None, candidate: Candidate, doubts: Doubts | None = None
) -> tuple[tuple[GateResult, ...], bool]:
    """Every condition of the recipe with its outcome, and whether all of them were met.

    Without a condition nothing passes: the operator has to decide. Without a current model there is nothing to be
    worse than, so comparisons pass and say so. What could not be measured does not pass, and where the hold-out
    measures nothing, nothing does.
    """
    metric = main_metric(gate, candidate, current)
    doubts = doubts or Doubts()
    results: list[GateResult] = []
    if gate.at_least is not None:
        results.append(_threshold(metric, gate.at_least, candidate, doubts))
    if gate.not_worse_by is not None:
        results.append(_of_versions(_not_worse(metric, gate.not_worse_by, current, candidate, doubts), doubts))
    if not gate.conditions:
        none = GateResult("a condition", None, "the recipe sets none, so promoting takes your word")
        results.append(_of_versions(none, doubts))
    if doubts.flaw and (gate.at_least is None and gate.not_worse_by is None):
        results.append(GateResult("a measurement on a hold-out", None, f"not measured: {doubts.flaw}"))
    if gate.max_latency_ratio is not None:
        results.append(_latency(gate.max_latency_ratio, current, candidate, doubts))
    return tuple(results), all(result.passed is True for result in results)


def _of_versions(result: GateResult, doubts: Doubts) -> GateResult:
    """A result that a current model of another version took part in says so."""
    if not doubts.versions:
        return result
    return replace(result, detail=f"{result.detail}; the current model was {doubts.versions}")


def _threshold(metric: str | None, bound: float, candidate: Candidate, doubts: Doubts) -> GateResult:
    small = metric is not None and lower_is_better(metric)
    condition = f"{metric or 'metric'} {'at most' if small else 'at least'} {bound:g}"
    value = _value(metric, candidate)
    if doubts.flaw:
        return GateResult(condition, None, f"not measured: {doubts.flaw}")
    if value is None:
        return GateResult(condition, None, _unmeasured(metric, "the candidate", doubts.candidate))
    if not math.isfinite(value):
        return GateResult(condition, False, f"the candidate's {metric} is not a number")
    return GateResult(condition, value <= bound if small else value >= bound, f"{value:.6g}")


def _not_worse(
    metric: str | None, allowed: float, current: Candidate | None, candidate: Candidate, doubts: Doubts
) -> GateResult:
    condition = f"{metric or 'metric'} not worse by more than {allowed:g}"
    if doubts.flaw:
        return GateResult(condition, None, f"not measured: {doubts.flaw}")
    if current is None:
        return GateResult(condition, True, "there is no current model to be worse than")
    new, old = _value(metric, candidate), _value(metric, current)
    if new is None:
        return GateResult(condition, None, _unmeasured(metric, "the candidate", doubts.candidate))
    if old is None:
        return GateResult(condition, None, _unmeasured(metric, "the current model", doubts.current, doubts.problem))
    if not math.isfinite(new) or not math.isfinite(old):
        return GateResult(condition, False, f"{metric} is not a number: {old:g} now, {new:g} for the candidate")
    worse = new - old if metric is not None and lower_is_better(metric) else old - new
    met = worse <= allowed or math.isclose(worse, allowed, rel_tol=1e-9, abs_tol=1e-12)
    return GateResult(condition, met, f"{old:.6g} now, {new:.6g} for the candidate")


def _latency(bound: float, current: Candidate | None, candidate: Candidate, doubts: Doubts) -> GateResult:
    condition = f"latency at most {bound:g} times the current"
    if current is None:
        return GateResult(condition, True, "there is no current model to be slower than")
    if current.latency is None and doubts.problem:
        return GateResult(condition, None, _unmeasured("the latency", "the current model", {}, doubts.problem))
    if current.latency is None or candidate.latency is None:
        return GateResult(condition, None, "the latency could not be measured")
    old, new = current.latency.p50, candidate.latency.p50
    if not (math.isfinite(old) and math.isfinite(new)) or old <= 0:
        return GateResult(condition, None, "the latency could not be measured")
    detail = f"{old:.3g} ms now, {new:.3g} ms for the candidate (median)"
    return GateResult(condition, new / old <= bound, detail)


def _value(metric: str | None, candidate: Candidate) -> float | None:
    return None if metric is None else candidate.metrics.get(metric)


def _unmeasured(metric: str | None, who: str, causes: Mapping[str, str], problem: str = "") -> str:
    cause = problem or causes.get(metric or "", "")
    return f"{metric or 'a metric'} could not be measured for {who}{': ' if cause else ''}{cause}"
