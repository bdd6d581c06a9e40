"""Versions in service: each answer is wholly of the version that it names, whatever is put in place meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import joblib
import pytest

from console.engine.local import Engine
from console.errors import NotReadyError, NotServedError, OperationError, UsageError
from console.records import Memory, ServedState
from tests.engine.conftest import until
from tests.engine.serving import PATIENT, asking, constant, numbers, promoted, scanned

ROW = [[0.0, 0.0, 0.0]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One model that answers with the number of its version."""
    root = tmp_path / "store"
    root.mkdir()
    joblib.dump(constant(1.0), root / "a.joblib")
    (root / "a.recipe.toml").write_text(PATIENT)
    return root


async def swapped(engine: Engine, callers: int, swaps: int) -> Counter[str]:
    """Promote and roll back so often while callers ask; the answers by version, each of which must be its own."""
    done = asyncio.Event()
    found: Counter[str] = Counter()

    async def caller() -> None:
        while not done.is_set():
            answer = await engine.serving.infer(asking(ROW))
            assert numbers(answer).tolist() == [float(answer.version)]
            found[answer.version] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
        for _ in range(swaps):
            await promoted(engine, "a.joblib", constant(2.0))
            await engine.updates.rollback("a.joblib", 1)
        done.set()
    return found


async def test_no_request_is_lost_or_mixed_while_contents_are_swapped(engine: Engine) -> None:
    await scanned(engine)
    found = await swapped(engine, 3, 2)
    assert set(found) == {"1", "2"}


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_no_request_is_lost_or_mixed_in_fifty_promotions_and_rollbacks(engine: Engine) -> None:
    await scanned(engine)
    await engine.serving.configure("a", replace((await engine.serving.model("a")).settings, copies=2))
    found = await swapped(engine, 8, 50)
    assert min(found["1"], found["2"]) > 100


async def test_a_retained_version_answers_beside_the_current_one(engine: Engine) -> None:
    await scanned(engine)
    assert (await engine.serving.infer(asking(ROW))).version == "1"
    await promoted(engine, "a.joblib", constant(2.0))
    assert (await engine.serving.infer(asking(ROW))).version == "2"
    with pytest.raises(NotReadyError, match="version 1 is not loaded"):
        await engine.serving.infer(asking(ROW, version="1"))
    with pytest.raises(NotServedError, match="no version 9"):
        await engine.serving.infer(asking(ROW, version="9"))
    model = await engine.serving.load("a", "1")
    assert [(one.version, one.state, one.current) for one in model.versions] == [
        ("2", ServedState.AVAILABLE, True),
        ("1", ServedState.AVAILABLE, False),
    ]
    old = await engine.serving.infer(asking(ROW, version="1"))
    assert (old.version, numbers(old).tolist()) == ("1", [1.0])
    model = await engine.serving.unload("a", "1")
    assert [one.state for one in model.versions] == [ServedState.AVAILABLE, ServedState.END]
    assert (await engine.serving.infer(asking(ROW))).version == "2"


async def test_labels_and_shares_move_only_to_versions_that_answer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, retained = asyncio.Event(), engine.serving.retained
    measured = retained.measured

    def measured_now(path: str, memory: Memory, cpu: float | None) -> None:
        measured(path, memory, cpu)
        read.set()

    monkeypatch.setattr(retained, "measured", measured_now)
    await scanned(engine)
    await engine.serving.load("a")
    await promoted(engine, "a.joblib", constant(2.0))
    settings = (await engine.serving.model("a")).settings
    moved = replace(settings, labels={"stable": 1}, weights={"1": 0.25})
    with pytest.raises(UsageError, match="no requests can be moved"):
        await engine.serving.configure("a", moved)
    await engine.serving.load("a", "1")
    model = await engine.serving.configure("a", moved)
    assert [(one.labels, one.weight) for one in model.versions] == [((), 0.75), (("stable",), 0.25)]
    answers = [await engine.serving.infer(asking(ROW)) for _ in range(8)]
    assert Counter(answer.version for answer in answers) == {"2": 6, "1": 2}
    assert all(numbers(answer).tolist() == [float(answer.version)] for answer in answers)
    assert (await engine.serving.infer(asking(ROW, label="stable"))).version == "1"
    await read.wait()
    assert all(one.memory is not None for one in (await engine.serving.model("a")).versions if one.version == "1")
    with pytest.raises(NotServedError, match="no label 'fresh'"):
        await engine.serving.infer(asking(ROW, label="fresh"))
    await engine.updates.rollback("a.joblib", 1)
    assert (await engine.serving.infer(asking(ROW, label="stable"))).version == "1"
    await until(engine, lambda: not engine.serving._endpoints.retained.views())


async def test_a_worker_that_dies_costs_no_request(engine: Engine) -> None:
    await scanned(engine)
    await engine.serving.load("a")
    view = engine.models.view("a.joblib")
    assert view is not None
    assert view.pid is not None
    os.kill(view.pid, signal.SIGSTOP)
    asked = [asyncio.create_task(engine.serving.infer(asking(ROW))) for _ in range(20)]
    await asyncio.sleep(0)
    os.kill(view.pid, signal.SIGKILL)
    assert {numbers(await one).tolist()[0] for one in asked} == {1.0}
    assert [one.code for one in engine.failures.all()] == ["died"]


async def test_why_a_version_does_not_answer_is_told(engine: Engine, store: Path) -> None:
    await scanned(engine)
    (store / "a.joblib").write_bytes(b"\x80\x04cos\nsystem\nX\x02\x00\x00\x00id\x85R.")
    with pytest.raises(NotReadyError, match="joblib is"):
        await engine.serving.infer(asking(ROW))
    with pytest.raises(OperationError, match="cannot answer"):
        await engine.serving.infer(asking(ROW))
    (version,) = (await engine.serving.model("a")).versions
    assert version.state is ServedState.END
    assert "a.joblib is" in version.reason
