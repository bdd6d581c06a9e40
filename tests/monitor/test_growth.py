from __future__ import annotations

import random

import pytest

from console.monitor.growth import MOST, Trend
from console.records import Growth
from console.records.words import CERTAIN, growth_words, rate_words, span_words

MIB = 1 << 20


def trend(per_call: float, noise: float = 0.0, calls: int = 20_000, readings: int = 100, warm: float = 0.0) -> Trend:
    """Readings of a process that grows by so much a call, and by `warm` bytes at its beginning."""
    found, chance = Trend(), random.Random(1)
    for index in range(readings):
        at = index * calls // readings
        grown = warm * min(1.0, index / (readings / 5))
        found.add(at, int(100 * MIB + grown + per_call * at + chance.gauss(0, noise)))
    return found


@pytest.mark.parametrize("noise", [0, 50_000])
def test_a_leak_is_told_with_its_doubt(noise: float) -> None:
    growth = trend(1000.0, noise).growth()
    assert growth is not None
    assert growth.grows
    assert abs(growth.per_call - 1000) < 4 * growth.error
    assert 0 < growth.error < 50
    assert growth.readings == 75


@pytest.mark.parametrize(
    "steady",
    [trend(0.0), trend(0.0, noise=100_000), trend(0.0, warm=40 * MIB), trend(-500.0)],
    ids=["flat", "noisy", "warming", "shrinking"],
)
def test_what_does_not_grow_tells_how_much_would_have_gone_unseen(steady: Trend) -> None:
    growth = steady.growth()
    assert growth is not None
    assert not growth.grows
    assert "no growth seen (below" in growth_words(growth)


def test_one_step_is_no_leak() -> None:
    found = Trend()
    for index in range(100):
        found.add(index * 100, (100 if index < 60 else 130) * MIB)
    growth = found.growth()
    assert growth is not None
    assert not growth.grows


def test_the_bound_of_what_is_not_seen_holds_the_truth() -> None:
    growth = trend(10.0, noise=200_000).growth()
    assert growth is not None
    assert not growth.grows
    assert growth.per_call + CERTAIN * growth.error > 10


def test_few_readings_tell_nothing() -> None:
    assert trend(1000.0, readings=10).growth() is None
    assert trend(1000.0, calls=0).growth() is None
    assert growth_words(None) == "memory: too few readings to tell whether it grows"


def test_a_long_run_keeps_few_readings() -> None:
    found = trend(1000.0, calls=1_000_000, readings=10_000)
    growth = found.growth()
    assert growth is not None
    assert growth.grows
    assert growth.readings <= MOST
    assert growth.per_call == pytest.approx(1000, rel=0.01)


def test_the_words() -> None:
    growth = Growth(1228.8, 102.4, 75, True, 8 << 30, 3 * 3600)
    assert growth_words(growth) == (
        "memory grows by 1.2 KiB ± 102 B per call; reaches the limit of 8 GiB after about 3 h at this rate"
    )
    assert growth_words(Growth(-5.0, 30.0, 75)) == "memory: no growth seen (below 90 B per call)"
    assert [span_words(one) for one in (40, 1500, 10800, 12 * 86400, 1e12)] == [
        "40 s",
        "25 min",
        "3 h",
        "12 days",
        "years",
    ]
    assert [rate_words(one) for one in (0.0, 0.517, 98.77, 312.4, 12345.6)] == ["0", "0.517", "98.8", "312", "12,346"]
