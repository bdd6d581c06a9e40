"""Directories of other tools in service: the model inside answers, by the name of its directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.core import registry
from console.engine.local import Engine
from console.errors import NotReadyError
from console.records import InferAnswer, Verdict
from tests.engine.conftest import model
from tests.engine.serving import asking, scanned
from tests.mlflow_files import files, mlmodel, write, zipped
from tests.serving_files import bento, mar

ROWS = np.random.default_rng(3).normal(size=(5, 3))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    write(root / "churn", files(model(), mlmodel(signature="")))
    return root


def labels(answer: InferAnswer) -> Any:
    """The labels of an answer, which are true or false."""
    return np.frombuffer(answer.body, "?")


async def test_an_mlflow_model_is_loaded_and_answers_as_the_model_inside(engine: Engine) -> None:
    await scanned(engine)
    report = await engine.artifacts.report("churn")
    assert (report.artifact.format, report.judgement.verdict) == ("mlflow", Verdict.SAFE)
    assert np.array_equal(
        labels(await engine.serving.infer(asking(ROWS, "churn", deadline_ms=600_000))), model().predict(ROWS)
    )
    assert {one.name for one in await engine.serving.models()} == {"churn"}


async def test_a_directory_that_is_none_any_more_is_refused(engine: Engine, store: Path) -> None:
    await scanned(engine)
    (store / "churn" / "MLmodel").unlink()
    with pytest.raises(NotReadyError, match="no artifact"):
        await engine.serving.infer(asking(ROWS, "churn"))


@pytest.mark.slow
async def test_what_runs_of_other_layouts_answers_too(engine: Engine, store: Path) -> None:
    pytest.importorskip("skops")
    made = model()
    write(store / "bento" / "v1", bento(made))
    (store / "plain.mar").write_bytes(zipped(mar(made, "image_classifier")))
    with (store / "tree.skops").open("wb") as file:
        registry.save(made, "skops", file.fileno())
    for path in ("bento/v1", "plain.mar", "tree.skops"):
        assert (await engine.artifacts.inspect(path)).judgement.verdict is Verdict.SAFE
        answer = await engine.serving.infer(asking(ROWS, path, deadline_ms=600_000))
        assert np.array_equal(labels(answer), made.predict(ROWS)), path
