"""Requests of other programs in words: a line of how they go, and one for each of the worst."""

from __future__ import annotations

from textual.content import Content

from console.records import Quantiles, RequestOutcome, TrafficState
from console.safe_text import safe
from console.ui import text
from console.ui.keys import key_for
from console.ui.states import failing_words

_ID = 18
"""Cells for the id of a request in a list."""


def request_lines(traffic: TrafficState | None, width: int) -> tuple[Content, ...]:
    """The line about requests of other programs, and how one failed last while they fail."""
    if traffic is None:
        return ()
    glyph, style = ("○", "bold $quiet") if not traffic.running else ("▶", "bold $success")
    if traffic.failing:
        glyph, style = "✖", "bold $error"
    failed = failing_words(traffic) if traffic.failing else text.count(traffic.errors, "error")
    told = [
        (0, Content.assemble((f"{text.sign(glyph)} requests ", style), f"{text.rate(traffic.asked)}/s")),
        (5, Content(f"{traffic.requests:,} in all")),
        (1 if traffic.errors else 6, Content.styled(failed, "$error" if traffic.failing else "$quiet")),
        (2, Content.styled(quantiles("whole", traffic.whole), "$quiet")),
        (4, Content.styled(quantiles("worker", traffic.worker), "$quiet")),
        (7, Content.styled(f"batch {traffic.batch:.3g}" if traffic.batch else "", "$quiet")),
        (3, Content.styled(f"{key_for('worst')} the worst", "$quiet")),
    ]
    line = most_of([part for part in told if part[1]], width - 2)
    if not traffic.failing:
        return (line,)
    return (line, Content.styled(text.cut(safe(traffic.last_error, 400), max(16, width - 2)), "$error"))


def most_of(parts: list[tuple[int, Content]], width: int) -> Content:
    """The parts side by side in their order, without those of the highest numbers where there is no room."""
    dot = Content.styled(text.sign(" · "), "$quiet")
    while len(parts) > 1 and dot.join([part for _rank, part in parts]).cell_length > width:
        parts.remove(max(parts, key=lambda one: one[0]))
    return dot.join([part for _rank, part in parts])


def quantiles(name: str, measured: Quantiles | None) -> str:
    """`worker 0.81 ms, p99 2.1 ms`; empty where nothing was measured."""
    if measured is None:
        return ""
    return f"{name} {text.milliseconds(measured.p50)}, p99 {text.milliseconds(measured.p99)}"


def outcome_line(outcome: RequestOutcome, width: int) -> Content:
    """`  5s ago   1.4 s  ✖ deadline  r-9f2c  4 rows`, in this width."""
    cause, style = (f"✖ {safe(outcome.error, 16)}", "$error") if outcome.error else ("slow", "$quiet")
    parts = [
        (f"{text.ago(outcome.when):>8}", "$quiet"),
        (f"{text.milliseconds(outcome.total_ms):>8}", "bold"),
        (text.padded(text.cut(text.sign(cause), 14), 14), style),
        (text.padded(text.cut_middle(safe(outcome.id, 60), _ID), _ID), "bold"),
        (text.count(outcome.rows, "row") if outcome.rows else _size(outcome.bytes_in, "in"), "$quiet"),
    ]
    return text.cut_content(Content("  ").join([Content.styled(*part) for part in parts]), width, middle=False)


def _size(count: int, way: str) -> str:
    """`4.2M in`; empty where no bytes were counted, as of rows that came as JSON."""
    return f"{text.size(count)} {way}" if count else ""


def outcome_words(outcome: RequestOutcome) -> list[Content]:
    """All that is known of one request: who asked what, how long it took where, what was wrong."""
    trace = outcome.trace.split("-")[1] if outcome.trace.count("-") > 1 else outcome.trace
    named = [
        f"request {safe(outcome.id, 60)}" if outcome.id else "request without an id",
        f"version {safe(outcome.version, 20)}" if outcome.version else "",
        f"from {safe(outcome.who, 40)}" if outcome.who else "",
        text.clock(outcome.when),
    ]
    ms = text.milliseconds
    times = [f"{ms(outcome.total_ms)} in all"]
    if not outcome.error:
        times += [f"{ms(outcome.queue_ms)} waiting", f"{ms(outcome.model_ms)} in the model"]
    sizes = [text.count(outcome.rows, "row"), f"call of {outcome.batch:,}" if outcome.batch else ""]
    sizes += [_size(outcome.bytes_in, "in"), _size(outcome.bytes_out, "out")]
    lines = [text.joined(named), text.joined([*times, *sizes])]
    lines += [f"trace {safe(trace, 60)}"] if trace else []
    told = [Content.styled(line, "$quiet" if number else "") for number, line in enumerate(lines)]
    if outcome.error:
        told.append(Content.styled(f"{safe(outcome.error, 40)}: {safe(outcome.message, 300)}", "$error"))
    if outcome.sample:
        told.append(Content.assemble(("inputs ", "$quiet"), text.one_line(outcome.sample, 300)))
    return told
