"""One loaded model in a few lines: name and state, a small chart of its latency, and the figures of now beside it."""

from __future__ import annotations

from textwrap import wrap

from rich.cells import cell_len
from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from console.engine.series import Series
from console.records import TrafficState, WorkerState
from console.safe_text import safe
from console.ui import text
from console.ui.keys import key_for
from console.ui.rows import Row
from console.ui.states import again_words
from console.ui.widgets.axis import Scale, Unit
from console.ui.widgets.chart_styles import Inked, refresh_changed
from console.ui.widgets.charts_panel import LATENCY
from console.ui.widgets.plot import Ink, inked_runs
from console.ui.widgets.window import Window

GUTTER, FIGURES = 7, 16
"""Cells of the value axis, and of the figures with the blanks around them."""
_LABEL = 5
Part = tuple[str, "str | Ink"]
"""Text, and its ink or the name of its style."""


class SmallChart(Inked):
    """A cell of the page of charts. `show` says of what; `paint` draws it as it stands and repaints what differs."""

    DEFAULT_CSS = "SmallChart { width: 1fr; height: 1fr; }"

    class Chosen(Message):
        """It was clicked on; `again` = it was chosen already."""

        def __init__(self, path: str, again: bool) -> None:
            super().__init__()
            self.path = path
            self.again = again

    def __init__(self, *, plain: bool) -> None:
        super().__init__()
        self._window = Window(LATENCY, plain=plain)
        self._row: Row | None = None
        self._measured: Series | None = None
        self._chosen = False
        self._cause = ""
        self._lines: list[list[Part]] = []

    @property
    def path(self) -> str | None:
        """The model that is shown."""
        return None if self._row is None else self._row.path

    @property
    def span(self) -> float:
        """Seconds from one end of its time axis to the other."""
        return self._window.span

    def show(self, row: Row | None, measured: Series | None, cause: str, *, chosen: bool, dot_seconds: float) -> None:
        """Be about this model from now on; `cause` is why its worker has ended."""
        self._cause = cause
        if measured is not self._measured:
            self._measured = measured
            self._window.clear()
        self._row, self._chosen = row, chosen
        self.zoom(dot_seconds)

    def zoom(self, dot_seconds: float) -> None:
        """Let a dot stand for so many seconds."""
        self._window.zoom(dot_seconds)

    def paint(self, *, held: bool = False) -> None:
        """Draw it; while `held` chart and figures stay as they are."""
        width, height = self.size
        if self._row is None or not width or height < 2:
            lines: list[list[Part]] = []
        else:
            self._window.resize(height - 1, width - GUTTER - FIGURES)
            body = self._lines[1:height] if held and len(self._lines) == height else self._body(self._row)
            lines = [self._title(self._row, width), *body]
        before, self._lines = self._lines, lines
        refresh_changed(self, before, lines)

    def on_resize(self) -> None:
        """Another size is drawn at once."""
        self.paint()

    def notify_style_update(self) -> None:
        """Another theme: everything in other colours."""
        super().notify_style_update()
        self.refresh()

    def on_click(self) -> None:
        """Stand on it; a click on the one that is stood on opens it."""
        if self.path is not None:
            self.post_message(self.Chosen(self.path, self._chosen))

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        width, base = self.size.width, self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, base)
        parts = [
            Segment(said, self.ink(style) if isinstance(style, Ink) else self.part(style))
            for said, style in self._lines[y]
        ]
        return Strip(parts).adjust_cell_length(width, base)

    def _title(self, row: Row, width: int) -> list[Part]:
        """`▌✖ trouble/raises ──────── failing `: the mark of the cursor, sign, name, and state in a word."""
        status = row.status
        mark, line_style = (text.sign("▌"), "cursor") if self._chosen else (text.sign("─"), "rule")
        word = f" {status.word} "
        name = f"{text.sign(status.glyph)} {text.cut_middle(safe(row.path), max(4, width - len(word) - 5))} "
        line = text.sign("─") * max(1, width - cell_len(name) - len(word) - 1)
        return [
            (mark, line_style),
            (name, "cursor" if self._chosen else "value"),
            (line, line_style),
            (word, status.role),
        ]

    def _body(self, row: Row) -> list[list[Part]]:
        """The chart, or why there is none, with the figures at its right end."""
        if self._measured is not None:
            self._window.advance(self._measured)
        rows, columns = self._window.rows, self._window.columns
        figures = _figures(row, self._measured)
        lines = self._vacant(row) if self._window.empty else self._drawn()
        room = GUTTER + columns
        return [
            [*line, (" " * max(0, room - sum(cell_len(said) for said, _ in line)), "quiet"), *figure]
            for line, figure in zip(lines, [*figures, *[[]] * rows][:rows], strict=True)
        ]

    def _drawn(self) -> list[list[Part]]:
        window = self._window
        labels = window.scale.labels(window.rows)
        bar, tick = ("|", "+") if window.plain else ("│", "┤")
        top = min(labels)
        lines = []
        for number, cells in enumerate(window.body()):
            label = labels.get(number, "")
            if number == top and len(label) + len(window.scale.suffix) < GUTTER:
                label += window.scale.suffix
            line: list[Part] = [(f"{label:>{GUTTER - 1}}{tick if number in labels else bar}", "axis")]
            lines.append([*line, *inked_runs((*cells[1:], window.live[number]))])
        return lines

    def _vacant(self, row: Row) -> list[list[Part]]:
        """In words, where nothing was measured."""
        rows, room = self._window.rows, GUTTER + self._window.columns - 2
        reasons = _why_nothing(row, self._cause).splitlines()
        words = [line for reason in reasons for line in wrap(reason, max(8, room))][:rows]
        above = (rows - len(words)) // 2
        lines: list[list[Part]] = [[] for _ in range(rows)]
        for number, said in enumerate(words, above):
            lines[number] = [("  " + text.cut(said, max(1, room)), "quiet")]
        return lines


