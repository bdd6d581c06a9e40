"""Candidate beside current: metrics, latency, size, what changed, and the gate's word on each condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from textual.content import Content

from console.records import Candidate, Comparison, GateResult, Unchanged, lower_is_better
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.data_line import file_words
from console.ui.widgets.text_pane import Hanging, Line

_MOST_NAME, _VALUE = 26, 11
_WHOLE = 400
"""Cells for how a file was read, which wraps where there are fewer."""
_NOISE = 0.15
"""The share by which two measurements of the same latency may differ."""


def comparison_lines(comparison: Comparison) -> list[Line]:
    """All of a comparison, the verdict of the gate and its reasons first."""
    return [
        *_verdict(comparison),
        Content(""),
        *_gate(comparison),
        Content(""),
        *_numbers(comparison),
        Content(""),
        *_changes(comparison),
        *_data(comparison),
        *_warnings(comparison),
    ]


def _verdict(comparison: Comparison) -> Iterator[Line]:
    rows = f"{comparison.rows:,} {'held-out' if comparison.held_out else 'training'} rows"
    spent = f"{text.span(comparison.seconds)} of work" if comparison.seconds >= 1 else ""
    if not comparison.gate:
        word = (f"{text.sign('▲')} no condition is set", "bold $warning")
    elif comparison.passed:
        word = (f"{text.sign('✔')} the candidate meets the gate", "bold $success")
    else:
        word = (f"{text.sign('✖')} the candidate does not meet the gate", "bold $error")
    facts = ("   " + text.joined([safe(comparison.task), rows, spent]), "$quiet")
    yield Hanging(Content.assemble(word, facts), len(word[0]) + 3)
    if comparison.unmeasured:
        yield Hanging(Content.styled(f"Nothing was measured: {safe(comparison.unmeasured, 400)}.", "$warning"), 2)
    if comparison.unchanged is not None:
        yield Hanging(Content.styled(_UNCHANGED[comparison.unchanged], "$warning"), 2)
    if comparison.problem and not comparison.unmeasured:
        problem = f"The current model could not be measured: {safe(comparison.problem, 400)}"
        yield Hanging(Content.styled(problem, "$warning"), 2)


def _numbers(comparison: Comparison) -> Iterator[Content]:
    old, new = comparison.current, comparison.candidate
    names = list(dict.fromkeys([*(old.metrics if old else ()), *new.metrics]))
    wide = text.widest(safe(name, _MOST_NAME) for name in ("latency p50", *names))
    yield Content.styled(f"{'':<{wide}}{'current':>{_VALUE}}{'candidate':>{_VALUE}}{'change':>{_VALUE}}", "bold $quiet")
    for name in names:
        before = old.metrics.get(name) if old else None
        said, decides = text.padded(safe(name, _MOST_NAME), wide), name == comparison.metric
        yield _row(said, before, new.metrics.get(name), text.number, _better(name), bold=decides)
    for pick in ("p50", "p99"):
        said = f"{'latency ' + pick:<{wide}}"
        yield _row(said, _latency(old, pick), _latency(new, pick), text.milliseconds, -1, noise=_NOISE)
    yield _row(f"{'size':<{wide}}", float(old.size) if old else None, float(new.size), text.size, 0)


_UNCHANGED = {
    Unchanged.CONTENT: "Unchanged: the candidate is exactly the bytes that are in place already.",
    Unchanged.ANSWERS: "Unchanged: it answers every row measured exactly as the current model does.",
}


def _latency(side: Candidate | None, quantile: str) -> float | None:
    return float(getattr(side.latency, quantile)) if side is not None and side.latency is not None else None


def _better(name: str) -> int:
    return -1 if lower_is_better(name) else 1


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
    """One line of numbers behind a padded name. `better` is the sign of a good change, `noise` a share that is none."""
    change, style = "", "$quiet"
    if before is not None and after is not None and after != before:
        delta = after - before
        change = f"{'+' if delta > 0 else '-'}{said(abs(delta))}"
        if better and abs(delta) > noise * abs(before):
            style = "$success" if delta * better > 0 else "$error"
    elif before is not None and before == after:
        change = "same"
    return Content.assemble(
        (name, "bold" if bold else "$foreground"),
        (f"{said(before) if before is not None else '':>{_VALUE}}", "$quiet"),
        (f"{said(after) if after is not None else '':>{_VALUE}}", "bold"),
        (f"{change:>{_VALUE}}", style),
    )


def _gate(comparison: Comparison) -> Iterator[Line]:
    """Each condition with its mark, what is not met first; what was found hangs in a column of its own."""
    yield Content.styled("gate", "bold $quiet")
    if not comparison.gate:
        yield Content("  The recipe names no condition. Whether it goes in place is your word alone.")
    results = sorted(comparison.gate, key=lambda result: (result.passed is True, result.passed is None))
    marked = [Content.assemble("  ", _mark(result), f" {safe(result.condition, 60)}") for result in results]
    column = max((condition.cell_length for condition in marked), default=0) + 3
    for condition, result in zip(marked, results, strict=True):
        condition = condition.pad_right(column - condition.cell_length)
        yield Hanging(condition + Content.styled(safe(result.detail, 300), "$quiet"), condition.cell_length)


def _mark(result: GateResult) -> tuple[str, str]:
    if result.passed is None:
        said = result.detail.startswith("not measured")
        return text.sign("▲") if said else f"{text.sign('▲')} not measured", "$warning"
    return (text.sign("✔"), "$success") if result.passed else (text.sign("✖"), "$error")


def _changes(comparison: Comparison) -> Iterator[Line]:
    yield Content.styled("what changed in the file", "bold $quiet")
    if not comparison.changed:
        yield Content.styled("  class, parameters and versions are the same", "$quiet")
    width = min(40, text.widest(safe(what, 40) for what, _, _ in comparison.changed))
    for what, before, after in comparison.changed:
        line = Content.assemble(
            (f"  {text.padded(safe(what, 40), width)}  ", "$foreground"),
            (safe(before, 80), "$quiet"),
            (text.sign(" → "), "$quiet"),
            (safe(after, 80), "bold"),
        )
        yield Hanging(line, width + 4)


def _data(comparison: Comparison) -> Iterator[Line]:
    """The files the candidate was made of and both were measured on, and how each was read."""
    files = (("trained on", comparison.trained_on), ("measured on", comparison.measured_on))
    read = [(name, file) for name, file in files if file is not None]
    if read:
        yield Content("")
        yield Content.styled("data", "bold $quiet")
    for name, file in read:
        words = Content.assemble((f"  {name:<11}  ", "$foreground"), (file_words(file, _WHOLE), "$quiet"))
        yield Hanging(words, 15)


def _warnings(comparison: Comparison) -> Iterator[Line]:
    if comparison.warnings:
        yield Content("")
        yield Content.styled("warnings", "bold $quiet")
    for warning in comparison.warnings:
        yield Hanging(Content.assemble((f"  {text.sign('▲')} ", "$warning"), safe(warning, 600)), 4)
