"""Where a worker runs: whichever way is faster, and free as soon as requests overlap."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from console.worker.placement import BLOCK, FAST, GAP_S, HELD_S, LONG_TOO_OFTEN, Placement, Way

ALL = os.sched_getaffinity(0)


@pytest.fixture
def process() -> Iterator[int]:
    """A process that waits for its stdin to close."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        yield child.pid
        child.kill()


def block(placement: Placement, seconds: float, gap: float = 0.0) -> Way:
    """One block of round trips that take so long each, with such a gap between them; the way to go then."""
    now = 100.0
    for _ in range(BLOCK):
        placement.asked(now)
        placement.alone(now, now + seconds)
        now += seconds + gap
    return placement.way


def driven(process: int, blocks: int, seconds: dict[Way, float], gap: float) -> list[Way]:
    """The ways a worker goes whose round trips take so long each way."""
    placement = Placement(process)
    return [block(placement, seconds[placement.way], gap) for _ in range(blocks)]


SLOWLY = 20e-3


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
def test_staying_awake_is_given_up_soon_and_for_long_where_others_want_the_processor(process: int) -> None:
    placement, awake, now = Placement(process), 0, 100.0
    seconds = {Way.FREE: 300e-6, Way.NEAR: 200e-6, Way.APART: 2e-3}
    for _ in range(200 * BLOCK):
        placement.asked(now)
        awake += placement.way is Way.APART
        end = now + seconds[placement.way]
        placement.alone(now, end)
        now = end + (0.0 if placement.way is not Way.APART else 1e-3)
    assert 0 < awake < 10 * BLOCK


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
@pytest.mark.parametrize("best", [Way.FREE, Way.NEAR])
def test_the_best_way_stays_and_the_other_is_tried_ever_later(process: int, best: Way) -> None:
    seconds = {Way.FREE: 200e-6, Way.NEAR: 200e-6, best: 100e-6}
    ways = driven(process, 60, seconds, SLOWLY)
    assert Way.APART not in ways
    others = [index for index, way in enumerate(ways) if way is not best]
    assert 2 < len(others) < 10
    assert others[-1] - others[-2] > 8


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
@pytest.mark.parametrize("best", [Way.NEAR, Way.APART])
def test_only_requests_that_follow_at_once_are_answered_by_a_worker_that_stays_awake(process: int, best: Way) -> None:
    seconds = {Way.FREE: 300e-6, Way.NEAR: 200e-6, Way.APART: 200e-6, best: 100e-6}
    ways = driven(process, 60, seconds, GAP_S / 2)
    assert ways.count(best) > 50
    placement = Placement(process)
    for _ in range(3):
        block(placement, seconds[placement.way])
    placement.way = Way.APART
    placement.asked(1e6)
    assert not placement.awake
    for _ in range(FAST):
        placement.alone(1e6, 1e6 + 1e-4)
        placement.asked(1e6 + 1.1e-4)
    assert placement.awake


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
def test_where_it_runs_is_what_the_way_says(process: int) -> None:
    placement = Placement(process)
    seconds = {Way.FREE: 300e-6, Way.NEAR: 100e-6, Way.APART: 100e-6}
    for _ in range(12):
        way = block(placement, seconds[placement.way])
        assert len(os.sched_getaffinity(process)) == {Way.NEAR: 1, Way.APART: len(ALL) - 1}[way]
    placement.release()
    assert placement.way is Way.FREE
    assert os.sched_getaffinity(process) == ALL


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
def test_long_requests_set_it_free(process: int) -> None:
    placement = Placement(process)
    assert block(placement, 200e-6, SLOWLY) is Way.NEAR
    for second in range(LONG_TOO_OFTEN):
        assert placement.way is Way.NEAR
        placement.alone(second, second + 0.5)
    assert placement.way is Way.FREE
    assert os.sched_getaffinity(process) == ALL


def test_only_short_answers_are_waited_for_at_once(process: int) -> None:
    placement = Placement(process)
    assert placement.seconds == 0
    block(placement, HELD_S / 2)
    assert placement.seconds > 0
    for _ in range(2):
        block(placement, HELD_S * 2)
    assert placement.seconds == 0


def test_long_requests_and_ended_processes_are_left_alone(process: int) -> None:
    placement = Placement(process)
    for _ in range(10):
        assert block(placement, 20e-3) is Way.FREE
    os.kill(process, 9)
    os.waitpid(process, 0)
    for _ in range(4):
        assert block(placement, 100e-6) is Way.FREE
    Placement(process).release()
