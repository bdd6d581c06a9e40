"""Small calls that follow each other at once: each gets its own answer, and a death its words."""

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
from tests.benchmarks.models import served


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    """A worker that doubles."""
    launcher = Launcher()
    yield await served(launcher, LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), "line")
    await launcher.close()


async def double(worker: Worker, value: float, deadline: float = 60.0) -> float:
    _places, answer, _spent = await worker.call_array("<f8", (1, 1), struct.pack("<d", value), deadline=deadline)
    return float(struct.unpack("<d", answer)[0])


async def test_each_gets_its_own_answer_alone_and_among_others(worker: Worker) -> None:
    async def series(begin: int) -> None:
        for value in range(begin, begin + 100):
            assert await double(worker, value) == pytest.approx(2 * value, abs=1e-9)

    await series(0)
    await asyncio.gather(series(100), series(200), series(300))
    assert not worker.child.busy


async def test_who_gives_up_waiting_leaves_the_next_call_alone(worker: Worker) -> None:
    waiting = asyncio.create_task(double(worker, 1.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await double(worker, 4.0) == pytest.approx(8.0)


async def test_a_death_is_told_with_what_was_asked(worker: Worker) -> None:
    os.kill(worker.child.pid, signal.SIGKILL)
    with pytest.raises(ChildFailed, match="SIGKILL") as caught:
        await double(worker, 1.0)
    assert caught.value.failure is not None
    assert caught.value.failure.input == "raw array (1, 1) <f8"


async def test_a_worker_that_is_stopped_is_overdue(worker: Worker) -> None:
    os.kill(worker.child.pid, signal.SIGSTOP)
    with pytest.raises(ChildFailed, match="stopped by a signal"):
        await double(worker, 1.0, deadline=0.3)
