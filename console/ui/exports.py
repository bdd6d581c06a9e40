"""Exports of the screens: the measurements behind the charts as csv, and a screen as it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.records import WIDTHS
from console.safe_text import safe
from console.ui import text
from console.ui.measured_csv import Kept
from console.ui.saving import exports, keep
from console.ui.shot import Shot
from console.ui.widgets.window import duration

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp


async def export_data(app: ConsoleApp, path: str, step: float, since: float | None) -> None:
    """Write all that is kept of a model in steps of this width, or of the next that reach back to `since`."""
    measured = await app.mirror.measure(path, WIDTHS)
    if measured is None:
        return
    kept = Kept.of(measured, measured.narrowest(step, since))
    if not kept.steps:
        app.say(f"export: no step of {duration(kept.seconds)} is finished yet; zoom in for shorter ones")
        return
    what = f"{text.count(len(kept.steps), 'step')} of {duration(kept.seconds)} of {path}"
    keep(app, what, exports, path, lambda: {".csv": kept.csv()})


def save_screen(app: ConsoleApp, place: str, subject: str | None) -> None:
    """Write what is seen now, as text and as a picture."""
    shot = Shot.of(app, safe(f"model-console {subject or place}"))
    keep(
        app,
        "screen",
        exports,
        f"{place}-{subject or ''}".rstrip("-"),
        lambda: {".txt": shot.text(), ".svg": shot.svg()},
    )
