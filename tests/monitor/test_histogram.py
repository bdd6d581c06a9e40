from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from console.monitor.histogram import HIGHEST_MS, LOWEST_MS, Histogram

durations = st.lists(st.floats(min_value=LOWEST_MS, max_value=HIGHEST_MS), min_size=1, max_size=300)


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(durations)
def test_a_quantile_is_within_one_percent_of_the_duration_of_its_rank(values: list[float]) -> None:
    measured = filled(values).measured()
    assert measured is not None
    ordered = sorted(values)
    for share, answered in ((0.5, measured.p50), (0.9, measured.p90), (0.99, measured.p99)):
        exact = ordered[math.ceil(share * len(values)) - 1]
        assert abs(answered - exact) <= 0.01 * exact
    assert measured.max == max(values)
    assert measured.count == len(values)


@given(durations, durations)
def test_merging_equals_recording_everything_in_one(one: list[float], other: list[float]) -> None:
    merged = filled(one)
    merged.merge(filled(other))
    assert merged.measured() == filled(one + other).measured()


def test_an_empty_histogram_has_no_quantiles() -> None:
    assert Histogram().measured() is None


def test_what_lies_outside_the_range_counts_in_the_outermost_bucket() -> None:
    histogram = filled([-5.0, math.nan, 0.0, 1e12])
    assert histogram.count == 4
    low, high = histogram.quantiles((0.5, 1.0))
    assert low < 1.03 * LOWEST_MS
    assert high > 0.97 * HIGHEST_MS


def test_its_size_is_bounded() -> None:
    histogram = Histogram()
    for exponent in range(-3000, 7000):
        histogram.record(10 ** (exponent / 1000))
    assert len(histogram._buckets) < 1200
