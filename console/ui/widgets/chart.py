"""One chart over time: value axis, finished columns, the column in progress, and the current value written large."""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.renderables.digits import DIGITS, DIGITS3X3_BOLD
from textual.strip import Strip

from console.engine.series import Series
from console.ui.text import sign
from console.ui.widgets.chart_styles import INK_CLASSES, INK_CSS, Inked, refresh_changed
from console.ui.widgets.live_column import LiveColumn
from console.ui.widgets.plot import Ink, inked_runs
from console.ui.widgets.window import ChartSpec, Window

GUTTER = 6
_WIDE = 56
_TALL = 9
_LABEL_CELLS = 4


class ChartBody(Inked):
    """Everything of a chart that changes only when a column closes or the scale does."""

    DEFAULT_CSS = """
    ChartBody { width: 1fr; height: 1fr; }
    """

    class Fitted(Message):
        """The window has a new size and must be drawn anew."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window
        self.hint = ""
        self.held = False
        self.ended = False
        self._lines: list[Strip] | None = None
        self._fitted: Size | None = None

    @property
    def now_word(self) -> str:
        """The word at the right end of the time axis."""
        return "ended" if self.ended else "held" if self.held else "now"

    def revise(self) -> None:
        """Bring the rows up to date; those that stay as they are, blank or filled, are not sent to the terminal."""
        before, self._lines = self._lines, self._painted()
        refresh_changed(self, before or (), self._lines)

    def on_resize(self, event: Resize) -> None:
        """Fit the window to the cells there are; seen again at the same size it is caught up with by the next frame.

        What was to be drawn while it was hidden is drawn now: a chart of nothing alive has no next frame.
        """
        if event.size == self._fitted and self._lines is not None:
            return
        self._fitted = event.size
        self._window.resize(event.size.height - 1, event.size.width - GUTTER)
        self.post_message(self.Fitted())

    def notify_style_update(self) -> None:
        """Another theme: nothing painted stays."""
        super().notify_style_update()
        self.forget()

    def forget(self) -> None:
        """Draw all of it anew: its data changed behind the last picture."""
        self._lines = None

    def render_line(self, y: int) -> Strip:
        """One row of cells with its part of the axis; the last row is the time axis."""
        if self._lines is None:
            self._lines = self._painted()
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self.rich_style)

    def _painted(self) -> list[Strip]:
        window = self._window
        axis, base = self.part("axis"), self.rich_style
        if window.empty:
            return self._vacant()
        labels = window.scale.labels(window.rows)
        bar, tick = ("|", "+") if window.plain else ("│", "┤")
        lines = []
        for number, row in enumerate(window.body()):
            label = labels.get(number)
            gutter = f"{label or '':>{GUTTER - 1}}{bar if label is None else tick}"
            drawn = (Segment(words, self.ink(ink)) for words, ink in inked_runs(row))
            lines.append(Strip([Segment(gutter, axis), *drawn], GUTTER + window.columns))
        times = window.time_labels()
        word = self.now_word if window.columns > len(self.now_word) else ""
        times = times[: window.columns - len(word)] + word
        lines.append(Strip([Segment(" " * GUTTER, base), Segment(times, axis)], GUTTER + window.columns))
        return lines

    def _vacant(self) -> list[Strip]:
        width, height = self.size
        blank = Strip.blank(width, self.rich_style)
        lines = [blank] * height
        room = max(8, width - 2)
        sentences = [self.hint] if len(self.hint) <= room else self.hint.split(sign(" · "))
        words = [line for sentence in sentences for line in wrap(sentence, room)][:height]
        for row, text in enumerate(words, max(0, (height - 1 - len(words)) // 2)):
            left = max(0, (width - len(text)) // 2)
            parts = [Segment(" " * left, self.rich_style), Segment(text, self.part("quiet"))]
            lines[row] = Strip(parts, left + len(text)).adjust_cell_length(width, self.rich_style)
        return lines


class Readout(Inked):
    """The current value, large where there is room, and the values beside it."""

    DEFAULT_CSS = """
    Readout { width: 9; height: 1fr; padding-left: 1; }
    Readout.-large { width: 13; padding-left: 2; }
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window
        self._lines: list[tuple[str, str]] = []
        self._fitted: Size | None = None

    def on_resize(self) -> None:
        """Another width is another room for figures."""
        if self.size == self._fitted:
            return
        self._fitted = self.size
        self.post_message(ChartBody.Fitted())

    def revise(self, measured: Series | None) -> None:
        """Read the current values."""
        lines = self._read(measured)
        lines += [("", "value")] * (self.size.height - len(lines))
        before, self._lines = self._lines, lines
        refresh_changed(self, before, lines)

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        text, part = self._lines[y] if y < len(self._lines) else ("", "value")
        return Strip([Segment(text.ljust(self.size.width), self.part(part))], max(len(text), self.size.width))

    def _read(self, measured: Series | None) -> list[tuple[str, str]]:
        spec, scale = self._window.spec, self._window.scale
        gone = measured is None or measured.ended_at is not None
        value, details = None, spec.details
        if measured is not None and not gone and spec.requests is not None:
            value, details = measured.latest(spec.requests.value), spec.requests.details
        if measured is not None and not gone and value is None:
            value, details = measured.latest(spec.value), spec.details
        if measured is None or value is None:
            return []
        amount = scale.amount(value)
        if self.has_class("-large") and not self._window.plain:
            lines = [(row, "value") for row in _large(amount)] + [(scale.suffix, "quiet"), ("", "quiet")]
        else:
            lines = [(f"{amount} {scale.suffix}", "value")]
        room = self.size.width - _LABEL_CELLS
        for label, metric in details:
            detail = measured.latest(metric)
            if detail is not None:
                lines.append((f"{label:<{_LABEL_CELLS}}{scale.amount(detail):>{room}}", "quiet"))
        return lines


