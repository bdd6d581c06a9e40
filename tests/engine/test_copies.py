"""Several workers of one artifact: all of them answer, one that dies disturbs no other, none holds another content."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import joblib
import psutil
import pytest

from console.engine.local import Engine
from console.errors import OperationError, UsageError
from console.records import WorkerState, WorkerView
from tests.engine.conftest import model, until


def pids(engine: Engine) -> tuple[int, ...]:
    view = engine.models.view("a.joblib")
    return () if view is None else view.pids


async def test_copies_share_the_requests_and_are_read_as_one(engine: Engine) -> None:
    await engine.models.load("a.joblib")
    alone = await engine.inference.predict("a.joblib")
    view = await engine.models.set_copies("a.joblib", 3)
    assert (view.copies, len(set(view.pids)), view.pids[0]) == (3, 3, view.pid)
    outcomes = await asyncio.gather(*(engine.inference.predict("a.joblib") for _ in range(9)))
    assert all(one.outputs == alone.outputs for one in outcomes)
    slot = engine._fleet.slot("a.joblib")
    assert len(slot.tables) == 3
    fewest = min(psutil.Process(pid).memory_info().rss for pid in view.pids)
    await until(engine, lambda: "a.joblib" in engine.monitor._recorders)
    await read(engine, lambda rss: rss > 2 * fewest)
    await engine.models.set_copies("a.joblib", 1)
    await gone(view.pids[1:])
    assert pids(engine) == view.pids[:1]
    assert (await engine.inference.predict("a.joblib")).outputs == alone.outputs


async def read(engine: Engine, holds: object) -> None:
    """Wait for a reading of memory of which this holds."""
    assert callable(holds)
    async with asyncio.timeout(30):
        while True:
            view = engine.models.view("a.joblib")
            if view is not None and view.memory is not None and holds(view.memory.rss):
                return
            await asyncio.sleep(0.05)


async def gone(numbers: tuple[int, ...]) -> None:
    async with asyncio.timeout(30):
        while any(psutil.pid_exists(number) for number in numbers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("which", [0, 1])
async def test_the_death_of_one_leaves_the_other_answering(engine: Engine, which: int) -> None:
    await engine.models.load("a.joblib")
    before = (await engine.models.set_copies("a.joblib", 2)).pids
    os.kill(before[which], signal.SIGKILL)
    await until(engine, lambda: before[which] not in pids(engine))
    assert before[1 - which] in pids(engine)
    assert (await engine.inference.predict("a.joblib")).rows == 20
    await until(engine, lambda: len(pids(engine)) == 2)
    view = engine.models.view("a.joblib")
    assert view is not None
    assert (view.state, view.restarts, view.pid) == (WorkerState.READY, 1, before[1 - which])
    assert "SIGKILL" in engine.failures.all()[-1].message


async def test_when_a_copy_that_died_is_started_again_is_known_until_it_is(engine: Engine) -> None:
    told: list[WorkerView] = []
    engine.bus.subscribe(lambda event: told.append(view_of(engine)) if event.severity == "failure" else None)
    await engine.models.load("a.joblib")
    dying = (await engine.models.set_copies("a.joblib", 2)).pids[1]
    os.kill(dying, signal.SIGKILL)
    await until(engine, lambda: any(one.retry_at is not None and dying not in one.pids for one in told))
    assert {one.state for one in told} == {WorkerState.READY}
    await until(engine, lambda: len(pids(engine)) == 2 and view_of(engine).retry_at is None)


def view_of(engine: Engine) -> WorkerView:
    view = engine.models.view("a.joblib")
    assert view is not None
    return view


async def test_a_content_that_changed_gets_no_copy_until_it_is_reloaded(engine: Engine, store: Path) -> None:
    await engine.models.load("a.joblib")
    joblib.dump(model(5), store / "new")
    os.replace(store / "new", store / "a.joblib")
    with pytest.raises(OperationError, match="has changed"):
        await engine.models.set_copies("a.joblib", 2)
    assert len(pids(engine)) == 1
    await engine.models.reload("a.joblib")
    assert len((await engine.models.set_copies("a.joblib", 2)).pids) == 2
    await engine.models.reload("a.joblib")
    await until(engine, lambda: len(pids(engine)) == 2)
    await engine.models.unload("a.joblib")
    assert engine.models.view("a.joblib") is None


async def test_numbers_that_cannot_be(engine: Engine) -> None:
    with pytest.raises(OperationError, match="not loaded"):
        await engine.models.set_copies("a.joblib", 2)
    await engine.models.load("a.joblib")
    for count in (0, 17):
        with pytest.raises(UsageError, match="between 1 and 16"):
            await engine.models.set_copies("a.joblib", count)
