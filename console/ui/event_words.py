"""An event in one line."""

from __future__ import annotations

from textual.content import Content

from console.records import Event
from console.safe_text import safe
from console.ui import text

_SIGNS = {
    "info": ("·", "$quiet"),
    "ok": ("✔", "$success"),
    "attention": ("▲", "$warning"),
    "failure": ("✖", "$error"),
}


def event_line(event: Event, stamp: int = 0) -> Content:
    """`14:03:59  ✔  churn/rf is ready after 412 ms`, the subject set off, the time in at least `stamp` cells."""
    glyph, style = _SIGNS.get(event.severity, _SIGNS["info"])
    words = safe(event.text or event.kind, 400)
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
