"""The output of a model's processes: wrapped, followed to its end unless scrolled up, searched."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from rich.cells import chop_cells
from textual.content import Content
from textual.geometry import Size
from textual.message import Message

from console.records import LogLine, LogPart, Stream
from console.safe_text import safe
from console.ui.widgets.lines_pane import GAP, LinesPane, Match

_LEAST = 24
"""Where the text would have fewer cells than these, the columns before it give way."""
_TIME, _PROCESS, _SHORT_TAG = 9, 8, 4
_STYLES: dict[Stream, str] = {"err": "$foreground", "out": "$foreground", "mark": "$accent", "lost": "$warning"}
_TAGS: dict[Stream, str] = {"err": "err", "out": "out", "mark": "", "lost": ""}


class _Item(NamedTuple):
    line: LogLine
    said: str
    rows: int


class LogPane(LinesPane):
    """Shows lines as they come. Of each: the time, the process where there are several, the stream, and the text.

    A long line is wrapped under its text. `following` is true until the operator scrolls up, and again at the end.
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

    def action_do(self, action_id: str) -> None:
        """The movements of the action table; the last line is followed again."""
        if action_id == "bottom":
            self._follow(True)
            self._to_end()
        else:
            super().action_do(action_id)

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

    @property
    def rows(self) -> int:
        """How many rows all lines take."""
        return self._ends[-1] if self._ends else 0

    @property
    def texts(self) -> Iterator[tuple[int, str]]:
        """The lines, unwrapped."""
        return ((item.line.number, item.said) for item in (*self._ended, *self._open))

    def row_of(self, match: Match) -> int:
        """The row to which wrapping put the beginning of a match."""
        said = (*self._ended, *self._open)[match.place].said
        parts = accumulate(map(len, _cut(said, max(1, self._width))))
        return (self._ends[match.place - 1] if match.place else 0) + sum(end <= match.start for end in parts)

    def drawn(self, row: int) -> Content:
        """One row of a line: the columns before its text, or the blanks under them, and a part of the text."""
        index = bisect_right(self._ends, row)
        part = row - (self._ends[index - 1] if index else 0)
        ended = len(self._ended)
        line, said, _rows = self._ended[index] if index < ended else self._open[index - ended]
        margin = self._margin
        parts = _cut(said, max(1, self._width))
        shown = Content.styled(parts[part], "bold $error" if line.failed else _STYLES[line.stream])
        shown = self.marked(shown, index, sum(map(len, parts[:part])))
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
        width = self.scrollable_content_region.width - GAP
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
        self.virtual_size = Size(max(1, self._width), self.rows)
        if self._expression is not None:
            self.find()

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
            part = next(iter(chop_cells(part, width)), part) or part[:1]
        blank = part.rfind(" ") + 1
        if blank > len(part) // 2 and at + len(part) < len(said):
            part = part[:blank]
        parts.append(part)
        at += len(part)
    return parts or [said]
