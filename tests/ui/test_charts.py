from __future__ import annotations

from itertools import groupby

import pytest
from textual.app import App, ComposeResult

from console.monitor.series import Recorder
from console.records import WIDTHS, Memory
from console.ui import text
from console.ui.themes import DARK, DEFAULT_VARIABLES
from console.ui.widgets.axis import Scale, Unit, highest_shown
from console.ui.widgets.chart import Chart
from console.ui.widgets.charts_panel import CPU, LATENCY, MEMORY, SPECS, THROUGHPUT, ChartsPanel
from console.ui.widgets.plot import Cell, Ink
from console.ui.widgets.window import DOT_WIDTHS, Window, duration, zoomed
from tests.fetched import fetched
from tests.ui.measured import Clock, feed, story


def shown(
    recorder: Recorder, spec: object = LATENCY, *, rows: int = 8, columns: int = 30, plain: bool = False
) -> Window:
    window = Window(spec, plain=plain)  # type: ignore[arg-type]
    window.resize(rows, columns)
    window.advance(fetched(recorder))
    return window


def words(cells: list[list[Cell]]) -> list[str]:
    return ["".join(char for char, _ in row) for row in cells]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_steady_series_is_a_line_at_its_height(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 40)
    window = shown(recorder, CPU, rows=4, columns=10)
    assert window.scale.top == 25.0
    assert words(window.body()) == ["⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀", *["⣿" * 10] * 3]
    assert {ink for _, ink in window.body()[0]} == {Ink.LINE}
    assert {ink for _, ink in window.body()[3]} == {Ink.FILL}


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 12), (8, 31), (20, 120)])
@pytest.mark.parametrize("plain", [False, True])
def test_every_size_is_filled_exactly(clock: Clock, rows: int, columns: int, plain: bool) -> None:
    recorder = story(clock)
    for spec in SPECS:
        window = shown(recorder, spec, rows=rows, columns=columns, plain=plain)
        assert [len(row) for row in window.body()] == [columns] * rows
        assert len(window.live) == rows
        assert len(window.time_labels()) == columns
        if plain:
            assert "".join(words(window.body())).isascii()


def test_a_gap_in_the_measurements_is_a_gap_in_the_picture(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 10)
    clock.now += 6
    feed(recorder, clock, 10)
    columns = zip(*words(shown(recorder, THROUGHPUT, columns=24).body()), strict=True)
    stretches = [(blank, len(list(run))) for blank, run in groupby(set(column) == {" "} for column in columns)]
    assert [blank for blank, _ in stretches] == [False, True, False]
    assert 4 <= stretches[1][1] <= 5


def test_finished_columns_never_change_while_time_goes_on(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 20)
    window = shown(recorder, LATENCY, columns=60)
    before = {number: list(window.column(number)) for number in range(window.end or 0)[-20:]}
    for _ in range(25):
        feed(recorder, clock, 0.4)
        window.advance(fetched(recorder))
        for number, cells in before.items():
            assert window.column(number) == cells


def test_only_a_closed_column_or_another_scale_asks_for_a_new_picture(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 10)
    window = shown(recorder)
    assert [step(window, recorder, clock) for _ in range(10)].count(True) == 1
    recorder.call(1, 500.0, 500.0)
    assert window.advance(fetched(recorder))


def step(window: Window, recorder: Recorder, clock: Clock) -> bool:
    feed(recorder, clock, 0.1)
    return window.advance(fetched(recorder))


def test_the_column_in_progress_follows_each_value(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 10)
    window = shown(recorder, MEMORY)
    before = list(window.live)
    recorder.reading(Memory(230 << 20, 180 << 20), 1.0)
    window.advance(fetched(recorder))
    assert window.live != before


def test_markers_stand_where_it_happened_with_their_word(clock: Clock) -> None:
    recorder = story(clock)
    body = words(shown(recorder, LATENCY, rows=10, columns=60).body())
    assert body[0].index("╎reload") == 60 - 37
    assert body[0].index("╎error") == 60 - 20


def test_errors_stand_out_over_the_throughput(clock: Clock) -> None:
    recorder = story(clock)
    inks = {ink for row in shown(recorder, THROUGHPUT, columns=60).body() for _, ink in row}
    assert Ink.ALARM in inks


def test_a_rare_outlier_is_clipped_and_marked_instead_of_flattening_the_rest(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 15)
    recorder.call(1, 900.0, 900.0)
    feed(recorder, clock, 15)
    window = shown(recorder, LATENCY, columns=40)
    assert window.scale.top < 20
    assert "▲" in words(window.body())[0]


def test_zoom_goes_from_seconds_to_hours_and_stops_at_the_ends(clock: Clock) -> None:
    recorder = story(clock)
    window = shown(recorder, columns=60)
    spans = []
    for width in DOT_WIDTHS:
        window.zoom(width)
        window.advance(fetched(recorder))
        spans.append(window.span)
        assert [len(row) for row in window.body()] == [60] * 8
    assert spans[0] <= 30
    assert spans[-1] >= 3600
    assert zoomed(DOT_WIDTHS[0], -1) == DOT_WIDTHS[0]
    assert zoomed(DOT_WIDTHS[-1], 1) == DOT_WIDTHS[-1]
    assert set(DOT_WIDTHS) <= set(WIDTHS)


