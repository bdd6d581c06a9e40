"""Rows of text to read: moved over with the action table, searched, selected with the mouse."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter
from typing import ClassVar, NamedTuple

from textual.content import Content
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from console.ui.keys import bindings_at

GAP = 1
"""Cells between the text and its scrollbar."""


class Match(NamedTuple):
    """Where in the text of which line: its place in the text, and a number that it keeps while others go."""

    place: int
    start: int
    end: int
    number: int

    @property
    def key(self) -> tuple[int, int]:
        """The match's own place, which stays the same while older lines go."""
        return self.number, self.start


class LinesPane(ScrollView, can_focus=True):
    """Draws rows. `search` marks every match and goes to the first in sight; `go` to the next or the one before.

    A subclass has the `texts` that are searched, and says how one row looks and where a match is seen.
    """

    BINDINGS = bindings_at("text")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"pane--match", "pane--here"}
    DEFAULT_CSS = """
    LinesPane {
        height: 1fr; background: $background; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden;
        & > .pane--match { background: $warning 35%; }
        & > .pane--here { background: $warning; color: $background; }
        &:ansi > .pane--match { background: ansi_default; text-style: underline; }
        &:ansi > .pane--here { background: ansi_default; text-style: reverse; }
        &:nocolor > .pane--match { text-style: underline; }
        &:nocolor > .pane--here { text-style: reverse; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._expression: re.Pattern[str] | None = None
        self._matches: list[Match] = []
        self._here = 0

    @property
    def rows(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def texts(self) -> Iterator[tuple[int, str]]:
        """Every line that is searched, with its number."""
        raise NotImplementedError

    def drawn(self, row: int) -> Content:
        """One row as it looks, its matches marked."""
        raise NotImplementedError

    def row_of(self, match: Match) -> int:
        """The row in which a match begins."""
        raise NotImplementedError

    def search(self, pattern: str) -> None:
        """Mark every match of a regular expression (taken literally if it is none)."""
        try:
            self._expression = re.compile(pattern, re.IGNORECASE) if pattern else None
        except re.error:
            self._expression = re.compile(re.escape(pattern), re.IGNORECASE)
        self.find()
        top = self.scroll_offset.y
        self._here = next((index for index, match in enumerate(self._matches) if self.row_of(match) >= top), 0)
        self._reveal()

    def find(self) -> None:
        """Every match anew; the one that is stood on stays it."""
        here = self._matches[self._here].key if self._matches else None
        self._matches = []
        if self._expression is not None:
            for place, (number, line) in enumerate(self.texts):
                found = ((one.start(), one.end()) for one in self._expression.finditer(line))
                self._matches += [Match(place, start, end, number) for start, end in found if end > start]
        keys = [match.key for match in self._matches]
        self._here = keys.index(here) if here in keys else min(self._here, max(0, len(keys) - 1))

    def go(self, step: int) -> str:
        """The next match (or with -1 the one before), round the end; says which of how many."""
        if self._matches:
            self._here = (self._here + step) % len(self._matches)
            self._reveal()
        return self.where

    @property
    def where(self) -> str:
        """`3 of 17`, or `no match`."""
        if not self._matches:
            return "no match" if self._expression else ""
        return f"{self._here + 1} of {len(self._matches)}"

    def _reveal(self) -> None:
        """Bring the match that is stood on into sight."""
        if self._matches:
            row = self.row_of(self._matches[self._here])
            if not self.scroll_offset.y <= row < self.scroll_offset.y + self.size.height:
                self.scroll_to(y=max(0, row - self.size.height // 3), animate=False, immediate=True)
        self.refresh()

    def marked(self, line: Content, place: int, start: int = 0) -> Content:
        """A part of the line at this place, from its character number `start` on, with its matches marked."""
        for index in range(bisect_left(self._matches, place, key=attrgetter("place")), len(self._matches)):
            match = self._matches[index]
            if match.place != place:
                break
            if match.end > start and match.start < start + len(line):
                style = self.get_visual_style("pane--here" if index == self._here else "pane--match")
                line = line.stylize(style, max(0, match.start - start), match.end - start)
        return line

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row, base, width = self.scroll_offset.y + y, self.visual_style, self.size.width
        if row >= self.rows:
            return Strip.blank(width, base.rich_style)
        line = self.drawn(row)
        if (selection := self.text_selection) is not None and (span := selection.get_span(row)) is not None:
            start, end = span
            line = line.stylize(self.screen.get_visual_style("screen--selection"), start, None if end == -1 else end)
        strip = Strip(line.render_segments(base))
        return strip.adjust_cell_length(width, base.rich_style).apply_offsets(0, row)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text that the mouse has marked."""
        return selection.extract("\n".join(self.drawn(row).plain for row in range(self.rows))), "\n"

    def action_do(self, action_id: str) -> None:
        """The movements of the action table."""
        here, page = self.scroll_offset.y, max(1, self.size.height - 1)
        places = {"down": here + 1, "up": here - 1, "page-down": here + page, "page-up": here - page}
        places |= {"top": 0, "bottom": self.rows}
        if action_id in places:
            self.scroll_to(y=places[action_id], animate=False, immediate=True)
