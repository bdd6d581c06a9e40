"""Requests in every form to models in service, and what those that cannot be answered are told."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import pytest_asyncio
from sklearn.linear_model import LogisticRegression

from console.config import Settings
from console.engine.local import Engine
from console.errors import DeadlineError, InputError, NotReadyError, NotServedError, OverloadedError
from console.records import InferAnswer, InferRequest, Tensor
from tests.engine.conftest import model, until
from tests.engine.serving import PATIENT, Told, asking, scanned
from tests.warm import Opening

ROWS = np.random.default_rng(3).normal(size=(6, 3))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A classifier of texts by named columns, two files of one name, and one with a name of its own."""
    root = tmp_path / "store"
    root.mkdir()
    frame = pd.DataFrame(ROWS, columns=["u", "v", "w"])
    joblib.dump(LogisticRegression().fit(frame, np.where(ROWS[:, 0] > 0, "yes", "no")), root / "text.joblib")
    joblib.dump(model(), root / "two.joblib")
    joblib.dump(model(), root / "two.pkl")
    joblib.dump(model(), root / "own.joblib")
    for name in ("text", "two"):
        (root / f"{name}.recipe.toml").write_text(PATIENT)
    (root / "own.recipe.toml").write_text('[serve]\nname = "mine/own"\nload = "never"\ndeadline_ms = 600_000\n')
    return root


@pytest.fixture
def told() -> Told:
    """How requests went."""
    return Told()


@pytest_asyncio.fixture(loop_scope="session")
async def engine(store: Path, isolated: Path, opening: Opening, told: Told) -> AsyncIterator[Engine]:
    """An engine that keeps how requests went."""
    opened = await opening(store, Settings(reconcile_s=1.0, warm=False))
    opened.serving._answering._on_request = told.record
    await scanned(opened)
    yield opened
    await opened.close()


async def test_texts_are_answered_and_share_calls_as_numbers_do(engine: Engine, told: Told) -> None:
    await engine.serving.load("text")
    view = engine.models.view("text.joblib")
    assert view is not None
    assert view.pid is not None
    await engine.serving.infer(asking(ROWS[:1], "text"))
    os.kill(view.pid, signal.SIGSTOP)
    asked = [asyncio.create_task(engine.serving.infer(asking(row.reshape(1, 3), "text"))) for row in ROWS]
    while view.pid and engine._fleet.slot("text.joblib").asking < len(ROWS):  # noqa: ASYNC110
        await asyncio.sleep(0)
    os.kill(view.pid, signal.SIGCONT)
    answers = await asyncio.gather(*asked)
    assert [one.values for one in answers] == [{"predict": ["yes" if row[0] > 0 else "no"]} for row in ROWS]
    assert max(one.batch for one in answers) > 1
    assert [one.error for one in told.outcomes] == [""] * 7


async def test_columns_come_by_name_as_tensors_or_rows_and_what_differs_is_told(engine: Engine) -> None:
    columns = np.ascontiguousarray(ROWS.T)
    tensors = tuple(Tensor(name, "FP64", (6,)) for name in "wuv")
    body = columns[[2, 0, 1]].tobytes()
    expected = {"predict": ["yes" if row[0] > 0 else "no" for row in ROWS]}
    by_tensors = await engine.serving.infer(InferRequest("text", tensors=tensors, body=body))
    rows = tuple(ROWS[:, [1, 0, 2]].tolist())
    by_rows = await engine.serving.infer(InferRequest("text", rows=rows, columns=("v", "u", "w")))
    assert by_tensors.values == by_rows.values == expected
    with pytest.raises(InputError, match="missing 'v', surplus 'x'") as raised:
        await engine.serving.infer(InferRequest("text", rows=rows, columns=("x", "u", "w")))
    assert raised.value.failure is not None
    assert [(one.column, one.problem) for one in raised.value.failure.differences] == [
        ("v", "missing"),
        ("x", "surplus"),
    ]
    with pytest.raises(InputError, match="2 columns; expected 3"):
        await engine.serving.infer(asking(ROWS[:, :2], "text"))
    with pytest.raises(InputError, match="bytes"):
        await engine.serving.infer(replace(asking(ROWS, "text"), body=b"short"))
    assert not engine.failures.all()


async def test_names_lead_to_one_model_or_say_why_not(engine: Engine) -> None:
    models = {one.name: one for one in await engine.serving.models()}
    assert sorted(models) == ["mine/own", "text", "two.joblib", "two.pkl"]
    assert "two is also what two.pkl is called" in models["two.joblib"].reason
    with pytest.raises(NotServedError, match="2 models are called two"):
        await engine.serving.infer(asking(ROWS, "two"))
    assert (await engine.serving.infer(asking(ROWS, "two.pkl"))).rows == 6
    with pytest.raises(NotReadyError, match="its recipe says never to"):
        await engine.serving.infer(asking(ROWS, "mine/own"))
    await engine.serving.load("mine/own")
    assert (await engine.serving.infer(asking(ROWS, "mine/own"))).model == "mine/own"


async def test_what_is_late_or_behind_too_many_is_refused_and_costs_no_worker(engine: Engine, told: Told) -> None:
    settings = (await engine.serving.load("text")).settings
    await engine.serving.configure("text", replace(settings, queue=4))
    view = engine.models.view("text.joblib")
    assert view is not None
    assert view.pid is not None
    os.kill(view.pid, signal.SIGSTOP)
    with pytest.raises(DeadlineError):
        await asked_for(engine, ROWS, deadline_ms=1.0, id="late", trace="00-1")
    asked = [asyncio.create_task(asked_for(engine, ROWS, id=str(number))) for number in range(4)]
    gone = asyncio.create_task(asked_for(engine, ROWS, id="gone"))
    await until_pending(engine, 5)
    with pytest.raises(OverloadedError) as refused:
        await asked_for(engine, ROWS)
    assert refused.value.retry_s > 0
    gone.cancel()
    os.kill(view.pid, signal.SIGCONT)
    assert {answer.rows for answer in await asyncio.gather(*asked)} == {6}
    again = engine.models.view("text.joblib")
    assert again is not None
    assert (again.pid, again.restarts) == (view.pid, 0)
    errors = {one.id: one.error for one in told.outcomes if one.error}
    assert errors == {"late": "deadline", "": "overloaded", "gone": "cancelled"}
    assert next(one.trace for one in told.outcomes if one.id == "late") == "00-1"


async def test_work_that_takes_longer_than_the_model_may_is_ended_in_the_worker(engine: Engine) -> None:
    settings = (await engine.serving.load("text")).settings
    await engine.serving.configure("text", replace(settings, deadline_ms=500.0))
    view = engine.models.view("text.joblib")
    assert view is not None
    assert view.pid is not None
    os.kill(view.pid, signal.SIGSTOP)
    with pytest.raises(DeadlineError):
        await asked_for(engine, ROWS)
    await until(engine, lambda: any(one.code == "hang" for one in engine.failures.all()))


async def asked_for(engine: Engine, rows: object, **more: object) -> InferAnswer:
    return await engine.serving.infer(asking(rows, "text", **more))


async def until_pending(engine: Engine, count: int) -> None:
    endpoint = engine.serving._endpoints.known("text.joblib")
    assert endpoint is not None
    while endpoint.pending < count:  # noqa: ASYNC110
        await asyncio.sleep(0)
