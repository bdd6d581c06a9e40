"""Candidate beside current: metrics, latency, size, what changed, and the gate's word on each condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from textual.content import Content

from console.records import Candidate, Comparison, GateResult
from console.safe_text import safe
from console.ui import text

_LESS_IS_BETTER = ("error", "loss", "brier", "deviance", "latency", "p50", "p99", "distance")
_NAME, _VALUE = 26, 12
_NOISE = 0.15
"""The share by which two measurements of the same latency may differ."""


def comparison_lines(comparison: Comparison) -> list[Content]:
    """All of a comparison, the verdict of the gate first."""
    return [
        *_verdict(comparison),
        Content(""),
        *_numbers(comparison),
        Content(""),
        *_gate(comparison),
        Content(""),
        *_changes(comparison),
    ]


def _verdict(comparison: Comparison) -> Iterator[Content]:
    rows = f"{comparison.rows:,} {'held-out' if comparison.held_out else 'training'} rows"
    spent = f"{text.span(comparison.seconds)} of work" if comparison.seconds >= 1 else ""
    if not comparison.gate:
        word = (f"{text.sign('▲')} no condition is set", "bold $warning")
    elif comparison.passed:
        word = (f"{text.sign('✔')} the candidate meets the gate", "bold $success")
    else:
        word = (f"{text.sign('✖')} the candidate does not meet the gate", "bold $error")
    yield Content.assemble(word, ("   " + text.joined([safe(comparison.task), rows, spent]), "$quiet"))
    if not comparison.held_out:
        yield Content.styled("There is no hold-out: both were measured on rows the candidate has seen.", "$warning")


def _numbers(comparison: Comparison) -> Iterator[Content]:
    old, new = comparison.current, comparison.candidate
    yield Content.styled(
        f"{'':<{_NAME}}{'current':>{_VALUE}}{'candidate':>{_VALUE}}{'change':>{_VALUE}}", "bold $quiet"
    )
    for name in dict.fromkeys([*(old.metrics if old else ()), *new.metrics]):
        before = old.metrics.get(name) if old else None
        decides = name == comparison.metric
        yield _row(safe(name, _NAME - 2), before, new.metrics.get(name), text.number, _better(name), bold=decides)
    for word, pick in (("latency p50", "p50"), ("latency p99", "p99")):
        yield _row(word, _latency(old, pick), _latency(new, pick), text.milliseconds, -1, noise=_NOISE)
    yield _row("size", float(old.size) if old else None, float(new.size), text.size, 0)


def _latency(side: Candidate | None, quantile: str) -> float | None:
    return float(getattr(side.latency, quantile)) if side is not None and side.latency is not None else None


def _better(name: str) -> int:
    return -1 if any(part in name for part in _LESS_IS_BETTER) and not name.startswith("neg_") else 1


def _row(
    name: str,
    before: float | None,
    after: float | None,
    said: Callable[[float | None], str],
    better: int,
    *,
    bold: bool = False,
    noise: float = 0.0,
) -> Content:
    """One line of numbers; `better` is 1 or -1 for the direction that is, `noise` the share that means nothing."""
    change, style = "", "$quiet"
    if before is not None and after is not None and after != before:
        delta = after - before
        change = f"{'+' if delta > 0 else '-'}{said(abs(delta))}"
        if better and abs(delta) > noise * abs(before):
            style = "$success" if delta * better > 0 else "$error"
    elif before is not None and before == after:
        change = "same"
    return Content.assemble(
        (f"{name:<{_NAME}}", "bold" if bold else "$foreground"),
        (f"{said(before) if before is not None else '':>{_VALUE}}", "$quiet"),
        (f"{said(after) if after is not None else '':>{_VALUE}}", "bold"),
        (f"{change:>{_VALUE}}", style),
    )


def _gate(comparison: Comparison) -> Iterator[Content]:
    yield Content.styled("gate", "bold $quiet")
    if not comparison.gate:
        yield Content("  The recipe names no condition. Whether it goes in place is your word alone.")
    for result in comparison.gate:
        yield Content.assemble(
            "  ", _mark(result), f" {safe(result.condition)}", (f"   {safe(result.detail, 300)}", "$quiet")
        )


def _mark(result: GateResult) -> tuple[str, str]:
    if result.passed is None:
        return f"{text.sign('▲')} not measured", "$warning"
    return (text.sign("✔"), "$success") if result.passed else (text.sign("✖"), "$error")


def _changes(comparison: Comparison) -> Iterator[Content]:
    yield Content.styled("what changed in the file", "bold $quiet")
    if not comparison.changed:
        yield Content.styled("  class, parameters and versions are the same", "$quiet")
    width = min(40, max((len(safe(what)) for what, _, _ in comparison.changed), default=0))
    for what, before, after in comparison.changed:
        yield Content.assemble(
            (f"  {safe(what, 40):<{width}}  ", "$foreground"),
            (safe(before, 80), "$quiet"),
            (text.sign(" → "), "$quiet"),
            (safe(after, 80), "bold"),
        )
