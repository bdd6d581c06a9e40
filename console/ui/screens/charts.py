"""All loaded models side by side: a small chart each, what needs a person first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partialmethod

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.records import Event, WorkerState
from console.ui import text
from console.ui.key_words import key_words
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.rows import Row
from console.ui.screens.base import ArtifactScreen
from console.ui.widgets.charts_grid import ChartsGrid
from console.ui.widgets.small_chart import SmallChart
from console.ui.widgets.window import duration, zoomed


def _nothing() -> Content:
    """The way to a first chart."""
    return Content.assemble(
        ("nothing is loaded\n\n", "bold"),
        key_words(
            "each loaded model has a small chart here; in the table {load} loads one,\n"
            "{probe} loads it and drives it with its data"
        ),
    )


class ChartsScreen(ArtifactScreen):
    """Small multiples with one time axis. They move with the engine's measurements; nothing here has a timer."""

    PLACE = "charts"
    BINDINGS = bindings_at("charts", EVERYWHERE)
    CSS = """
    ChartsScreen #sight { height: 1; padding: 0 1; color: $quiet; }
    ChartsScreen #nothing { height: 1fr; content-align: center middle; text-align: center; display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._grid = ChartsGrid()
        self._sight = Static(id="sight")
        self._said: Content | None = None

    @property
    def subject(self) -> str | None:
        """The model under the cursor."""
        return self._grid.path

    def content(self) -> Iterable[Widget]:
        """The charts, what they show, and what stands there while nothing is loaded."""
        yield self._grid
        yield Static(_nothing(), id="nothing")
        yield self._sight

    async def on_mount(self) -> None:
        """Start with what is loaded, in the zoom that was chosen last."""
        await self.fetch()
        self.engine_changed(())

    async def fetch(self) -> None:
        """Have the measurements of all that is loaded, in this zoom and in those beside it."""
        widths = {zoomed(self._grid.dot_seconds, steps) for steps in (-1, 0, 1)}
        for path in tuple(self.mirror.workers):
            await self.mirror.measure(path, widths)

    def footer_actions(self) -> Sequence[str]:
        """The actions that the model under the cursor asks for."""
        row = self._row
        if row is None:
            return ("errors", "events", "back")
        if row.worker is not None and row.worker.state is WorkerState.ERROR:
            return ("open", "errors", "reload", "unload", "zoom-out", "back")
        if row.trouble:
            return ("open", "errors", "probe", "unload", "zoom-out", "back")
        return ("open", "probe", "unload", "pause", "zoom-in", "zoom-out")

    def can(self, action: str) -> bool:
        """Where nothing is loaded there is nothing to move, to hold or to zoom."""
        if action in _AMONG:
            return self._grid.path is not None
        return super().can(action)

    def why_not(self, action: str) -> str:
        """Nothing is loaded, or what the state of the one under the cursor has against it."""
        return "nothing is loaded" if self._grid.path is None else super().why_not(action)

    def moments(self) -> Iterable[float]:
        """When dead workers are started again."""
        yield from (view.retry_at for view in self.mirror.workers.values() if view.retry_at is not None)

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Draw what differs, unless the terminal is behind: measurements come again by themselves."""
        if not self.is_built or self.app.screen is not self:
            return
        rows = self._rows()
        if not events and any(row.answers for row in rows) and not self.app.pace.due():
            return
        causes = {one.artifact: one.exit or one.message for one in self.mirror.failures}
        self._grid.show(rows, {row.path: self.mirror.series(row.path) for row in rows}, causes)
        self._grid.display = bool(rows)
        self.query_one("#nothing").display = not rows
        self._say()

    def _rows(self) -> list[Row]:
        """The models that are loaded or dead, those that need a person first."""
        by_path = self.app.rows.by_path
        loaded = (by_path.get(path) for path in self.mirror.workers)
        known = [row for row in loaded if row is not None and row.worker is not None]
        return sorted(known, key=lambda row: (row.status.rank, row.path))

    @property
    def _row(self) -> Row | None:
        return self.app.rows.by_path.get(self._grid.path) if self._grid.path is not None else None

    def _say(self) -> None:
        """How much of how many, and how much time."""
        first, last, total = self._grid.shown
        shown = f"{first}" if first == last else f"{first} to {last}"
        counted = text.count(total, "model") if last - first + 1 == total else f"{shown} of {total:,} models"
        held = "held; measuring goes on" if self._grid.held else ""
        said = text.joined([counted, f"latency, {duration(self._grid.span)} in sight", held]) if last else ""
        content = Content.styled(said, "$warning" if held else "$quiet")
        if said and any(row.traffic is not None for row in self._rows()):
            content += Content.assemble("  ", ("probe", "$accent"), " ", ("requests", "$chart-requests"))
        if content != self._said:
            self._said = content
            self._sight.update(content)

    @on(ChartsGrid.Moved)
    def _moved(self) -> None:
        self._say()
        self.refresh_frame()

    @on(SmallChart.Chosen)
    def _clicked(self, message: SmallChart.Chosen) -> None:
        if message.again:
            self.action_do("open")
        else:
            self._grid.choose(message.path)

    def do_open(self) -> None:
        """The charts of the one under the cursor, large."""
        if self._grid.path is not None:
            self.app.open_model(self._grid.path, "live")

    def do_pause(self) -> None:
        """Hold the charts, or let them go."""
        self._grid.hold(not self._grid.held)
        self._say()

    def _zoom(self, steps: int) -> None:
        self._grid.zoom(zoomed(self._grid.dot_seconds, steps))
        self._say()
        self.run_worker(self.fetch(), group="measure", exclusive=True)

    do_zoom_in = partialmethod(_zoom, -1)
    do_zoom_out = partialmethod(_zoom, 1)

    def _move(self, across: int, down: int) -> None:
        self._grid.move(across, down)

    do_down = partialmethod(_move, 0, 1)
    do_up = partialmethod(_move, 0, -1)
    do_left = partialmethod(_move, -1, 0)
    do_right = partialmethod(_move, 1, 0)

    def _page(self, step: int) -> None:
        self._grid.page(step)

    do_page_down = partialmethod(_page, 1)
    do_page_up = partialmethod(_page, -1)

    def do_top(self) -> None:
        """The first."""
        self._grid.select(0)

    def do_bottom(self) -> None:
        """The last."""
        self._grid.select(self._grid.shown[2] - 1)


_AMONG = (
    "open", "down", "up", "left", "right", "page-down", "page-up", "top", "bottom", "pause", "zoom-in", "zoom-out",
)  # fmt: skip
"""Actions on the charts themselves."""
