"""The last measurements and events of one artifact: the quiet end of its overview."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from textual.content import Content

from console.records import ProbeState, Quantiles
from console.safe_text import safe
from console.ui import text
from console.ui.event_words import event_line, without_steps
from console.ui.states import failing_words
from console.ui.widgets.keyvalue import pairs, section

if TYPE_CHECKING:
    from console.engine.mirror import Mirror

_MOST = 12
"""Events that are listed."""


def lately_lines(mirror: Mirror, path: str, width: int) -> list[Content]:
    """The figures of the last probe, and the newest events first."""
    probe = mirror.probes.get(path)
    about = (event for event in without_steps(reversed(mirror.events)) if event.subject == path)
    happened = [event_line(event).truncate(width, ellipsis=True) for event in islice(about, _MOST)]
    return [
        *section("last measured", _measured(probe, width) if probe is not None else []),
        *section("lately", happened),
    ]


def _measured(probe: ProbeState, width: int) -> list[Content]:
    rows: list[tuple[str, Content | str]] = [
        ("probe", _state(probe)),
        ("calls", text.joined([f"{probe.calls:,}", f"{probe.rate:.3g}/s", text.count(probe.errors, "error")])),
        ("in worker", _spread(probe.worker)),
        ("round trip", _spread(probe.round_trip)),
        *((safe(name, 60), text.number(value)) for name, value in (probe.score or {}).items()),
        *([("no truth", text.count(probe.missing, "row"))] if probe.missing else []),
        *([("no score", safe(probe.unscored, 200))] if probe.unscored and not probe.score else []),
    ]
    return pairs(rows, width)


def _state(probe: ProbeState) -> Content:
    """The state of the probe, or why it ended."""
    if not probe.running:
        return Content(safe(probe.stopped_why or "ended", 100))
    if probe.waits:
        return Content.styled("waits: no worker answers", "$error")
    return Content.styled(failing_words(probe), "$error") if probe.failing else Content("drives it now")


def _spread(measured: Quantiles | None) -> str:
    if measured is None:
        return ""
    return text.joined([f"p50 {text.milliseconds(measured.p50)}", f"p99 {text.milliseconds(measured.p99)}"])
