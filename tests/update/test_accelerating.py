"""An export through the engine: made, compared, written as an artifact of its own, loaded and asked like any other."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import NearestCentroid

from console.engine.local import Engine
from console.errors import ConflictError, OperationError, UsageError
from console.records import Verdict
from tests.update.conftest import NAMES, Place, Y, frame

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytestmark = pytest.mark.asyncio(loop_scope="session")


def forest(seed: int = 0) -> RandomForestClassifier:
    return RandomForestClassifier(6, random_state=seed).fit(frame()[NAMES], Y)


def exports(engine: Engine) -> list[Path]:
    return sorted(engine.root.glob("*.onnx"))


@pytest.mark.slow
async def test_an_export_is_an_artifact_like_any_other(engine: Engine, place: Place) -> None:
    path = place("one.joblib", forest())
    phases: list[str] = []
    found = await engine.acceleration.export(path, on_phase=phases.append)
    assert (found.differing, found.dtype, found.path, found.replaces) == (0, "float32", "one.onnx", None)
    assert found.rows > 5_000
    assert (phases[0], phases[-1]) == ("loading", "timing")
    assert exports(engine) == []
    version = await engine.acceleration.write(path)
    assert (version.version, version.current) == (1, True)
    report = await engine.artifacts.report("one.onnx", digest=True)
    assert report.judgement.verdict is Verdict.SAFE
    assert report.inspection is not None
    metadata = report.inspection.details["metadata"]
    assert isinstance(metadata, dict)
    model = await engine.artifacts.report(path, digest=True)
    assert metadata["model_console.origin"] == model.artifact.digest
    assert metadata["model_console.origin_path"] == path
    view = await engine.models.load("one.onnx")
    assert view.methods == ("predict", "predict_proba")
    outcome = await engine.inference.predict("one.onnx", methods=("predict",))
    assert outcome.outputs == {"predict": forest().predict(frame(200, 300)[NAMES]).tolist()}
    await engine.models.unload("one.onnx")
    done = [entry for entry in engine.book.entries() if entry.action in ("accelerate", "promote")]
    assert (done[-1].artifact, done[-1].result) == ("one.onnx", "done")
    (engine.root / "one.onnx").unlink()


@pytest.mark.slow
async def test_what_is_there_is_kept_as_a_version_and_never_lost(engine: Engine, place: Place) -> None:
    path = place("two.joblib", forest())
    there = engine.root / "two.onnx"
    there.write_bytes(b"something of somebody's")
    found = await engine.acceleration.export(path)
    assert found.replaces is not None
    there.write_bytes(b"changed meanwhile")
    with pytest.raises(ConflictError):
        await engine.acceleration.write(path)
    assert there.read_bytes() == b"changed meanwhile"
    await engine.acceleration.export(path)
    version = await engine.acceleration.write(path)
    assert version.version == 2
    assert [one.version for one in await engine.updates.history("two.onnx")] == [2, 1]
    await engine.acceleration.export(path)
    with pytest.raises(OperationError, match="exactly this content already"):
        await engine.acceleration.write(path)
    there.unlink()


async def test_a_model_without_an_export_says_why_and_nothing_waits(engine: Engine, place: Place) -> None:
    path = place("three.joblib", NearestCentroid().fit(frame()[NAMES], Y))
    why = "cannot be accelerated: no ONNX export answers like this model: float64: skl2onnx"
    with pytest.raises(OperationError, match=why):
        await engine.acceleration.export(path)
    with pytest.raises(OperationError, match=r"no export of three\.joblib waits"):
        await engine.acceleration.write(path)


async def test_without_rows_the_way_to_name_them_is_told(engine: Engine, place: Place) -> None:
    path = place("four.joblib", forest(), "[gate]\n")
    with pytest.raises(UsageError, match="no rows to compare") as raised:
        await engine.acceleration.export(path)
    assert "--data" in (raised.value.hint or "")


async def test_leaving_ends_the_worker_that_makes_it(engine: Engine, place: Place) -> None:
    path = place("five.joblib", forest())
    comparing = asyncio.Event()
    making = asyncio.create_task(
        engine.acceleration.export(
            path, on_phase=lambda phase: comparing.set() if phase.startswith("comparing") else None
        )
    )
    await asyncio.wait_for(comparing.wait(), 60)
    open_before = len(os.listdir("/proc/self/fd"))
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert len(os.listdir("/proc/self/fd")) < open_before
    assert exports(engine) == []
