"""Unloading ends a worker at once, whatever it does; what it was asked is told so, and is nobody's failure."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import joblib
import numpy as np
import psutil
import pytest
from sklearn.tree import DecisionTreeClassifier

from console.engine.local import Engine
from console.errors import ConsoleError
from console.records import ProbePlan
from tests.worker.payloads import until

PATH = "stuck.joblib"
AT_ONCE_S = 1.0


def stuck(store: Path, *, at_zero: bool = False) -> None:
    """A tree that runs in a circle in C code for rows beyond 0.5, or for zeros too, so that its warm-up never ends."""
    model = DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0]], [0, 1])
    state = model.tree_.__getstate__()
    nodes = state["nodes"]
    nodes["left_child" if at_zero else "right_child"][0] = 0
    model.tree_.__setstate__(state)
    joblib.dump(model, store / PATH)
    np.save(store / "rows.npy", np.ones((4, 1)))


def gone(pid: int) -> bool:
    """Whether nothing of a process is left but its number."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("copies", [1, 2])
async def test_a_probed_worker_that_never_answers_is_gone_at_once(
    engine: Engine, store: Path, copies: int, stopped: bool
) -> None:
    stuck(store)
    await engine.models.load(PATH)
    await engine.models.set_copies(PATH, copies)
    pids = engine.models.views()[PATH].pids
    await engine.monitor.start(PATH, ProbePlan(str(store / "rows.npy"), rate=100.0))
    asked = [asyncio.ensure_future(engine.inference.predict(PATH, rows=[[1.0]])) for _ in range(3)]
    await until(lambda: engine._fleet.slot(PATH).asking == 4)
    if stopped:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    began = time.perf_counter()
    await engine.models.unload(PATH)
    assert time.perf_counter() - began < AT_ONCE_S
    assert all(map(gone, pids))
    assert engine.models.view(PATH) is None
    for one in asked:
        with pytest.raises(ConsoleError, match="was unloaded") as caught:
            await one
        assert caught.value.code == "unloaded"
    probe = engine.known_probe(PATH)
    assert probe is not None
    assert (probe.running, probe.errors, probe.stopped_why) == (False, 0, "the model was unloaded")
    assert not engine.failures.all()


async def test_a_worker_that_hangs_while_it_loads_is_gone_at_once(engine: Engine, store: Path) -> None:
    stuck(store, at_zero=True)
    loading = asyncio.ensure_future(engine.models.load(PATH))
    await until(lambda: (view := engine.models.view(PATH)) is not None and view.phase == "warm")
    pid = engine.models.views()[PATH].pid
    assert pid is not None
    began = time.perf_counter()
    await engine.models.unload(PATH)
    assert time.perf_counter() - began < AT_ONCE_S
    assert gone(pid)
    with pytest.raises(ConsoleError, match="was unloaded while it was loading"):
        await loading
    assert not engine.failures.all()


async def test_the_old_worker_that_finishes_after_a_reload_goes_with_the_new_one(engine: Engine, store: Path) -> None:
    stuck(store)
    old = (await engine.models.load(PATH)).pid
    asked = asyncio.ensure_future(engine.inference.predict(PATH, rows=[[1.0]]))
    await until(lambda: engine._fleet.slot(PATH).asking == 1)
    new = (await engine.models.reload(PATH)).pid
    assert old is not None
    assert new is not None
    assert not gone(old)
    began = time.perf_counter()
    await engine.models.unload(PATH)
    assert time.perf_counter() - began < AT_ONCE_S
    assert gone(old)
    assert gone(new)
    with pytest.raises(ConsoleError, match="was unloaded"):
        await asked


async def test_closing_the_console_waits_for_no_answer(engine: Engine, store: Path) -> None:
    stuck(store)
    await engine.models.load(PATH)
    asked = asyncio.ensure_future(engine.inference.predict(PATH, rows=[[1.0]]))
    await until(lambda: engine._fleet.slot(PATH).asking == 1)
    began = time.perf_counter()
    await engine._fleet.close()
    assert time.perf_counter() - began < AT_ONCE_S
    with pytest.raises(ConsoleError):
        await asked
