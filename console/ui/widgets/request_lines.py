"""Requests of other programs in words: a line of how they go, and one for each of the worst."""

from __future__ import annotations

from textual.content import Content

from console.records import Quantiles, TrafficState
from console.safe_text import safe
from console.ui import text
from console.ui.keys import key_for
from console.ui.states import failing_words


def request_lines(traffic: TrafficState | None, width: int) -> tuple[Content, ...]:
    """The line about requests of other programs, and how one failed last while they fail."""
    if traffic is None:
        return ()
    glyph, style = ("○", "bold $quiet") if not traffic.running else ("▶", "bold $success")
    if traffic.failing:
        glyph, style = "✖", "bold $error"
    failed = failing_words(traffic) if traffic.failing else text.count(traffic.errors, "error")
    told = [
        (0, Content.assemble((f"{text.sign(glyph)} requests ", style), f"{text.rate(traffic.rate)}/s")),
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
