"""Compressed models in the sandbox: opened by several threads, of which none is left."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from backends.core.compression import IN_PARALLEL
from backends.core.load_plan import LoadPlan
from console.worker.inspector import Inspectors
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import Load

MEETING = """(lambda barrier: sorted(__import__('backends.parallel').parallel.in_order(
    lambda _: barrier.wait(60), [1, 2], 2)))(__import__('threading').Barrier(2))"""
"""Two threads wait for each other: [0, 1] if both run."""


def tasks(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    model: Any = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    model.kept_ = np.round(random.normal(size=1_200_000), 2)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=("bz2", 3))
    assert path.stat().st_size > IN_PARALLEL["bz2"][1]
    return path


def goes_back_to(pid: int, threads: int) -> bool:
    """Whether so many threads are left: one that was waited for is seen by the kernel a moment longer."""
    end = time.monotonic() + 10
    while tasks(pid) != threads and time.monotonic() < end:
        time.sleep(0.01)
    return tasks(pid) == threads


async def test_threads_run_in_the_sandbox(worker: Worker, evil: Load) -> None:
    fd = evil(f"type(str({MEETING}), (), {{}})()")
    assert (await worker.load(fd, "pickle")).model_class.endswith("[0, 1]")
    assert goes_back_to(worker.child.pid, 1)


async def test_inspector_and_worker_read_it_and_no_thread_is_left(launcher: Launcher, compressed: Path) -> None:
    inspectors = Inspectors(launcher)
    with compressed.open("rb") as file:
        found, plan = await inspectors.plan(file.fileno(), compressed.name)
        assert found.complete
        assert found.compression == "bz2"
        (child,) = launcher.children
        assert goes_back_to(child.pid, 1)
        assert LoadPlan.from_bytes(plan, os.fstat(file.fileno()).st_size).inside
        worker = await Worker.start(launcher, "model.joblib")
        before = tasks(worker.child.pid)
        loaded = await worker.load(file.fileno(), "joblib", plan=plan)
    assert loaded.phases["read.decompress"] > 0
    assert goes_back_to(worker.child.pid, before)
    await inspectors.close()
