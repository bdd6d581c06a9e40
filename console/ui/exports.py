"""Exports of the screens: the measurements behind the charts as csv, and a screen as it is seen."""

from __future__ import annotations

from typing import Any

from textual.app import App

from console.monitor.export import Kept
from console.monitor.series import Recorder
from console.safe_text import safe
from console.ui import text
from console.ui.host import Host
from console.ui.saving import exports, keep
from console.ui.shot import Shot
from console.ui.widgets.window import duration


def export_data(host: Host, path: str, recorder: Recorder, step: float, since: float | None) -> None:
    """Write all that is kept of a model in steps of this width, or of the next that reach back to `since`."""
    kept = Kept.of(recorder, recorder.narrowest(step, since))
    if not kept.steps:
        host.say(f"export: no step of {duration(kept.seconds)} is finished yet; zoom in for shorter ones")
        return
    what = f"{text.count(len(kept.steps), 'step')} of {duration(kept.seconds)} of {path}"
    keep(host, what, exports, path, lambda: {".csv": kept.csv()})


def save_screen(host: Host, app: App[Any], place: str, subject: str | None) -> None:
    """Write what is seen now, as text and as a picture."""
    shot = Shot.of(app, safe(f"model-console {subject or place}"))
    keep(
        host,
        "screen",
        exports,
        f"{place}-{subject or ''}".rstrip("-"),
        lambda: {".txt": shot.text(), ".svg": shot.svg()},
    )
