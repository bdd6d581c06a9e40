"""The output of a model's processes: wrapped, followed to its end unless scrolled up, searched."""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar, NamedTuple

from rich.cells import chop_cells
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from console.records import LogLine, LogPart, Stream
from console.safe_text import safe
from console.ui.keys import bindings_at

_GAP = 1
"""Cells between the text and its scrollbar."""
_LEAST = 24
"""Where the text would have fewer cells than these, the columns before it give way."""
_TIME, _PROCESS, _SHORT_TAG = 9, 8, 4
_STYLES: dict[Stream, str] = {"err": "$foreground", "out": "$foreground", "mark": "$accent", "lost": "$warning"}
_TAGS: dict[Stream, str] = {"err": "err", "out": "out", "mark": "", "lost": ""}


class _Item(NamedTuple):
    line: LogLine
    said: str
    rows: int


class _Match(NamedTuple):
    """Where in the text of which line: its place among those that are kept, and its own number."""

    place: int
    start: int
    end: int
    number: int

    @property
    def key(self) -> tuple[int, int]:
        """What stays the same while older lines go."""
        return self.number, self.start


class LogPane(ScrollView, can_focus=True):
    """Shows lines as they come. Of each: the time, the process where there are several, the stream, and the text.

    A long line is wrapped under its text. `following` is true until the operator scrolls up, and again at the end.
    """

    BINDINGS = bindings_at("text")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"pane--match", "pane--here"}
    DEFAULT_CSS = """
    LogPane {
        height: 1fr; background: $background; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden;
        & > .pane--match { background: $warning 35%; }
        & > .pane--here { background: $warning; color: $background; }
        &:ansi > .pane--match { background: ansi_default; text-style: underline; }
        &:ansi > .pane--here { background: ansi_default; text-style: reverse; }
        &:nocolor > .pane--match { text-style: underline; }
        &:nocolor > .pane--here { text-style: reverse; }
    }
    """

    class Followed(Message):
        """Its end is followed from now on, or no longer."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.following = True
        self.unseen = 0
        """Lines that came since it was scrolled up."""
        self.last = 0
        """The number of the last line taken over."""
        self._ended: list[_Item] = []
        self._open: list[_Item] = []
        self._ends: list[int] = []
        self._beside = False
        self._margin = self._width = 0
        """Cells before the text and of the text, for which the rows were counted; 0 while nothing is laid out."""
        self._expression: re.Pattern[str] | None = None
        self._matches: list[_Match] = []
        self._here = 0
        self._placing = False

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self._ended) + len(self._open)

    @property
    def plain(self) -> str:
        """All of it as it is copied: with date, process and stream, unwrapped."""
        return "\n".join(
            f"{_moment(line.when)} {line.pid} {_TAGS[line.stream]:<3} {said}".rstrip()
            for line, said, _rows in (*self._ended, *self._open)
        )

    def clear(self) -> None:
        """Another log from its beginning."""
        self._ended, self._open, self.last = [], [], 0
        self._lay_out()
        self.refresh()

    def take(self, parts: Sequence[LogPart]) -> None:
        """More lines, and those in progress; what is read stays where it is."""
        came = [line for part in parts for line in part.ended]
        first, opened = parts[-1].first, parts[-1].open
        gone = sum(item.line.number < first for item in self._ended)
        if not came and not gone and opened == tuple(item.line for item in self._open):
            return
        ended_rows = sum(item.rows for item in self._ended)
        gone_rows = sum(item.rows for item in self._ended[:gone])
        self.last = came[-1].number if came else self.last
        self.unseen += 0 if self.following else len(came)
        self._ended = [*self._ended[gone:], *(_item(line, self._width) for line in came if line.number >= first)]
        self._open = [_item(line, self._width) for line in opened]
        beside = any(item.line.beside for item in (*self._ended, *self._open))
        if beside != self._beside:
            self._beside = beside
            self._fit()
        self._lay_out()
        if self.following:
            self._to_end()
        elif gone_rows:
            self._place(self.scroll_offset.y - gone_rows)
        if self.following or gone or ended_rows < self.scroll_offset.y + self.size.height:
            self.refresh()

    def search(self, pattern: str) -> int:
        """Mark every match of a regular expression (taken literally if it is none); how many there are."""
        try:
            self._expression = re.compile(pattern, re.IGNORECASE) if pattern else None
        except re.error:
            self._expression = re.compile(re.escape(pattern), re.IGNORECASE)
        self._find()
        top = self._at(self.scroll_offset.y)[0]
        self._here = next((place for place, match in enumerate(self._matches) if match.place >= top), 0)
        self._reveal()
        return len(self._matches)

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

    def action_do(self, action_id: str) -> None:
        """The movements of the action table; the last line is followed again."""
        page = max(1, self.size.height - 1)
        moves = {"down": 1, "up": -1, "page-down": page, "page-up": -page}
        if action_id in moves:
            self.scroll_to(y=self.scroll_offset.y + moves[action_id], animate=False, immediate=True)
        elif action_id == "top":
            self.scroll_to(y=0, animate=False, immediate=True)
        elif action_id == "bottom":
            self._follow(True)
            self._to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls up reads: nothing moves. At the end it is followed again."""
        super().watch_scroll_y(old_value, new_value)
        if not self._placing:
            self._follow(round(new_value) >= self.max_scroll_y)

    def on_resize(self) -> None:
        """Another width wraps anew; what is followed stays at its end."""
        if self._room() != (self._margin, self._width):
            self._fit()
            self._lay_out()
            self.refresh()
        if self.following:
            self._to_end()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row, base, width = self.scroll_offset.y + y, self.visual_style, self.size.width
        if not self._ends or row >= self._ends[-1]:
            return Strip.blank(width, base.rich_style)
        index, part = self._at(row)
        line = self._drawn(index, part)
        if (selection := self.text_selection) is not None and (span := selection.get_span(row)) is not None:
            start, end = span
            line = line.stylize(self.screen.get_visual_style("screen--selection"), start, None if end == -1 else end)
        strip = Strip(line.render_segments(base))
        return strip.adjust_cell_length(width, base.rich_style).apply_offsets(0, row)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What the mouse has marked."""
        rows = (
            self._drawn(index, part).plain
            for index, item in enumerate((*self._ended, *self._open))
            for part in range(item.rows)
        )
        return selection.extract("\n".join(rows)), "\n"

    def _at(self, row: int) -> tuple[int, int]:
        """The line that a row shows, and which part of it."""
        index = min(bisect_right(self._ends, row), max(0, len(self._ends) - 1))
        return index, row - (self._ends[index - 1] if index else 0)

    def _drawn(self, index: int, part: int) -> Content:
        """One row of a line: the columns before its text, or the blanks under them, and a part of the text."""
        ended = len(self._ended)
        line, said, _rows = self._ended[index] if index < ended else self._open[index - ended]
        margin = self._margin
        parts = _cut(said, max(1, self._width))
        shown = Content.styled(parts[part], "bold $error" if line.failed else _STYLES[line.stream])
        start = sum(len(one) for one in parts[:part])
        low = bisect_left(self._matches, index, key=lambda match: match.place)
        for place in range(low, len(self._matches)):
            match = self._matches[place]
            if match.place != index:
                break
            if match.start < start + len(parts[part]) and match.end > start:
                style = self.get_visual_style("pane--here" if place == self._here else "pane--match")
                shown = shown.stylize(style, max(0, match.start - start), match.end - start)
        if part or not margin:
            return Content(" " * margin) + shown
        when = (
            time.strftime("%H:%M:%S ", time.localtime(line.when))
            if margin >= _TIME + _SHORT_TAG + (_PROCESS if self._beside else 0)
            else ""
        )
        process = f"{line.pid:<7} " if self._beside else ""
        return Content.styled(f"{when}{process}{_TAGS[line.stream]:<3} ", "$quiet") + shown

    def _room(self) -> tuple[int, int]:
        """Cells before the text, `14:03:59 4242    err ` or where there is little room without the time, and of it."""
        width = self.scrollable_content_region.width - _GAP
        process = _PROCESS if self._beside else 0
        margin = next(
            (cells for cells in (_TIME + process + _SHORT_TAG, process + _SHORT_TAG) if width - cells >= _LEAST), 0
        )
        return margin, max(0, width - margin)

    def _fit(self) -> None:
        """Wrap for another width: what is drawn goes by the same one until the next time."""
        self._margin, self._width = self._room()
        self._ended = [item._replace(rows=_rows(item.said, self._width)) for item in self._ended]
        self._open = [item._replace(rows=_rows(item.said, self._width)) for item in self._open]

    def _lay_out(self) -> None:
        self._ends = list(accumulate(item.rows for item in (*self._ended, *self._open)))
        self.virtual_size = Size(max(1, self._width), self._ends[-1] if self._ends else 0)
        if self._expression is not None:
            self._find()

    def _find(self) -> None:
        """Every match anew; the one that is stood on stays it."""
        here = self._matches[self._here].key if self._matches else None
        self._matches = []
        if self._expression is not None:
            for index, item in enumerate((*self._ended, *self._open)):
                for found in self._expression.finditer(item.said):
                    if found.end() > found.start():
                        self._matches.append(_Match(index, found.start(), found.end(), item.line.number))
        keys = [match.key for match in self._matches]
        self._here = keys.index(here) if here in keys else min(self._here, max(0, len(keys) - 1))

    def _reveal(self) -> None:
        """Bring the match that is stood on into sight."""
        if self._matches:
            match = self._matches[self._here]
            said = (*self._ended, *self._open)[match.place].said
            parts = accumulate(map(len, _cut(said, max(1, self._width))))
            row = (self._ends[match.place - 1] if match.place else 0) + sum(end <= match.start for end in parts)
            if not self.scroll_offset.y <= row < self.scroll_offset.y + self.size.height:
                self.scroll_to(y=max(0, row - self.size.height // 3), animate=False, immediate=True)
        self.refresh()

    def _follow(self, on: bool) -> None:
        self.unseen = 0 if on else self.unseen
        if on != self.following:
            self.following = on
            self.post_message(self.Followed())

    def _to_end(self) -> None:
        self._place(self.max_scroll_y)

    def _place(self, row: int) -> None:
        """Scroll without taking it for the operator's doing."""
        self._placing = True
        try:
            self.scroll_to(y=max(0, row), animate=False, immediate=True)
        finally:
            self._placing = False


def _item(line: LogLine, width: int) -> _Item:
    said = safe(line.text, 0, lines=True)
    return _Item(line, said, _rows(said, width))


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def _rows(said: str, width: int) -> int:
    if width < 1 or not said:
        return 1
    return 1 if len(said) <= width and said.isascii() else len(_cut(said, width))


def _cut(said: str, width: int) -> list[str]:
    """A text in parts of at most `width` cells, which together are the text: between words, but for very long ones."""
    parts, at = [], 0
    while at < len(said):
        part = said[at : at + width]
        if not part.isascii():
            part = chop_cells(part, width)[0] or part[:1]
        blank = part.rfind(" ") + 1
        if blank > len(part) // 2 and at + len(part) < len(said):
            part = part[:blank]
        parts.append(part)
        at += len(part)
    return parts or [said]
