"""Calls that follow each other at once: each gets its own answer, the event loop its turns, and a death its words."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sklearn.linear_model import LinearRegression

from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.placement import Placement, Way
from tests.benchmarks.models import served


class Kept(Placement):
    """Goes one way, however long that takes."""

    def __init__(self, pid: int, way: Way) -> None:
        super().__init__(pid)
        self._kept = way

    @property
    def awake(self) -> bool:
        return self._kept is Way.APART

    @property
    def seconds(self) -> float:
        return 1e-3

    def _go(self, way: Way) -> None:
        self.way = self._kept


@pytest_asyncio.fixture(params=[Way.NEAR, Way.APART])
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[Worker]:
    """A worker that doubles, whose answers are waited for at once."""
    launcher = Launcher()
    found = await served(launcher, LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), "line")
    found.placement = Kept(found.child.pid, request.param)
    for _ in range(3):
        await double(found, 1.0)
    yield found
    await launcher.close()


async def double(worker: Worker, value: float, deadline: float = 60.0) -> float:
    _places, answer, _spent = await worker.call_array("<f8", (1, 1), struct.pack("<d", value), deadline=deadline)
    return float(struct.unpack("<d", answer)[0])


async def test_each_gets_its_own_answer(worker: Worker) -> None:
    for value in range(200):
        assert await double(worker, value) == pytest.approx(2 * value, abs=1e-9)
    assert not worker.child.busy


async def test_those_that_come_in_between_get_theirs(worker: Worker) -> None:
    async def series(begin: int) -> None:
        for value in range(begin, begin + 100):
            assert await double(worker, value) == pytest.approx(2 * value, abs=1e-9)

    await series(0)
    await asyncio.gather(series(100), series(200), series(300))
    assert not worker.child.busy


@pytest.mark.parametrize("worker", [Way.APART], indirect=True)
async def test_the_event_loop_has_a_turn_in_every_call(worker: Worker) -> None:
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turning())
    await asyncio.sleep(0)
    for _ in range(100):
        await double(worker, 1.0)
    other.cancel()
    assert turns >= 100


async def test_a_death_is_told_at_once(worker: Worker) -> None:
    os.kill(worker.child.pid, signal.SIGKILL)
    with pytest.raises(ChildFailed, match="SIGKILL") as caught:
        await double(worker, 1.0)
    assert caught.value.failure is not None
    assert caught.value.failure.input == "raw array (1, 1) <f8"


async def test_a_worker_that_is_stopped_is_overdue(worker: Worker) -> None:
    os.kill(worker.child.pid, signal.SIGSTOP)
    with pytest.raises(ChildFailed, match="stopped by a signal"):
        await double(worker, 1.0, deadline=0.3)


@pytest.mark.parametrize("worker", [Way.APART], indirect=True)
async def test_who_gives_up_waiting_leaves_the_next_call_alone(worker: Worker) -> None:
    waiting = asyncio.create_task(double(worker, 1.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await double(worker, 4.0) == pytest.approx(8.0)
