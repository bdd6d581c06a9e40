"""Screens with two parts that scroll: which of them the keys move, and how to get to the other."""

from __future__ import annotations

from collections.abc import Sequence

from textual.scroll_view import ScrollView

from console.ui.screens.base import ConsoleScreen


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

    def footer_actions(self) -> Sequence[str]:
        """Those of the screen, and the way to the other part where that has more than is in sight."""
        actions, other = self.own_actions(), self.other_column
        behind = ("back",) if actions[-1:] == ("back",) else ()
        beside = ("other-column",) if other is not None and other.max_scroll_y > 0 else ()
        return (*actions[: len(actions) - len(behind)], *beside, *behind)

    def own_actions(self) -> tuple[str, ...]:
        """The actions that matter here and now beside that one."""
        return self.FOOTER

    def can(self, action: str) -> bool:
        """There must be another part to go to."""
        if action == "other-column":
            return self.is_built and self.other_column is not None
        return super().can(action)

    def why_not(self, action: str) -> str:
        """There is no other part."""
        return "nothing stands beside it here" if action == "other-column" else super().why_not(action)

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
