"""Where a worker runs: near while that is faster, free as soon as requests overlap."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from console.worker.placement import BLOCK, Placement

ALL = os.sched_getaffinity(0)


@pytest.fixture
def process() -> Iterator[int]:
    """A process that waits for its stdin to close."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        yield child.pid
        child.kill()


def block(placement: Placement, seconds: float) -> None:
    for _ in range(BLOCK):
        placement.alone(seconds)


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
def test_it_stays_near_while_that_is_faster_and_tries_again_ever_later(process: int) -> None:
    placement = Placement(process)
    near = []
    for _ in range(40):
        block(placement, 100e-6 if placement.cpu is not None else 200e-6)
        near.append(placement.cpu is not None)
        assert os.sched_getaffinity(process) == ({placement.cpu} if placement.cpu is not None else ALL)
    assert near[0]
    assert near[:12].count(False) > near[-12:].count(False)
    assert near.count(True) > 30


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
def test_it_is_free_where_near_is_no_faster_and_when_requests_overlap(process: int) -> None:
    placement = Placement(process)
    for _ in range(40):
        block(placement, 100e-6)
    assert placement.cpu is None
    placement = Placement(process)
    block(placement, 200e-6)
    assert len(os.sched_getaffinity(process)) == 1
    placement.release()
    assert placement.cpu is None
    assert os.sched_getaffinity(process) == ALL


@pytest.mark.skipif(len(ALL) < 2, reason="one processor only")
def test_one_long_request_sets_it_free(process: int) -> None:
    placement = Placement(process)
    block(placement, 200e-6)
    assert len(os.sched_getaffinity(process)) == 1
    placement.alone(1.0)
    assert placement.cpu is None
    assert os.sched_getaffinity(process) == ALL


def test_long_requests_and_ended_processes_are_left_alone(process: int) -> None:
    placement = Placement(process)
    for _ in range(10):
        block(placement, 20e-3)
        assert placement.cpu is None
    os.kill(process, 9)
    os.waitpid(process, 0)
    for _ in range(4):
        block(placement, 100e-6)
    assert placement.cpu is None
    Placement(process).release()
