"""Models in service: names, requests in every form, versions, and what they are refused for."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from console.engine.local import Engine
from console.errors import NotReadyError, NotServedError
from console.records import InferRequest, ServedState
from tests.engine.conftest import until
from tests.engine.serving import asking

ROWS = np.random.default_rng(3).normal(size=(5, 3))


async def scanned(engine: Engine) -> None:
    await until(engine, lambda: not engine.artifacts.scanning)


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
