"""A long text to read, wrapped once a width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.geometry import Region, Size

from console.ui import text
from console.ui.widgets.lines_pane import GAP, LinesPane, Match

_LONGEST = 20_000
"""Lines kept of a text; what is beyond that is not for reading on a screen."""
_LEAST_BESIDE, _STEP = 16, 2
"""Where fewer cells than these are left, a line hangs so many under its own start instead."""


class Hanging(NamedTuple):
    """A line whose continuation stands under the character number `under` when it has to be wrapped."""

    line: Content
    under: int


Line = Content | Hanging


class TextPane(LinesPane):
    """Shows a text, wrapped once a width."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()
        self._wrapped: list[Content] = []
        self._wrapped_for = 0

    @property
    def text_width(self) -> int:
        """Cells a line has; what is wrapped for them needs no wrapping here."""
        return max(0, self.scrollable_content_region.width - GAP)

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

    @property
    def rows(self) -> int:
        """How many lines there are, wrapped."""
        self._wrap()
        return len(self._wrapped)

    @property
    def texts(self) -> Iterator[tuple[int, str]]:
        """The lines, wrapped."""
        return enumerate(line.plain for line in self._wrapped)

    def row_of(self, match: Match) -> int:
        """Each line is a row."""
        return match.place

    def drawn(self, row: int) -> Content:
        """A line."""
        return self.marked(self._wrapped[row], row)

    def _wrap(self) -> None:
        width = self.text_width
        if width <= 0 or self._wrapped_for == width:
            return
        self._wrapped_for = width
        self._wrapped = [part for line in self._lines for part in wrapped(line, width)]
        self.virtual_size = Size(width, len(self._wrapped))
        self.find()

    def on_resize(self) -> None:
        """Another width wraps anew; what was hidden and is seen again at the same width stays as it is."""
        if self._wrapped_for != self.text_width:
            self._wrap()
            self.refresh()


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
