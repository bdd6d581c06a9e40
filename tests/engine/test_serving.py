"""Models in service: names, requests in every form, versions, and what they are refused for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from console.engine.local import Engine
from console.errors import DeadlineError, NotReadyError, NotServedError
from console.records import InferRequest, ServedState
from console.serving.endpoint import Endpoint
from tests.engine.serving import PATIENT, asking, scanned

ROWS = np.random.default_rng(3).normal(size=(5, 3))


@pytest.fixture
def store(store: Path) -> Path:
    """The usual one, where nothing is late."""
    with (store / "a.recipe.toml").open("a") as file:
        file.write(PATIENT)
    return store


async def test_a_model_is_loaded_by_its_first_request_and_answers_by_name_and_path(engine: Engine) -> None:
    await scanned(engine)
    model = await engine.serving.model("a")
    assert (model.path, model.ready, model.loaded) == ("a.joblib", True, False)
    assert (model.versions[0].state, model.reason) == (ServedState.START, model.versions[0].reason)
    together = [engine.serving.infer(asking(ROWS, name)) for name in ("a", "a.joblib", "a")]
    answers = await asyncio.gather(*together)
    view = engine.models.view("a.joblib")
    assert view is not None
    assert len(view.pids) == 1
    assert {(one.model, one.version, one.rows) for one in answers} == {("a", "1", 5)}
    assert len({one.body for one in answers}) == 1
    assert answers[0].classes == (False, True)
    rows = tuple(ROWS.tolist())
    assert (await engine.serving.infer(InferRequest("a", rows=rows))).body == answers[0].body
    with pytest.raises(NotServedError):
        await engine.serving.infer(asking(ROWS, "nobody"))
    assert not (await engine.serving.unload("a")).ready
    with pytest.raises(NotReadyError, match="unloaded"):
        await engine.serving.infer(asking(ROWS))
    assert (await engine.serving.load("a")).ready
    assert {one.name for one in await engine.serving.models() if one.loaded} == {"a"}


async def test_a_request_that_can_only_look_again_lets_others_on_and_ends_at_its_deadline(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found_already(*_: object) -> str:
        return "1"

    await scanned(engine)
    await engine.serving.load("a")
    monkeypatch.setattr(Endpoint, "number", lambda *_: None)
    monkeypatch.setattr(Endpoint, "find_number", found_already)
    with pytest.raises(DeadlineError):
        await engine.serving.infer(replace(asking(ROWS), deadline_ms=50))
