"""One line of tabs: number, word, and what is new there."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from console.ui.keys import BY_ID, shown_keys


class TabLine(Widget):
    """`1 overview  2 live  3 try it  4 errors 2`; a click goes there."""

    auto_links = False
    DEFAULT_CSS = "TabLine { height: 1; width: 1fr; padding: 0 1; }"

    def __init__(self, tabs: Mapping[str, str]) -> None:
        super().__init__()
        self._actions = dict(tabs)
        self._active = ""
        self._counts: dict[str, int] = {}

    def show(self, active: str, counts: Mapping[str, int]) -> None:
        """Which tab is open, and how many things wait in the others."""
        if (active, dict(counts)) != (self._active, self._counts):
            self._active, self._counts = active, dict(counts)
            self.refresh()

    def render(self) -> Content:
        """The tabs."""
        parts = []
        for name, action_id in self._actions.items():
            action = BY_ID[action_id]
            here = name == self._active
            key = Content.styled(
                f"{shown_keys(action, first=True)} ".lstrip(), "$accent" if not here else "bold $accent"
            )
            word = Content.styled(action.label, "bold underline $foreground" if here else "$quiet")
            tab = key + word
            if count := self._counts.get(name):
                tab += Content.styled(f" {count}", "$error")
            parts.append((tab + "  ").stylize(Style.from_meta({"@click": f"screen.do('{action_id}')"})))
        return Content(" ").join(parts)
