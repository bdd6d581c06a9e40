"""A list of things, one line each: failures, events, versions, places."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.ui import text
from console.ui.keys import bindings_at

Item = tuple[Hashable, Content]
"""The key of a line, and its text."""

_MARK = 2
"""Cells before each line, for the cursor."""
_GAP = 1
"""Cells between a line and the scrollbar."""


class LineList(ScrollView, can_focus=True):
    """The cursor belongs to a key: it stays on its thing when others come before it."""

    BINDINGS = bindings_at("list")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"list--cursor"}
    DEFAULT_CSS = """
    LineList {
        height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .list--cursor { background: $cursor-tint; }
        &:ansi > .list--cursor { background: ansi_default; text-style: reverse; }
        &:nocolor > .list--cursor { text-style: reverse; }
    }
    """

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, key: Hashable) -> None:
            super().__init__()
            self.key = key

    class Chosen(Moved):
        """The line under the cursor was clicked while it was selected."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._items: tuple[Item, ...] = ()
        self._index = 0
        self._fitted = Size(0, 0)

    @property
    def key(self) -> Hashable:
        """The key under the cursor; None when the list is empty."""
        return self._items[self._index][0] if self._items else None

    @property
    def text_width(self) -> int:
        """Cells a line has between the mark and the scrollbar."""
        return max(1, self.scrollable_content_region.width - _MARK - _GAP)

    @property
    def at_top(self) -> bool:
        """Whether the cursor is on the first line."""
        return self._index == 0

    def show(self, items: Sequence[Item]) -> None:
        """Another content; the cursor stays on its key."""
        fresh, old = tuple(items), self._items
        if text.same(fresh, old):
            return
        key, self._items = self.key, fresh
        keys = [one[0] for one in fresh]
        self._index = keys.index(key) if key in keys else min(self._index, max(0, len(fresh) - 1))
        self.virtual_size = Size(max(1, self.size.width), len(fresh))
        self._bring_into_sight()
        for line in range(self.size.height):
            number = self.scroll_offset.y + line
            if number == self._index or not text.same(old[number : number + 1], fresh[number : number + 1]):
                self.refresh(Region(0, line, self.size.width, 1))
        if self.key != key:
            self.post_message(self.Moved(self.key))

    def select(self, key: Hashable) -> None:
        """Put the cursor on a key."""
        for index, (one, _) in enumerate(self._items):
            if one == key:
                self._move_to(index)

    def on_resize(self) -> None:
        """Another size; what was hidden and is seen again stays as it is."""
        if self._fitted == self.size:
            return
        self._fitted = self.size
        self.virtual_size = Size(max(1, self.size.width), len(self._items))
        self._bring_into_sight()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number, width = self.scroll_offset.y + y, self.scrollable_content_region.width
        base = self.visual_style
        if number >= len(self._items):
            return Strip.blank(width, base.rich_style)
        over = base
        mark = " " * _MARK
        if number == self._index and not self.has_class("unchosen"):
            over = self.get_visual_style("list--cursor")
            mark = text.sign("▌").ljust(_MARK)
        line = self._items[number][1].truncate(self.text_width, ellipsis=True)
        line = Content.styled(mark, "$accent") + line
        return Strip(line.render_segments(over)).adjust_cell_length(width, over.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Select a line; a click on the selected one chooses it."""
        number = self.scroll_offset.y + event.y
        if number < len(self._items):
            if number == self._index:
                self.post_message(self.Chosen(self.key))
            self._move_to(number)

    def action_do(self, action_id: str) -> None:
        """The movements of the action table."""
        page = max(1, self.size.height - 1)
        last = len(self._items) - 1
        to = {
            "down": self._index + 1,
            "up": self._index - 1,
            "page-down": self._index + page,
            "page-up": self._index - page,
            "top": 0,
            "bottom": last,
        }.get(action_id)
        if to is not None:
            self._move_to(to)

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._items) - 1))
        if not self._items or index == self._index:
            return
        before, self._index = self._index, index
        self._bring_into_sight()
        self.refresh_line(before)
        self.refresh_line(index)
        self.post_message(self.Moved(self.key))

    def _bring_into_sight(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if self._index < top:
            self.scroll_to(y=self._index, animate=False, immediate=True)
        elif self._index >= top + height:
            self.scroll_to(y=self._index - height + 1, animate=False, immediate=True)