@pytest.mark.parametrize(
    ("highest", "unit", "top", "suffix"),
    [
        (0.31, Unit.DURATION, 400e-3, "µs"),
        (2.1, Unit.DURATION, 2.5, "ms"),
        (1900.0, Unit.DURATION, 2000.0, "s"),
        (210 * 2**20, Unit.BYTES, 250 * 2**20, "MB"),
        (50.0, Unit.RATE, 60.0, "/s"),
        (0.0, Unit.PERCENT, 10.0, "%"),
    ],
)
def test_scales_are_nice_and_just_high_enough(highest: float, unit: Unit, top: float, suffix: str) -> None:
    scale = Scale.fit(highest, unit, 8)
    assert scale.suffix == suffix
    assert highest <= scale.top <= max(1.5 * highest, top)
    assert scale.top == pytest.approx(top, rel=0.3)
    assert scale.labels(8)[7] == "0"


def test_the_axis_does_not_jump_with_each_value(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 10, ms=9.0)
    window = shown(recorder, columns=10)
    top = window.scale.top
    feed(recorder, clock, 12, ms=7.0)
    window.advance(fetched(recorder))
    assert window.scale.top == top
    feed(recorder, clock, 12, ms=1.0)
    window.advance(fetched(recorder))
    assert window.scale.top < top / 2


def test_few_values_are_never_taken_for_outliers() -> None:
    assert highest_shown([1.0, 1.0, 50.0]) == 50.0
    assert highest_shown([1.0] * 100 + [50.0]) == 2.0
    assert highest_shown([]) == 0.0


def test_stretches_of_time_are_written_in_one_unit() -> None:
    assert [duration(seconds) for seconds in (45, 60, 90, 150, 3600, 9000)] == [
        "45 s",
        "1 min",
        "90 s",
        "2.5 min",
        "1 h",
        "2.5 h",
    ]


class Charts(App[None]):
    """Nothing but the charts."""

    def __init__(self, recorder: Recorder | None) -> None:
        super().__init__()
        self.recorder = recorder
        self.series = None if recorder is None else fetched(recorder)
        self.panel = ChartsPanel(self.measure)

    async def measure(self, dot_seconds: float) -> None:
        if self.recorder is not None:
            fetched(self.recorder, self.series)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULT_VARIABLES

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name
        self.panel.show(self.series, "l loads the model, p drives it")


def picture(app: App[None]) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def test_pause_holds_the_picture_and_goes_on_measuring(clock: Clock) -> None:
    recorder = story(clock)
    app = Charts(recorder)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        app.panel.pause(True)
        await pilot.pause()
        held = picture(app)
        assert "held" in held
        feed(recorder, clock, 20, ms=30.0)
        await app.panel.tick()
        await pilot.pause()
        assert picture(app) == held
        app.panel.pause(False)
        await pilot.pause()
        assert picture(app) != held
        assert "30 ms" in picture(app)


async def test_charts_without_data_say_what_to_press(clock: Clock) -> None:
    app = Charts(None)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        assert picture(app).count("l loads the model, p drives it") == 4


async def test_all_four_stand_in_a_small_terminal_with_values_and_axes(clock: Clock) -> None:
    app = Charts(story(clock))
    async with app.run_test(size=(80, 17)) as pilot:
        await pilot.pause()
        seen = picture(app)
        for word in ("latency", "throughput", "memory", "cpu", " ms", " MB", " /s", " %", "now", "p99"):
            assert word in seen
        lines = seen.splitlines()
        assert len(lines) == 17
        assert {len(line) for line in lines} == {80}


async def test_a_frame_repaints_only_cells_that_changed(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 30.2)
    app = Charts(recorder)
    async with app.run_test(size=(160, 44)) as pilot:
        await pilot.pause()
        chart = app.query_one("#chart-cpu", Chart)
        repainted: list[object] = []
        for widget in (chart._body, chart._live, chart._readout):
            widget.refresh = lambda *regions, **_: repainted.append(regions)  # type: ignore[method-assign,assignment]
        feed(recorder, clock, 0.1)
        await app.measure(0.1)
        chart.tick(readout=True)
        assert repainted == []


async def test_the_paint_clock_stands_still_until_something_is_live(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 5)
    app = Charts(recorder)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        assert not moves(app.panel)
        app.panel.run(True)
        assert moves(app.panel)
        app.panel.run(False)
        assert not moves(app.panel)


def moves(panel: ChartsPanel) -> bool:
    return panel._clock is not None and panel._clock._active.is_set()


async def test_another_theme_gives_other_colours(clock: Clock) -> None:
    app = Charts(story(clock))
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        body = app.query_one("#chart-cpu", Chart)._body
        before = body.ink(Ink.LINE)
        app.theme = "textual-light"
        await pilot.pause()
        assert body.ink(Ink.LINE) != before


async def test_ascii_charts_hold_nothing_but_ascii(clock: Clock) -> None:
    text.use_ascii(True)
    try:
        app = Charts(story(clock))
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            assert picture(app).isascii()
    finally:
        text.use_ascii(False)


def test_the_axis_stops_with_the_worker_and_goes_on_with_the_next(clock: Clock) -> None:
    recorder = Recorder(clock)
    feed(recorder, clock, 40)
    recorder.gone()
    recorder.mark("error")
    window = shown(recorder)
    end, picture = window.end, words(window.body())
    assert any("╎" in row for row in picture)
    clock.now += 60
    assert not window.advance(fetched(recorder))
    assert window.end == end
    assert words(shown(recorder).body()) == picture
    recorder.begun()
    assert window.advance(fetched(recorder))
    assert window.end is not None
    assert end is not None
    assert window.end >= end + 59