class Chart(Horizontal):
    """A chart of one model. `tick` is called by whoever owns the paint clock; nothing here has a timer."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)
    DEFAULT_CSS = (
        """
    Chart {
        height: 1fr;
        border-top: solid $line;
        border-title-color: $foreground;
        border-title-align: left;
        padding: 0 1 0 0;
        &.-plain { border-top: ascii $line; }
"""
        + INK_CSS
        + "}"
    )

    def __init__(self, spec: ChartSpec, *, plain: bool = False) -> None:
        super().__init__(id=f"chart-{spec.id}", classes="-plain" if plain else "")
        self.window = Window(spec, plain=plain)
        self.measured: Series | None = None
        self.paused = False
        self._body = ChartBody(self.window)
        self._live = LiveColumn(self.window)
        self._readout = Readout(self.window)
        self._legend = spec.legend
        self.border_title = _title(spec.title, spec.legend)

    def compose(self) -> ComposeResult:
        """Body, column in progress, readout."""
        yield self._body
        yield self._live
        yield self._readout

    def on_resize(self, event: Resize) -> None:
        """Write the value large where it fits."""
        self._readout.set_class(event.size.width >= _WIDE and event.size.height >= _TALL, "-large")

    def on_chart_body_fitted(self) -> None:
        """Draw for the new size."""
        self.paint()

    def show(self, measured: Series | None, hint: str = "") -> None:
        """Show other measurements; `hint` is what an empty chart says."""
        ended = measured is not None and measured.ended_at is not None
        if (measured, hint, ended) == (self.measured, self._body.hint, self._body.ended):
            return
        if measured is not self.measured:
            self.measured = measured
            self.window.clear()
        self._body.hint, self._body.ended = hint, ended
        self.paint()

    def zoom(self, dot_seconds: float) -> None:
        """Let a dot stand for this many seconds."""
        self.window.zoom(dot_seconds)
        self.paint()

    def pause(self, paused: bool) -> None:
        """Hold the picture still, or catch up with what was measured meanwhile."""
        self.paused = paused
        self._body.held = paused
        if paused:
            self._body.revise()
        else:
            self.paint()

    def paint(self) -> None:
        """Draw everything as it stands, even while paused."""
        if not self._body.size or not self._readout.size:
            self._body.forget()
            return
        if self.measured is not None:
            self.window.advance(self.measured)
        self._entitle()
        self._body.revise()
        self._live.revise()
        self._readout.revise(self.measured)

    def _entitle(self) -> None:
        """Have the title name what is in sight."""
        legend = self.window.legend
        if legend != self._legend:
            self._legend = legend
            self.border_title = _title(self.window.spec.title, legend)

    def tick(self, *, readout: bool) -> None:
        """Draw what is new; the readout only now and then, since figures that flicker cannot be read."""
        if self.measured is None or self.paused or not self._body.size or not self._readout.size:
            return
        if self.window.advance(self.measured):
            self._entitle()
            self._body.revise()
        self._live.revise()
        if readout:
            self._readout.revise(self.measured)


_COLOURS = {
    Ink.FAINT: "$chart-faint",
    Ink.FILL: "$chart-fill",
    Ink.LINE: "$accent",
    Ink.OTHER: "$chart-requests",
    Ink.ALARM: "$error",
}


def _title(title: str, legend: tuple[tuple[str, Ink], ...]) -> str:
    words = " ".join(f"[{_COLOURS[ink]}]{word}[/]" for word, ink in legend)
    return f"[b]{title}[/b]  {words}"


def _large(text: str) -> list[str]:
    """Three rows of box-drawn digits."""
    table = DIGITS3X3_BOLD
    rows = ["", "", ""]
    for char in text:
        if char not in DIGITS:
            rows = [row + end for row, end in zip(rows, (" ", " ", char), strict=True)]
            continue
        start = DIGITS.index(char) * 3
        rows = [row + table[start + line].ljust(3) for line, row in enumerate(rows)]
    return rows
