"""A twin through the engine: made, kept, used at the next load and by every copy, dropped, bound to the content."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import NearestCentroid

from console.config import Settings
from console.engine.rooms import Engine
from console.errors import Failed, Usage
from tests.update.conftest import NAMES, Place, Y, frame

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytestmark = pytest.mark.asyncio(loop_scope="session")


def forest(seed: int = 0) -> RandomForestClassifier:
    return RandomForestClassifier(6, random_state=seed).fit(frame()[NAMES], Y)


async def with_twin(engine: Engine, path: str) -> None:
    await engine.twins.compare(path)
    await engine.twins.keep(path)


def notes(engine: Engine, path: str) -> str:
    view = engine.models.view(path)
    assert view is not None
    return "\n".join(view.notes)


def twin_files(engine: Engine) -> list[Path]:
    directory = engine.root / ".model-console" / "twins"
    return sorted(directory.iterdir()) if directory.exists() else []


@pytest.mark.slow
async def test_a_kept_twin_answers_from_the_next_load_on_in_every_copy(engine: Engine, place: Place) -> None:
    path = place("one.joblib", forest())
    phases: list[str] = []
    found = await engine.twins.compare(path, on_phase=phases.append)
    assert (found.differing, found.dtype) == (0, "float32")
    assert found.rows > 5_000
    assert phases[0] == "loading"
    assert phases[-1] == "timing"
    assert twin_files(engine) == []
    await engine.twins.keep(path)
    await engine.models.load(path)
    assert "its ONNX twin (float32) answers calls of 1 to" in notes(engine, path)
    await engine.models.set_copies(path, 2)
    for _ in range(4):
        outcomes = await asyncio.gather(
            *(engine.questions.predict(path, start=start, stop=start + 20) for start in range(0, 100, 20))
        )
        answers = [label for outcome in outcomes for label in outcome.outputs["predict"]]  # type: ignore[union-attr]
        assert answers == forest().predict(frame(200, 300)[NAMES]).tolist()
    assert notes(engine, path).count("twin") == 1
    await engine.models.unload(path)
    done = [entry for entry in engine.book.entries() if entry.action == "accelerate"]
    assert done[-1].artifact == path
    assert done[-1].result.startswith("twin sha256:")
    assert await engine.twins.drop(path)
    assert not await engine.twins.drop(path)
    assert twin_files(engine) == []
    await engine.models.load(path)
    assert "twin" not in notes(engine, path)
    await engine.models.unload(path)


async def test_another_content_has_no_twin_and_a_forged_one_is_told(engine: Engine, place: Place) -> None:
    path = place("two.joblib", forest())
    await with_twin(engine, path)
    place("two.joblib", forest(1))
    await engine.models.load(path)
    assert "twin" not in notes(engine, path)
    await engine.models.unload(path)
    place("two.joblib", forest())
    _data, record = twin_files(engine)[0].with_suffix(".onnx"), twin_files(engine)[0].with_suffix(".json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "routes": {"predict": [[1, 9]]}}))
    await engine.models.load(path)
    assert "its ONNX twin is not used: this user's console did not make it" in notes(engine, path)
    await engine.models.unload(path)
    assert await engine.twins.drop(path)


async def test_a_model_without_a_twin_says_why_and_nothing_waits(engine: Engine, place: Place) -> None:
    path = place("three.joblib", NearestCentroid().fit(frame()[NAMES], Y))
    with pytest.raises(Failed, match="cannot be accelerated: no ONNX twin answers like this model: float64: skl2onnx"):
        await engine.twins.compare(path)
    with pytest.raises(Failed, match=r"no twin of three\.joblib waits"):
        await engine.twins.keep(path)


async def test_without_rows_the_way_to_name_them_is_told(engine: Engine, place: Place) -> None:
    path = place("four.joblib", forest(), "[gate]\n")
    with pytest.raises(Usage, match="no rows to compare") as raised:
        await engine.twins.compare(path)
    assert "--data" in (raised.value.hint or "")


async def test_leaving_ends_the_worker_that_makes_it(engine: Engine, place: Place) -> None:
    path = place("five.joblib", forest())
    comparing = asyncio.Event()
    making = asyncio.create_task(
        engine.twins.compare(path, on_phase=lambda phase: comparing.set() if phase.startswith("comparing") else None)
    )
    await asyncio.wait_for(comparing.wait(), 60)
    open_before = len(os.listdir("/proc/self/fd"))
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert len(os.listdir("/proc/self/fd")) < open_before
    assert twin_files(engine) == []


@pytest.mark.slow
async def test_the_twin_of_a_large_file_is_given_once_its_digest_is_known(engine: Engine, place: Place) -> None:
    path = place("six.joblib", forest())
    await with_twin(engine, path)
    other = await Engine.open(engine.root, Settings(seal_mb=0), watch=False, records=False)
    try:
        view = await other.models.load(path)
        assert view.digest is None or "twin" in notes(other, path)
        given = asyncio.Event()
        other.bus.subscribe(lambda event: given.set() if "its ONNX twin" in event.text else None)
        if "its ONNX twin" not in notes(other, path):
            await asyncio.wait_for(given.wait(), 60)
        assert "its ONNX twin (float32) answers" in notes(other, path)
    finally:
        await other.close()


@pytest.mark.slow
async def test_an_update_times_the_copy_that_answers_and_not_the_model_behind_it(engine: Engine, place: Place) -> None:
    recipe = '[data]\ntrain = "train.csv"\nholdout = "hold.csv"\ntarget = "y"\n[gate]\nmax_latency_ratio = 1.5\n'
    path = place("timed.joblib", forest(), recipe)
    await with_twin(engine, path)
    found = await engine.updates.run(engine.updates.plan(path))
    assert found.current is not None
    assert (found.current.compiled, found.candidate.compiled) == (True, False)
    assert "ms now by its compiled copy, " in found.gate[0].detail
    assert found.gate[0].passed is False
    assert found.current.latency is not None
    assert found.current.latency.count == 60
    await engine.twins.drop(path)
    found = await engine.updates.run(engine.updates.plan(path))
    assert found.current is not None
    assert not found.current.compiled
    assert "compiled" not in found.gate[0].detail
