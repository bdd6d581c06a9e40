"""Small charts in rows and columns, as many as fit; a cursor moves among them, and the others scroll into sight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.containers import Grid
from textual.geometry import Size
from textual.message import Message

from console.engine.series import Series
from console.ui.rows import Row
from console.ui.text import is_ascii
from console.ui.widgets.chart_styles import INK_CLASSES, INK_CSS
from console.ui.widgets.small_chart import SmallChart

_NARROWEST, _WIDEST = 38, 80
_LOWEST = 6
"""Cells of the screen that a small chart takes: at least and, where there are others, at most across; at least down."""
_ROLES = {"ink--ok", "ink--busy", "ink--attention", "ink--failure", "ink--rule", "ink--cursor"}


def fitted(count: int, size: Size) -> tuple[int, int, int]:
    """Columns, rows and the height of a row for so many charts: as large as can be where all fit.

    Columns that would be empty are not kept free, up to charts of twice the usual width.
    """
    most = max(1, size.height // _LOWEST)
    widest, least = max(1, size.width // _NARROWEST), max(1, math.ceil(size.width / _WIDEST))
    columns = next((some for some in range(min(least, widest), widest) if some * most >= count), widest)
    if 0 < count < columns:
        columns = max(count, math.ceil(size.width / (2 * _WIDEST)))
    rows = min(most, max(1, math.ceil(count / columns)))
    return columns, rows, max(2, size.height // rows)


class ChartsGrid(Grid):
    """Shows rows in the order they are given; the cursor belongs to a path and stays on it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*INK_CLASSES, *_ROLES}
    DEFAULT_CSS = (
        """
    ChartsGrid {
        height: 1fr; padding: 0 1; grid-gutter: 0 1;
    """
        + INK_CSS
        + """
        & > .ink--ok { color: $success; }
        & > .ink--busy { color: $accent; }
        & > .ink--attention { color: $warning; }
        & > .ink--failure { color: $error; text-style: bold; }
        & > .ink--rule { color: $line; }
        & > .ink--cursor { color: $accent; background: $cursor-tint; text-style: bold; }
        &:ansi > .ink--cursor { background: ansi_default; text-style: reverse; }
        &:nocolor > .ink--cursor { text-style: reverse; }
    }
    """
    )

    class Moved(Message):
        """The cursor is on another model, or others are in sight."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Row, ...] = ()
        self._measured: Mapping[str, Series | None] = {}
        self._causes: Mapping[str, str] = {}
        self._index = 0
        self._top = 0
        self._shape = (0, 0, 0)
        self._cells: list[SmallChart] = []
        self.dot_seconds = 1.0
        self.held = False

    @property
    def path(self) -> str | None:
        """The model under the cursor."""
        return self._rows[self._index].path if self._rows else None

    @property
    def shown(self) -> tuple[int, int, int]:
        """The first and the last number in sight, and how many there are."""
        columns, rows, _height = self._shape
        first = self._top * columns
        return min(first + 1, len(self._rows)), min(first + columns * rows, len(self._rows)), len(self._rows)

    @property
    def span(self) -> float:
        """Seconds that every chart shows."""
        return self._cells[0].span if self._cells else 0.0

    def show(self, rows: Sequence[Row], measured: Mapping[str, Series | None], causes: Mapping[str, str]) -> None:
        """These models from now on, with their measurements, and why workers of them have ended."""
        path = self.path
        self._rows, self._measured, self._causes = tuple(rows), measured, causes
        paths = [row.path for row in self._rows]
        self._index = paths.index(path) if path in paths else min(self._index, max(0, len(paths) - 1))
        self._arrange()

    def on_resize(self) -> None:
        """Another size has room for others."""
        self._arrange()

    def zoom(self, dot_seconds: float) -> None:
        """Let a dot of every chart stand for so many seconds."""
        self.dot_seconds = dot_seconds
        self.held = False
        self.paint()

    def hold(self, held: bool) -> None:
        """Keep all charts still, or catch up."""
        self.held = held
        self.paint()

    def move(self, across: int = 0, down: int = 0) -> None:
        """Move the cursor by so many charts; at the ends it stays."""
        columns = max(1, self._shape[0])
        to = self._index + across + down * columns
        if down and not 0 <= to < len(self._rows):
            last = (len(self._rows) - 1) // columns
            to = min(len(self._rows) - 1, last * columns + self._index % columns) if down > 0 else self._index % columns
        self.select(to)

    def page(self, step: int) -> None:
        """As many rows on or back as are in sight."""
        self.move(down=step * max(1, self._shape[1]))

    def select(self, index: int) -> None:
        """Put the cursor on the chart of this number."""
        index = max(0, min(index, len(self._rows) - 1))
        if index != self._index and self._rows:
            self._index = index
            self._fill()
            self.post_message(self.Moved())

    def choose(self, path: str) -> None:
        """Put the cursor on a model."""
        self.select(next((number for number, row in enumerate(self._rows) if row.path == path), self._index))

    def _arrange(self) -> None:
        if not self.size:
            return
        shape = fitted(len(self._rows), self.size)
        if shape != self._shape:
            self._shape = columns, rows, height = shape
            self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
            self.styles.grid_rows = f"{height}"
            fresh = [SmallChart(plain=is_ascii()) for _ in range(columns * rows - len(self._cells))]
            self._cells += fresh
            if fresh:
                self.mount_all(fresh)
            for number, cell in enumerate(self._cells):
                cell.display = number < columns * rows
            self.call_after_refresh(self.post_message, self.Moved())
        self._fill()

    def _fill(self) -> None:
        """Bring the cursor's row into sight, and give each cell its model."""
        columns, rows, _height = self._shape
        if not columns:
            return
        row = self._index // columns
        last = max(0, math.ceil(len(self._rows) / columns) - rows)
        self._top = min(max(min(self._top, row), row - rows + 1), last)
        for number, cell in enumerate(self._cells[: columns * rows], self._top * columns):
            one = self._rows[number] if number < len(self._rows) else None
            measured = self._measured.get(one.path) if one is not None else None
            cause = self._causes.get(one.path, "") if one is not None else ""
            cell.show(one, measured, cause, chosen=number == self._index, dot_seconds=self.dot_seconds)
        self.paint()

    def paint(self) -> None:
        """Draw what differs."""
        columns, rows, _height = self._shape
        for cell in self._cells[: columns * rows]:
            cell.zoom(self.dot_seconds)
            cell.paint(held=self.held)
