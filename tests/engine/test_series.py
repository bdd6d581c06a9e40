"""A client's measurements: what it fetched in pieces is what it would have fetched at once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.engine.series import Series
from console.monitor.series import Recorder
from console.records import METRICS, WIDTHS, Memory
from tests.fetched import fetched

STEPS = st.lists(
    st.tuples(st.sampled_from(("call", "error", "read", "mark", "gone", "ask", "ask")), st.integers(0, 40)),
    min_size=1,
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=25, database=None)
def test_a_series_fetched_in_pieces_is_the_one_fetched_at_once(steps: list[tuple[str, int]]) -> None:
    now = [1000.0]
    recorder, series = Recorder(lambda: now[0]), Series()
    for what, wait in steps:
        now[0] += wait / 20
        if what == "call":
            recorder.call(2, 1.0 + wait, 2.0 + wait, 0.5)
        elif what == "error":
            recorder.error()
        elif what == "read":
            recorder.reading(Memory(wait << 20, pss=wait << 19), 3.0)
        elif what == "mark":
            recorder.mark("load")
        elif what == "gone":
            recorder.gone()
        else:
            assert seen(fetched(recorder, series)) == seen(fetched(recorder))
    assert seen(fetched(recorder, series)) == seen(fetched(recorder))


def test_of_a_long_run_as_much_is_kept_as_the_recorder_keeps() -> None:
    now = [1000.0]
    recorder, series = Recorder(lambda: now[0]), Series()
    for _ in range(400):
        now[0] += 1.0
        recorder.call(1, 1.0, 1.5)
        fetched(recorder, series)
    assert len(series.kept(0.1)[1]["calls"]) == 1200
    assert series.narrowest(0.1, 1000.5) == 0.5


def test_a_series_of_another_recorder_is_not_gone_on_with() -> None:
    series, first, second = Series(), Recorder(lambda: 5.0), Recorder(lambda: 6.0)
    assert series.take(first.chunk(series.wanted(())))
    assert not series.take(second.chunk(series.wanted(())))


def seen(what: Series) -> list[object]:
    """Everything a chart reads, to the precision of float32."""
    bins = [
        what.bins(name, 60, width, end) for name in METRICS for width in WIDTHS for end in (None, what.index(width) + 2)
    ]
    latest = [what.latest(name) for name in METRICS]
    return [bins, latest, what.recent(), what.markers(0, 1e9), what.clock(), what.calls, what.ended_at]
