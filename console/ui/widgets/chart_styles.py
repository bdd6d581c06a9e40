"""The colours of drawn cells, as one set of component styles for all parts of a chart."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Region
from textual.widget import Widget

from console.ui.widgets.plot import Ink

_CLASSES = {
    Ink.FAINT: "ink--faint",
    Ink.FILL: "ink--fill",
    Ink.OTHER_FAINT: "ink--other-faint",
    Ink.LINE: "ink--line",
    Ink.OTHER: "ink--other",
    Ink.ALARM: "ink--alarm",
    Ink.BEYOND: "ink--beyond",
    Ink.MARK: "ink--mark",
}


INK_CLASSES = frozenset({*_CLASSES.values(), "ink--axis", "ink--value", "ink--quiet"})
"""The component classes of what holds inked parts. The parts ask it: styles are worked out once, not once a part."""
INK_CSS = """
    & > .ink--faint { color: $chart-faint; }
    & > .ink--fill { color: $chart-fill; }
    & > .ink--line { color: $accent; text-style: bold; }
    & > .ink--other-faint { color: $chart-requests-faint; }
    & > .ink--other { color: $chart-requests; text-style: bold; }
    & > .ink--alarm { color: $error; text-style: bold; }
    & > .ink--beyond { color: $warning; text-style: bold; }
    & > .ink--mark { color: $warning; }
    & > .ink--axis { color: $quiet; }
    & > .ink--quiet { color: $quiet; }
    & > .ink--value { color: $foreground; text-style: bold; }
"""


class Inked(Widget):
    """A part of a chart that paints with the chart's inks."""

    def __init__(self) -> None:
        super().__init__()
        self._styles_known: dict[str, Style] = {}

    def notify_style_update(self) -> None:
        """Another theme or class: styles are looked up anew."""
        super().notify_style_update()
        self._styles_known.clear()

    def ink(self, ink: Ink) -> Style:
        """The style of one ink."""
        return self._style(_CLASSES.get(ink, ""))

    def part(self, name: str) -> Style:
        """The style of "axis", "value" or "quiet"."""
        return self._style(f"ink--{name}")

    @property
    def _chart(self) -> Widget:
        return self.parent if isinstance(self.parent, Widget) else self

    def _style(self, name: str) -> Style:
        known = self._styles_known.get(name)
        if known is None:
            known = self._chart.get_component_rich_style(name) if name else self.rich_style
            self._styles_known[name] = known
        return known


def refresh_changed(widget: Widget, before: Sequence[object], now: Sequence[object]) -> None:
    """Have only those rows of `widget` painted that differ; all of it where there are more rows or fewer."""
    if len(before) != len(now):
        widget.refresh()
        return
    for row, (old, new) in enumerate(zip(before, now, strict=True)):
        if old != new:
            widget.refresh(Region(0, row, widget.size.width, 1))
