"""The live charts of one artifact, two by two, moved by one paint clock that runs only while they are seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual.app import ComposeResult
from textual.containers import Grid
from textual.timer import Timer

from console.engine.series import Series
from console.records.metrics import TABLE
from console.ui.terminal import Pace
from console.ui.text import is_ascii
from console.ui.widgets.axis import Unit
from console.ui.widgets.chart import Chart
from console.ui.widgets.plot import Ink, Trace
from console.ui.widgets.window import ChartSpec, Requests, duration, zoomed

LATENCY = ChartSpec(
    id="latency",
    title="latency",
    unit=Unit.DURATION,
    traces=(
        Trace("band", "worker.p90", Ink.FAINT, to="worker.p99", sparse=True),
        Trace("band", "worker.p50", Ink.FILL, to="worker.p90"),
        Trace("line", "worker.p50", Ink.LINE),
        Trace("band", "request.p50", Ink.OTHER_FAINT, to="request.p99", sparse=True),
        Trace("line", "request.p50", Ink.OTHER),
    ),
    legend=(("p50", Ink.LINE), ("p90", Ink.FILL), ("p99", Ink.FAINT)),
    value="worker.p50",
    details=(("p90", "worker.p90"), ("p99", "worker.p99"), ("trip", "round_trip.p50")),
    requests=Requests(
        "request.p50",
        (("p99", "request.p99"), ("work", "request_worker.p50"), ("wait", "queue.p99")),
    ),
)
THROUGHPUT = ChartSpec(
    id="throughput",
    title="throughput",
    unit=Unit.RATE,
    traces=(
        Trace("area", "calls", Ink.FILL),
        Trace("line", "requests", Ink.OTHER),
        Trace("area", "errors", Ink.ALARM),
        Trace("area", "request_errors", Ink.ALARM),
    ),
    legend=(("calls", Ink.LINE), ("errors", Ink.ALARM)),
    value="calls",
    details=(("rows", "rows"), ("err", "errors")),
    requests=Requests("requests", (("rows", "request_rows"), ("err", "request_errors"))),
)


def _of_readings(chart: str, unit: Unit) -> ChartSpec:
    """The chart of the readings that name it: the first one is written large, the others beside it."""
    first, *others = shown = [metric for metric in TABLE if metric.chart == chart]
    areas = (Trace("area", metric.name, Ink.FILL) for metric in shown if metric.drawn == "area")
    lines = (Trace("line", metric.name, Ink.LINE) for metric in shown if metric.drawn == "line")
    return ChartSpec(
        id=chart,
        title=chart,
        unit=unit,
        traces=(*areas, *lines),
        legend=tuple((one.label, Ink.LINE if one is first else Ink.FILL) for one in shown if one.drawn),
        value=first.name,
        details=tuple((one.label, one.name) for one in others),
    )


MEMORY = _of_readings("memory", Unit.BYTES)
CPU = _of_readings("cpu", Unit.PERCENT)
SPECS = (LATENCY, THROUGHPUT, MEMORY, CPU)

FRAME_S = 0.1
_FRAMES_PER_READOUT = 5


class ChartsPanel(Grid):
    """Four charts that share clock, pause and zoom."""

    DEFAULT_CSS = """
    ChartsPanel { grid-size: 2 2; grid-gutter: 0 1; height: 1fr; }
    """

    def __init__(self, measure: Callable[[float], Awaitable[None]]) -> None:
        """`measure` fetches what is new, in dots of so many seconds."""
        super().__init__()
        self._measure = measure
        self._charts = tuple(Chart(spec, plain=is_ascii()) for spec in SPECS)
        self._clock: Timer | None = None
        self._frame = 0
        self.paused = False
        self.pace = Pace()
        self.dot_seconds = 0.5

    def compose(self) -> ComposeResult:
        """The charts."""
        yield from self._charts

    def on_mount(self) -> None:
        """Have the clock ready."""
        self._clock = self.set_interval(FRAME_S, self.tick, pause=True)

    def show(self, measured: Series | None, hint: str) -> None:
        """Show the measurements of one artifact; `hint` says what to press while there are none."""
        for chart in self._charts:
            chart.show(measured, hint)

    def run(self, live: bool) -> None:
        """Let the clock run while something is live and seen; stop it otherwise."""
        if self._clock is not None:
            if live:
                self._clock.resume()
            else:
                self._clock.pause()

    async def tick(self) -> None:
        """One frame, if the terminal is not behind."""
        if not self.pace.due():
            return
        await self._measure(self.dot_seconds)
        self._frame += 1
        for chart in self._charts:
            chart.tick(readout=self._frame % _FRAMES_PER_READOUT == 0)

    def pause(self, paused: bool) -> None:
        """Hold all charts still; measuring goes on and shows when they are let go."""
        self.paused = paused
        for chart in self._charts:
            chart.pause(paused)

    @property
    def measured(self) -> bool:
        """Whether there is anything to draw."""
        return any(chart.measured is not None for chart in self._charts)

    @property
    def span_words(self) -> str:
        """How much time the charts show: `40 s`, `12 min`."""
        return duration(self._charts[0].window.span)

    @property
    def since(self) -> float | None:
        """The moment that the charts begin with, by the clock of the measurements."""
        return self._charts[0].window.begins

    def zoom(self, steps: int) -> None:
        """Zoom in (negative) or out."""
        self.dot_seconds = zoomed(self.dot_seconds, steps)
        for chart in self._charts:
            chart.zoom(self.dot_seconds)
