"""The table of artifacts: draws only the lines on the screen, and of those only the ones that changed."""

from __future__ import annotations

import time
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.ui import text
from console.ui.keys import bindings_at
from console.ui.rows import Row, Rows
from console.ui.widgets.columns import MARGIN, cells, fitted, layout

FLASH_SECONDS = 0.7
_BOLD = Style(bold=True)


class ArtifactTable(ScrollView, can_focus=True):
    """The rows of `Rows`, one line each, under a header that sorts when it is clicked.

    The cursor belongs to a path, not to a line: it stays on its model when rows move, appear or go.
    """

    BINDINGS = bindings_at("list")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"table--{name}"
        for name in (
            *("header", "plain", "name", "quiet", "ok", "busy", "attention", "failure"),
            *("cursor", "flash", "mark", "marked"),
        )
    }
    DEFAULT_CSS = """
    ArtifactTable {
        height: 1fr; background: $background; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .table--header { color: $quiet; text-style: bold; }
        & > .table--plain { color: $foreground; }
        & > .table--name { color: $foreground; text-style: bold; }
        & > .table--quiet { color: $quiet; }
        & > .table--ok { color: $success; }
        & > .table--busy { color: $accent; }
        & > .table--attention { color: $warning; }
        & > .table--failure { color: $error; }
        & > .table--cursor { background: $cursor-tint; }
        & > .table--flash { background: $flash-tint; }
        & > .table--mark { color: $accent; }
        & > .table--marked { color: $accent; text-style: bold; }
        &:ansi > .table--quiet { color: ansi_default; text-style: dim; }
        &:ansi > .table--header { color: ansi_default; text-style: bold dim; }
        &:ansi > .table--flash { background: ansi_default; text-style: bold; }
        &:ansi > .table--cursor { background: ansi_default; text-style: reverse; }
        &:nocolor > .table--cursor { text-style: reverse; }
        &:nocolor > .table--quiet { text-style: dim; }
    }
    """

    class Moved(Message):
        """The cursor is on another row."""

    class Chosen(Message):
        """The operator wants to open the row under the cursor."""

    class Seen(Message):
        """Other rows came into sight."""

        def __init__(self, paths: tuple[str, ...]) -> None:
            super().__init__()
            self.paths = paths

        def can_replace(self, message: Message) -> bool:
            """Only what is in sight now counts."""
            return isinstance(message, ArtifactTable.Seen)

    class SortWanted(Message):
        """The operator clicked on a column's title."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, rows: Rows) -> None:
        super().__init__(id="artifacts")
        self._rows = rows
        self._path: str | None = None
        self._last_index = 0
        self._drawn: dict[int, object] = {}
        self._flashing: dict[str, object] = {}
        self._styles: dict[tuple[str, str], Style] = {}
        self._layout = layout(80, {})
        self._layout_for: object = None

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._rows.by_path.get(self._path) if self._path is not None and self.index is not None else None

    @property
    def index(self) -> int | None:
        """Where the cursor is in the shown order."""
        return None if self._path is None else self._rows.index(self._path)

    @property
    def visible_paths(self) -> tuple[str, ...]:
        """The paths on the screen now."""
        top = self.scroll_offset.y
        return tuple(row.path for row in self._rows.window(top, top + self._page))

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The names of the columns there is room for."""
        return tuple(column.name for column, _room in self._layout.columns)

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def select(self, path: str) -> None:
        """Put the cursor on a path and bring it into sight."""
        index = self._rows.index(path)
        if index is not None:
            self._move_to(index)

    def flash(self, path: str) -> None:
        """Light a row up once, softly."""
        self._flashing[path] = token = object()
        self.revise()

        def over() -> None:
            if self._flashing.get(path) is token:
                del self._flashing[path]
                self.revise()

        self.set_timer(FLASH_SECONDS, over)

    def revise(self) -> None:
        """The rows may have changed: keep the cursor on its path, repaint the lines that differ."""
        size = Size(max(1, self.size.width), len(self._rows) + 1)
        if size != self.virtual_size:
            self.virtual_size = size
        self._hold_cursor()
        width, height = self.size
        self._lay_out(width)
        now = time.time()
        for line in range(height):
            if self._drawn.get(line) != self._fingerprint(line, now):
                self.refresh(Region(0, line, width, 1))

    def _hold_cursor(self) -> None:
        """A row that went away leaves the cursor where it was; the first rows get the cursor."""
        index = self.index
        if index is None and len(self._rows):
            index = min(self._last_index, len(self._rows) - 1)
            self._path = self._rows.at(index).path
            self.post_message(self.Moved())
        if index is not None and index != self._last_index:
            self._last_index = index
            self._bring_into_sight(index)

    def _fingerprint(self, line: int, now: float) -> object:
        """Everything a line on the screen is made from; equal means it need not be painted again."""
        if line == 0:
            return ("header", self._rows.sort, self._rows.reverse, self._layout)
        index = self.scroll_offset.y + line - 1
        if index >= len(self._rows):
            return None
        row = self._rows.at(index)
        cursor = row.path == self._path
        age = text.ago(row.artifact.modified, now)
        return (
            row,
            row.trouble,
            cursor,
            row.path in self._flashing,
            row.path in self._rows.marks,
            age,
            self._layout,
            self.has_focus if cursor else False,
        )

    def render_line(self, y: int) -> Strip:
        """One line on the screen: the titles, or the row that is scrolled there."""
        width, now = self.size.width, time.time()
        self._lay_out(width)
        self._drawn[y] = self._fingerprint(y, now)
        if y == 0:
            return self._header(width)
        index = self.scroll_offset.y + y - 1
        if index >= len(self._rows):
            return Strip.blank(width, self._style("plain"))
        return self._row_strip(self._rows.at(index), width, now)

    def _header(self, width: int) -> Strip:
        style = self._style("header")
        segments = [Segment(" " * MARGIN, style)]
        for position, (column, room) in enumerate(self._layout.columns):
            sorted_by = column.name == self._rows.sort
            arrow = text.sign("↓" if self._rows.reverse else "↑") if sorted_by else ""
            title = column.title + arrow
            title = title.rjust(room) if column.right else title.ljust(room)
            lit = self._style("mark") + _BOLD if sorted_by else style
            segments.append(Segment(title, lit + Style(meta={"sort": column.name})))
            if position < len(self._layout.columns) - 1:
                segments.append(Segment(" " * self._layout.gap, style))
        return Strip(segments).adjust_cell_length(width, style)

    def _row_strip(self, row: Row, width: int, now: float) -> Strip:
        cursor = row.path == self._path
        over = "cursor" if cursor else "flash" if row.path in self._flashing else ""
        said = cells(row, now)
        marked = row.path in self._rows.marks
        margin = text.sign("▌" * cursor + "◆" * marked)
        pieces = [(margin.ljust(MARGIN), "mark")]
        for position, (column, room) in enumerate(self._layout.columns):
            cell = fitted(said[column.name], column, room)
            if marked and column.name == "model":
                cell = tuple((words, "marked" if name == "name" else name) for words, name in cell)
            pieces += cell
            if position < len(self._layout.columns) - 1:
                pieces.append((" " * self._layout.gap, "plain"))
        segments = [
            Segment("".join(words for words, _ in alike), self._style(name, over))
            for name, alike in groupby((piece for piece in pieces if piece[0]), key=itemgetter(1))
        ]
        return Strip(segments).adjust_cell_length(width, self._style("plain", over))

    def _lay_out(self, width: int) -> None:
        """Columns follow the width and the longest texts."""
        rows = self._rows
        wanted = {name: rows.widest[name] for name in ("model", "class", "format")} | {"usual": rows.usual_name}
        wanted |= {name: rows.counts[name] > 0 for name in ("req/s", "err/s", "p99", "rss")}
        now = (width, tuple(wanted.items()), rows.columns)
        if now != self._layout_for:
            self._layout_for = now
            self._layout = layout(width, wanted, rows.columns)

    def _style(self, name: str, over: str = "") -> Style:
        """A style, under the cursor or the flash where `over` says so; looked up once for each theme."""
        style = self._styles.get((name, over))
        if style is None:
            style = self._styles[name, over] = self._mixed(name, over)
        return style

    def _mixed(self, name: str, over: str) -> Style:
        style = self.rich_style + self._component(name)
        if not over:
            return style
        above = self._component(over)
        if above.reverse:  # colours would become patches
            return self._style("plain") + above + Style(bold=name in ("name", "marked"))
        return style + above

    def _component(self, name: str) -> Style:
        return self.get_component_rich_style(f"table--{name}", partial=True)

    def notify_style_update(self) -> None:
        """Another theme: colours are looked up again."""
        super().notify_style_update()
        self._styles.clear()
        self._drawn.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: other rows are in sight."""
        super().watch_scroll_y(old_value, new_value)
        self.call_later(self._saw)

    def on_resize(self) -> None:
        """Another size: everything is drawn anew."""
        self._drawn.clear()
        self.revise()
        index = self.index
        if index is not None:
            self._bring_into_sight(index)
        self._saw()

    def on_focus(self) -> None:
        """The cursor shows the focus."""
        self.revise()

    def on_blur(self) -> None:
        """The cursor shows the focus."""
        self.revise()

    def _saw(self) -> None:
        self.post_message(self.Seen(self.visible_paths))

    def on_click(self, event: events.Click) -> None:
        """A title sorts, a row is selected, a row that is selected already opens."""
        column = event.style.meta.get("sort")
        if column is not None:
            self.post_message(self.SortWanted(column))
            return
        index = self.scroll_offset.y + event.y - 1
        if event.y > 0 and index < len(self._rows):
            if index == self.index:
                self.post_message(self.Chosen())
            else:
                self._move_to(index)

    def _move_to(self, index: int) -> None:
        if not len(self._rows):
            return
        index = max(0, min(index, len(self._rows) - 1))
        self._path, self._last_index = self._rows.at(index).path, index
        self._bring_into_sight(index)
        self.revise()
        self.post_message(self.Moved())

    def _bring_into_sight(self, index: int) -> None:
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + self._page:
            self.scroll_to(y=index - self._page + 1, animate=False, immediate=True)

    def action_do(self, action_id: str) -> None:
        """The movements of the action table."""
        here = self.index or 0
        moves = {"down": 1, "up": -1, "page-down": self._page - 1, "page-up": 1 - self._page}
        if action_id in moves:
            self._move_to(here + moves[action_id])
        elif action_id == "top":
            self._move_to(0)
        elif action_id == "bottom":
            self._move_to(len(self._rows) - 1)
