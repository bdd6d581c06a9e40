"""The column in progress of a chart: a widget one cell wide, so that a new value repaints this and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from console.ui.widgets.chart_styles import Inked, refresh_changed
from console.ui.widgets.plot import Cell

if TYPE_CHECKING:
    from console.ui.widgets.window import Window


class LiveColumn(Inked):
    """Shows `window.live`; `revise` repaints only the cells that changed."""

    DEFAULT_CSS = """
    LiveColumn { width: 1; height: 1fr; }
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window
        self._shown: list[Cell] = []

    def revise(self) -> None:
        """Bring the cells up to date."""
        before, self._shown = self._shown, self._window.live
        refresh_changed(self, before, self._shown)

    def render_line(self, y: int) -> Strip:
        """One cell."""
        if y >= len(self._shown):
            return Strip.blank(1, self.rich_style)
        char, ink = self._shown[y]
        return Strip([Segment(char, self.ink(ink))], 1)
