"""A long text to read: wrapped once a width, drawn by line, searched, selected with the mouse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style

from console.ui import text
from console.ui.keys import bindings_at

_LONGEST = 20_000
"""Lines kept of a text; what is beyond that is not for reading on a screen."""
_GAP = 1
"""Cells between the text and its scrollbar."""
_LEAST_BESIDE, _STEP = 16, 2
"""Where fewer cells than these are left, a line hangs so many under its own start instead."""


class Hanging(NamedTuple):
    """A line whose continuation stands under the character number `under` when it has to be wrapped."""

    line: Content
    under: int


Line = Content | Hanging


class TextPane(ScrollView, can_focus=True):
    """Shows lines of text. `search` marks every match and goes to the first; `go` to the next or the one before."""

    BINDINGS = bindings_at("text")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"pane--match", "pane--here"}
    DEFAULT_CSS = """
    TextPane {
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
        self._lines: tuple[Line, ...] = ()
        self._wrapped: list[Content] = []
        self._wrapped_for = 0
        self._expression: re.Pattern[str] | None = None
        self._matches: list[tuple[int, int, int]] = []
        self._here = 0

    @property
    def text_width(self) -> int:
        """Cells a line has; what is wrapped for them needs no wrapping here."""
        return max(0, self.scrollable_content_region.width - _GAP)

    def show(self, lines: Sequence[Line], *, keep_place: bool = False) -> None:
        """Another text; from its top, unless it is the old one brought up to date."""
        lines = tuple(lines[:_LONGEST])
        if text.same(lines, self._lines):
            return
        before, self._lines, self._wrapped_for = self._wrapped, lines, 0
        self._wrap()
        if keep_place and len(before) == len(self._wrapped):
            self._refresh_changed(before)
            return
        if not keep_place:
            self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def _refresh_changed(self, before: Sequence[Content]) -> None:
        top, (width, height) = self.scroll_offset.y, self.size
        for row, (old, new) in enumerate(zip(before[top:], self._wrapped[top : top + height], strict=False)):
            if not text.same(old, new):
                self.refresh(Region(0, row, width, 1))

    @property
    def plain(self) -> str:
        """The text as it is copied: unwrapped, without colours."""
        return "\n".join((line.line if isinstance(line, Hanging) else line).plain.rstrip() for line in self._lines)

    def search(self, pattern: str) -> int:
        """Mark every match of a regular expression (taken literally if it is none); how many there are."""
        try:
            self._expression = re.compile(pattern, re.IGNORECASE) if pattern else None
        except re.error:
            self._expression = re.compile(re.escape(pattern), re.IGNORECASE)
        self._find()
        self._here = next((i for i, match in enumerate(self._matches) if match[0] >= self.scroll_offset.y), 0)
        self._reveal()
        return len(self._matches)

    def go(self, step: int) -> str:
        """The next match (or with -1 the one before), round the end; says which of how many."""
        if not self._matches:
            return "no match" if self._expression else ""
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
        if self._matches:
            line = self._matches[self._here][0]
            if not self.scroll_offset.y <= line < self.scroll_offset.y + self.size.height - 1:
                self.scroll_to(y=max(0, line - self.size.height // 3), animate=False, immediate=True)
        self.refresh()

    def _find(self) -> None:
        self._matches = []
        if self._expression is not None:
            for number, line in enumerate(self._wrapped):
                for match in self._expression.finditer(line.plain):
                    if match.end() > match.start():
                        self._matches.append((number, match.start(), match.end()))

    def _wrap(self) -> None:
        width = self.text_width
        if width <= 0 or self._wrapped_for == width:
            return
        self._wrapped_for = width
        self._wrapped = [part for line in self._lines for part in wrapped(line, width)]
        self.virtual_size = Size(width, len(self._wrapped))
        self._find()

    def on_resize(self) -> None:
        """Another width wraps anew; what was hidden and is seen again at the same width stays as it is."""
        if self._wrapped_for != self.text_width:
            self._wrap()
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        self._wrap()
        number = self.scroll_offset.y + y
        base = self.visual_style
        if number >= len(self._wrapped):
            return Strip.blank(self.size.width, base.rich_style)
        line = self._wrapped[number]
        for index, (at, start, end) in enumerate(self._matches):
            if at == number:
                line = line.stylize(self._component("pane--here" if index == self._here else "pane--match"), start, end)
        if (selection := self.text_selection) is not None and (span := selection.get_span(number)) is not None:
            start, end = span
            line = line.stylize(self.screen.get_visual_style("screen--selection"), start, None if end == -1 else end)
        strip = Strip(line.render_segments(base))
        return strip.adjust_cell_length(self.size.width, base.rich_style).apply_offsets(0, number)

    def _component(self, name: str) -> Style:
        return self.get_visual_style(name)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What the mouse has marked."""
        return selection.extract("\n".join(line.plain for line in self._wrapped)), "\n"

    def action_do(self, action_id: str) -> None:
        """The movements of the action table."""
        page = max(1, self.size.height - 1)
        moves = {"down": 1, "up": -1, "page-down": page, "page-up": -page}
        if action_id in moves:
            self.scroll_to(y=self.scroll_offset.y + moves[action_id], animate=False, immediate=True)
        elif action_id == "top":
            self.scroll_to(y=0, animate=False, immediate=True)
        elif action_id == "bottom":
            self.scroll_to(y=len(self._wrapped), animate=False, immediate=True)


def wrapped(line: Line, width: int) -> Iterator[Content]:
    """A line in pieces of at most `width` cells."""
    if not isinstance(line, Hanging):
        yield from line.wrap(width) if line else [line]
        return
    head, rest = line.line.divide([line.under])
    if width - head.cell_length < _LEAST_BESIDE:
        plain = line.line.plain
        head, rest = line.line.divide([len(plain) - len(plain.lstrip()) + _STEP])
    margin = Content(" " * head.cell_length)
    for number, part in enumerate(rest.wrap(max(1, width - head.cell_length))):
        yield (margin if number else head) + part.rstrip()
