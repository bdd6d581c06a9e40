"""Painting at the pace of the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.reactive import var
from textual.screen import Screen, ScreenResultType

if TYPE_CHECKING:
    from textual.widget import Widget

    from console.ui.host import Host


class Paced(Screen[ScreenResultType]):
    """A screen that is painted only when the terminal has taken what was painted before: nothing is lost, as what has
    changed meanwhile is painted then."""

    focused: var[Widget | None] = var(None)
    """What has the focus. Its coming and going repaints what it comes to and goes from, not the whole screen."""

    def _on_timer_update(self) -> None:
        if not cast("Host", self.app).pace.behind:
            super()._on_timer_update()
