"""Measurements as csv: nothing is there that was not measured, and nothing that was measured is missing."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from itertools import pairwise

import pytest

from console.monitor.series import Recorder
from console.ui.measured_csv import COLUMNS, Kept
from tests.fetched import fetched
from tests.ui.measured import Clock, feed, story

Table = list[dict[str, str]]


def table(recorder: Recorder, seconds: float) -> Table:
    kept = Kept.of(fetched(recorder), seconds)
    rows = list(csv.DictReader(io.StringIO(kept.csv())))
    assert len(rows) == len(kept.steps)
    return rows


def test_each_step_has_a_row_and_all_counts_are_there() -> None:
    recorder = story(Clock())
    recorder.clock.now += 1.0  # type: ignore[attr-defined]
    rows = table(recorder, 0.5)
    assert tuple(rows[0]) == COLUMNS
    assert {row["step_s"] for row in rows} == {"0.5"}
    times = [float(row["epoch_s"]) for row in rows]
    assert {round(later - earlier, 2) for earlier, later in pairwise(times)} == {0.5}
    for name in ("calls", "rows", "errors"):
        counted = sum(value or 0 for value in fetched(recorder).bins(name, 1000, 0.1)) * 0.1
        assert sum(int(row[name]) for row in rows if row[name]) == round(counted)
    assert datetime.fromisoformat(rows[0]["time_utc"]).timestamp() == pytest.approx(times[0], abs=0.002)


def test_what_was_not_measured_is_empty_and_never_naught() -> None:
    rows = table(story(Clock()), 0.5)
    first = float(rows[0]["epoch_s"])
    away = [row for row in rows if 1041.5 <= float(row["epoch_s"]) - first + 1000.0 < 1042.5]
    assert away
    for row in away:
        assert {name: value for name, value in row.items() if value}.keys() == {"time_utc", "epoch_s", "step_s"}
    clock = Clock()
    recorder = Recorder(clock)
    feed(recorder, clock, 5.0, ms=2.0)
    one = table(recorder, 1.0)[2]
    assert (one["calls"], one["rows"], one["errors"], one["rate_per_s"], one["batch_rows"]) == (
        "20",
        "20",
        "0",
        "20",
        "1",
    )
    assert float(one["p50_ms"]) == pytest.approx(2.0, rel=0.05)
    assert (one["rss_bytes"], one["cpu_percent"], one["score"]) == (str(200 << 20), "20.0000", "")


def test_what_happened_stands_in_the_row_of_its_moment() -> None:
    rows = table(story(Clock()), 0.5)
    first = float(rows[0]["epoch_s"])
    told = {row["marks"]: float(row["epoch_s"]) - first for row in rows if row["marks"]}
    assert told == {"reload": pytest.approx(43.0, abs=0.5), "error": pytest.approx(60.0, abs=0.5)}


def test_a_mark_after_the_last_measurement_has_a_row() -> None:
    clock = Clock()
    recorder = Recorder(clock)
    feed(recorder, clock, 2.0)
    clock.now += 7.0
    recorder.mark("error")
    recorder.mark("load")
    last = table(recorder, 1.0)[-1]
    assert (last["marks"], last["calls"], last["rss_bytes"]) == ("error load", "", "")


def test_nothing_measured_is_no_step() -> None:
    clock = Clock()
    recorder = Recorder(clock)
    assert not Kept.of(fetched(recorder), 0.5).steps
    feed(recorder, clock, 3.0)
    assert not Kept.of(fetched(recorder), 60.0).steps


def test_a_stretch_that_narrow_steps_have_lost_is_told_in_wider_ones() -> None:
    clock = Clock()
    recorder = Recorder(clock)
    feed(recorder, clock, 200.0, rate=5.0)
    assert fetched(recorder).narrowest(0.2, clock.now - 100.0) == 0.2
    assert fetched(recorder).narrowest(0.2, clock.now - 190.0) == 0.5
    assert fetched(recorder).narrowest(0.2, None) == 0.2
