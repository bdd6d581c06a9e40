"""Events in a line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual.content import Content

from console.records import Event, EventKind
from console.safe_text import safe
from console.ui import text

_SIGNS = {
    "info": ("·", "$quiet"),
    "ok": ("✔", "$success"),
    "attention": ("▲", "$warning"),
    "failure": ("✖", "$error"),
}


_STEPS = frozenset({EventKind.WORKER_PHASE})
"""Kinds of events that only say how far something is whose end another one tells."""


def without_steps(events: Iterable[Event]) -> Iterator[Event]:
    """The events that a list of what happened has."""
    return (event for event in events if event.kind not in _STEPS)


def event_line(event: Event, stamp: int = 0) -> Content:
    """`14:03:59  ✔  churn/rf is ready after 412 ms`, the subject set off, the time in at least `stamp` cells."""
    glyph, style = _SIGNS.get(event.severity, _SIGNS["info"])
    words = text.one_line(event.text or event.kind)
    asked = text.sign(f" · request {safe(event.data.request, 60)}") if event.data.request else ""
    subject = safe(event.subject)
    line = Content.assemble(
        (text.clock(event.when).rjust(stamp), "$quiet"), "  ", (text.sign(glyph), style), "  ", words, (asked, "$quiet")
    )
    start = words.find(subject) if subject else -1
    if start >= 0:
        offset = len(line) - len(asked) - len(words) + start
        return line.stylize("bold", offset, offset + len(subject))
    if subject:
        return line + Content.styled(f"  {subject}", "bold")
    return line
