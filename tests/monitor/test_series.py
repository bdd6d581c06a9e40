from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.monitor.series import Recorder
from console.records import METRICS, WIDTHS, Memory
from tests.fetched import fetched


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(clock: Clock) -> Recorder:
    return Recorder(clock)


def test_bins_are_aligned_to_the_clock_and_hold_rates_and_quantiles(recorder: Recorder, clock: Clock) -> None:
    for _ in range(10):
        recorder.call(rows=4, worker_ms=2.0, round_trip_ms=3.0)
        clock.now += 0.1
    assert fetched(recorder).bins("calls", 1, 1.0) == [10.0]
    assert fetched(recorder).bins("rows", 1, 1.0) == [40.0]
    assert fetched(recorder).bins("worker.p50", 1, 1.0) == [pytest.approx(2.0, rel=0.01)]
    assert fetched(recorder).bins("round_trip.p99", 1, 1.0) == [pytest.approx(3.0, rel=0.01)]
    assert fetched(recorder).bins("calls", 2, 0.5) == [10.0, 10.0]
    assert recorder.calls == 10


def test_gaps_are_gaps(recorder: Recorder, clock: Clock) -> None:
    recorder.call(1, 1.0, 1.0)
    clock.now += 3.0
    recorder.call(1, 1.0, 1.0)
    clock.now += 1.0
    values = fetched(recorder).bins("worker.p50", 5, 1.0)
    assert [value is None for value in values] == [True, False, True, True, False]
    assert fetched(recorder).bins("calls", 5, 1.0)[2] is None


def test_a_loaded_worker_without_calls_has_a_throughput_of_zero(recorder: Recorder, clock: Clock) -> None:
    recorder.reading(Memory(rss=100))
    clock.now += 1.0
    assert fetched(recorder).bins("calls", 1, 1.0) == [0.0]
    assert fetched(recorder).bins("worker.p50", 1, 1.0) == [None]


def test_a_reading_holds_for_a_second_and_not_longer(recorder: Recorder, clock: Clock) -> None:
    recorder.reading(Memory(rss=50, pss=20), cpu=10.0)
    clock.now += 3.0
    values = fetched(recorder).bins("rss", 30, 0.1)
    assert values == [50.0] * 10 + [None] * 20
    assert fetched(recorder).bins("cpu", 30, 0.1)[:10] == [10.0] * 10


def test_a_reading_ends_with_its_worker(recorder: Recorder, clock: Clock) -> None:
    recorder.reading(Memory(rss=50))
    clock.now += 0.3
    recorder.gone()
    assert fetched(recorder).latest("rss") is None
    clock.now += 0.7
    assert fetched(recorder).bins("rss", 10, 0.1) == [50.0] * 4 + [None] * 6


def test_the_bin_in_progress_can_be_asked_for(recorder: Recorder, clock: Clock) -> None:
    recorder.call(1, 8.0, 9.0)
    current = fetched(recorder).index(0.5)
    assert fetched(recorder).bins("worker.p50", 3, 0.5, end=current + 2) == [None, pytest.approx(8.0, rel=0.01), None]
    clock.now += 0.25
    recorder.call(1, 8.0, 9.0)
    assert fetched(recorder).bins("calls", 1, 0.5, end=current + 1) == [pytest.approx(2 / 0.25)]


def test_errors_are_counted_apart_from_calls(recorder: Recorder, clock: Clock) -> None:
    recorder.error()
    clock.now += 1.0
    assert fetched(recorder).bins("errors", 1, 1.0) == [1.0]
    assert fetched(recorder).bins("calls", 1, 1.0) == [0.0]


def test_markers_are_found_by_time(recorder: Recorder, clock: Clock) -> None:
    recorder.mark("reload")
    clock.now += 5
    recorder.mark("error")
    assert [marker.word for marker in fetched(recorder).markers(1000.0, 1005.0)] == ["reload"]
    assert [marker.word for marker in fetched(recorder).markers(1000.0, 1005.1)] == ["reload", "error"]


def test_latest_looks_back_for_a_slow_model(recorder: Recorder, clock: Clock) -> None:
    assert fetched(recorder).latest("worker.p50") is None
    recorder.call(1, 3000.0, 3000.0)
    clock.now += 3.0
    assert fetched(recorder).latest("worker.p50") == pytest.approx(3000.0, rel=0.01)
    measured = fetched(recorder).recent()
    assert measured is not None
    assert measured.p99 == pytest.approx(3000.0, rel=0.01)


def test_what_is_too_old_is_forgotten_and_memory_stays_bounded(recorder: Recorder, clock: Clock) -> None:
    for _ in range(1300):
        recorder.call(1, 1.0, 1.0)
        clock.now += 0.1
    values = fetched(recorder).bins("calls", 1300, 0.1)
    assert values[:90] == [None] * 90
    assert None not in values[-1190:]
    assert all(
        len(column) == level.capacity for level in recorder._levels.values() for column in level._columns.values()
    )


def test_an_unknown_width_is_refused(recorder: Recorder) -> None:
    with pytest.raises(KeyError):
        fetched(recorder, widths=(0.7,))


steps = st.lists(
    st.tuples(st.floats(0.0, 4.0), st.sampled_from(["call", "error", "reading", "gone", "look"])), max_size=60
)


@settings(max_examples=60)
@given(steps, st.sampled_from(WIDTHS[:6]), st.sampled_from(METRICS))
def test_a_finished_bin_never_changes(path: list[tuple[float, str]], width: float, metric: str) -> None:
    clock = Clock(500.0)
    recorder = Recorder(clock)
    seen: dict[int, float | None] = {}
    for pause, what in path:
        clock.now += pause
        if what == "call":
            recorder.call(2, 1.0 + pause, 2.0 + pause)
        elif what == "error":
            recorder.error()
        elif what == "reading":
            recorder.reading(Memory(rss=int(1000 * pause) + 1, pss=5), cpu=pause)
        elif what == "gone":
            recorder.gone()
        else:
            series = fetched(recorder)
            for index, value in enumerate(series.bins(metric, 40, width), series.index(width) - 40):
                assert seen.setdefault(index, value) == value


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0.0, 0.9), st.booleans()), max_size=80), st.sampled_from(WIDTHS))
def test_every_width_counts_every_call(path: list[tuple[float, bool]], width: float) -> None:
    clock = Clock(600.0)
    recorder = Recorder(clock)
    calls = errors = 0
    for pause, good in path:
        clock.now += pause
        if good:
            recorder.call(1, 1.0, 1.0)
        else:
            recorder.error()
        calls, errors = calls + good, errors + (not good)
    clock.now += 61.0
    bins = math.ceil(150 / width)
    series = fetched(recorder)
    assert sum(value or 0 for value in series.bins("calls", bins, width)) * width == pytest.approx(calls, rel=1e-4)
    assert sum(value or 0 for value in series.bins("errors", bins, width)) * width == pytest.approx(errors, rel=1e-4)
