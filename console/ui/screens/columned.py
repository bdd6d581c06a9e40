"""Screens with two parts that scroll: which of them the keys move, and how to get to the other."""

from __future__ import annotations

from collections.abc import Sequence

from textual.scroll_view import ScrollView

from console.ui.screens.base import ConsoleScreen

ALONE = "nothing stands beside it here"


class Columned(ConsoleScreen):
    """A screen whose `columns` stand side by side or one below the other; the wheel moves what is under the pointer."""

    @property
    def columns(self) -> Sequence[ScrollView]:
        """The parts that scroll, those that are hidden now included."""
        return ()

    @property
    def other_column(self) -> ScrollView | None:
        """The one that the keys do not move now; None where fewer than two are in sight."""
        shown = [one for one in self.columns if one.display and one.is_attached]
        if len(shown) < 2:
            return None
        here = next((place for place, one in enumerate(shown) if one is self.focused), -1)
        return shown[(here + 1) % len(shown)]

    @property
    def beside(self) -> tuple[str, ...]:
        """The action for the footer, where the other one has more than is in sight."""
        other = self.other_column
        return ("other-column",) if other is not None and other.max_scroll_y > 0 else ()

    def on_resize(self) -> None:
        """There may be room for two now, or for one only."""
        self.call_after_refresh(self.refresh_frame)

    def refresh_frame(self) -> None:
        """The column in focus has a mark where keys move anything."""
        super().refresh_frame()
        self.set_class(not any(one.max_scroll_y > 0 for one in self.columns if one.is_attached), "-still")

    def do_other_column(self) -> None:
        """The keys move the other one from now on."""
        self.set_focus(self.other_column)