def _figures(row: Row, measured: Series | None) -> list[list[Part]]:
    """The figures of now, a line each; of a model that does not answer or is not driven, that."""
    memory = _figure("mem", text.size(row.rss) if row.rss is not None else "")
    probe = row.probe
    if not row.answers:
        words = again_words(row.worker) or _left_alone(row, measured)
        return [[(f" {words}", "failure")]] if words else []
    if row.traffic is not None and row.traffic.running:
        return [*_asked(row.traffic), memory]
    if probe is None or not probe.running or measured is None:
        return [[(f" {_not_driven()}" if measured is not None and measured.calls else "", "quiet")], memory]
    rate = measured.latest("calls") or 0.0
    scale = Scale.fit(rate, Unit.RATE, 1)
    errors = "failure" if probe.failing else "quiet"
    return [
        _figure("p50", text.milliseconds(measured.latest("worker.p50"))),
        _figure("p99", text.milliseconds(measured.latest("worker.p99"))),
        _figure("rate", f"{scale.amount(rate)} {scale.suffix}"),
        memory,
        _figure("fail", f"{probe.error_rate:.3g} /s", errors)
        if probe.failing
        else _figure("err", f"{probe.errors:,}", errors),
    ]


def _asked(traffic: TrafficState) -> list[list[Part]]:
    """The figures of requests of other programs."""
    failing = [_figure("fail", f"{traffic.error_rate:.3g} /s", "failure")] if traffic.error_rate else []
    whole = traffic.whole
    times = (
        []
        if whole is None
        else [_figure("p50", text.milliseconds(whole.p50)), _figure("p99", text.milliseconds(whole.p99))]
    )
    return [*times, _figure("asks", f"{text.rate(traffic.asked)} /s"), *failing]


def _left_alone(row: Row, measured: Series | None) -> str:
    """The key for a dead worker that nothing starts again, beside what was measured of it."""
    dead = row.worker is not None and row.worker.state is WorkerState.ERROR
    return f"{key_for('reload')} tries again" if dead and measured is not None and measured.calls else ""


def _figure(label: str, value: str, style: str = "value") -> list[Part]:
    room = FIGURES - _LABEL - 2
    return [(f" {label:<{_LABEL}}", "quiet"), (f"{value or text.sign('–'):>{room}}", style if value else "quiet")]


def _why_nothing(row: Row, cause: str) -> str:
    """Why there is nothing to draw, and the key that changes it."""
    worker, probe = row.worker, row.probe
    if worker is None or worker.state is WorkerState.ENDED:
        return "unloaded"
    if worker.state is WorkerState.ERROR:
        return f"ended: {safe(cause or 'the worker is gone', 80)}\n{key_for('reload')} tries again"
    if worker.state is not WorkerState.READY:
        return f"{worker.state}: {safe(worker.phase, 30)}" if worker.phase else str(worker.state)
    if row.last_error:
        return f"nothing is answered: {safe(row.last_error, 200)}"
    if probe is not None and probe.running:
        return "no answer yet"
    return _not_driven()


def _not_driven() -> str:
    return f"not driven: {key_for('probe')}"
