"""Conversion between the formats through the engine: same answers to the last bit, or no file."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from console.errors import InputError
from tests.warm import Opening

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def forest(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(80, 4))
    model = RandomForestClassifier(n_estimators=7, random_state=0, n_jobs=2).fit(inputs, inputs[:, 0] > 0)
    joblib.dump(model, tmp_path / "forest.joblib")
    return tmp_path


@pytest.mark.parametrize("to", ["pickle", "joblib", "hdf5"])
async def test_a_converted_file_answers_alike_and_keeps_the_parameters(forest: Path, to: str, opening: Opening) -> None:
    engine = await opening(forest, watch=False, records=False)
    try:
        told = await engine.updates.convert("forest.joblib", to, forest / f"new.{to}")
        report = await engine.artifacts.report(f"new.{to}", digest=True)
    finally:
        await engine.close()
    assert told["compared"] == ["predict", "predict_proba"]
    assert told["digest"] == report.artifact.digest
    assert report.inspection is not None
    assert report.inspection.parameters["n_jobs"] == 2
    assert told["verdict"] == "safe"


async def test_a_file_that_is_there_is_never_overwritten(forest: Path, opening: Opening) -> None:
    out = forest / "mine.pkl"
    out.write_bytes(b"mine")
    engine = await opening(forest, watch=False, records=False)
    try:
        with pytest.raises(InputError, match="is there already"):
            await engine.updates.convert("forest.joblib", "pickle", out)
    finally:
        await engine.close()
    assert out.read_bytes() == b"mine"


async def test_a_format_that_cannot_hold_the_model_leaves_nothing(forest: Path, opening: Opening) -> None:
    engine = await opening(forest, watch=False, records=False)
    try:
        with pytest.raises(InputError):
            await engine.updates.convert("forest.joblib", "hdf5-weights", forest / "new.h5")
    finally:
        await engine.close()
    assert not (forest / "new.h5").exists()
