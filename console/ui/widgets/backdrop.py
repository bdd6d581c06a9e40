"""What stands behind other widgets: nothing but a background, one strip for all lines, however often it is drawn."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Backdrop(Widget):
    """Mixed into containers without border, behind what they are.

    The compositor asks each container for all its lines, those that are covered included: here they cost nothing.
    """

    _blank: tuple[int, Style, Strip] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Blank lines."""
        style = self.visual_style.rich_style.background_style
        known = self._blank
        if known is None or known[:2] != (crop.width, style):
            strip = Strip.blank(crop.width, style)
            for one in self.get_line_filters():
                strip = strip.apply_filter(one, self.background_colors[1])
            known = self._blank = (crop.width, style, strip)
        return [known[2]] * crop.height
