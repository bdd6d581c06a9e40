"""Models that are loaded for as long as somebody holds them, and then only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from console.engine.local import Engine
from console.errors import ConflictError, InputError
from console.records import WorkerState, WorkerView

A = "a.joblib"


def holding(engine: Engine, at: str = "") -> AsyncGenerator[WorkerView]:
    return cast("AsyncGenerator[WorkerView]", engine.models.hold(A, at=at))


async def test_what_nobody_had_loaded_goes_with_its_last_holder(engine: Engine) -> None:
    one, other = holding(engine), holding(engine)
    first, second = await asyncio.gather(anext(one), anext(other))
    assert first.state is second.state is WorkerState.READY
    assert first.pid == second.pid
    await one.aclose()
    assert (await anext_of(engine)).pid == first.pid
    await other.aclose()
    assert engine.models.view(A) is None
    again = holding(engine)
    assert (await anext(again)).pid != first.pid
    await again.aclose()


async def anext_of(engine: Engine) -> WorkerView:
    view = await engine.models.worker(A)
    assert view is not None
    return view


async def test_what_somebody_had_loaded_stays(engine: Engine) -> None:
    loaded = await engine.models.load(A)
    held = holding(engine)
    assert (await anext(held)).pid == loaded.pid
    await held.aclose()
    assert (await anext_of(engine)).pid == loaded.pid
    with pytest.raises(ConflictError, match="is loaded already, at its only model"):
        await anext(holding(engine, "['other']"))


async def test_what_is_asked_for_meanwhile_stays(engine: Engine) -> None:
    held = holding(engine)
    view = await anext(held)
    await engine.models.load(A)
    await held.aclose()
    assert (await anext_of(engine)).pid == view.pid


async def test_what_cannot_be_loaded_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(InputError):
        await anext(engine.models.hold("nothing.joblib"))
    assert engine.models.views() == {}


async def test_one_after_the_other_waits_for_the_end_of_the_one_before(engine: Engine) -> None:
    held = holding(engine)
    await anext(held)
    ending = asyncio.ensure_future(held.aclose())
    await asyncio.sleep(0)
    following = holding(engine)
    assert (await anext(following)).state is WorkerState.READY
    await ending
    await following.aclose()
