"""A store whose policy demands signatures: what is signed is loaded, what an update put in place waits for its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from console.config import config_dir
from console.engine.local import Engine
from console.errors import AccessDeniedError
from console.records import Event
from console.trust.signing import generate
from tests.warm import Opening


@pytest.fixture
def key(tmp_path: Path, isolated: Path) -> Path:
    """A signing key, which the user's policy trusts and demands."""
    path = tmp_path / "key.pem"
    line = generate(path)
    config_dir().mkdir(parents=True)
    (config_dir() / "policy.toml").write_text(f'[require]\nsignature = true\n[signing]\nkeys = ["{line}"]\n')
    return path


@pytest_asyncio.fixture(loop_scope="session")
async def engine(store: Path, key: Path, opening: Opening) -> AsyncIterator[Engine]:
    lines = ["p,q,r,y", *(f"{n / 40 - 1},{n % 7},{n % 3},{int(n > 40)}" for n in range(80))]
    (store / "train.csv").write_text("\n".join(lines))
    (store / "a.recipe.toml").write_text('[data]\ntrain = "train.csv"\ntarget = "y"\n')
    opened = await opening(store, watch=False)
    yield opened
    await opened.close()


async def test_only_what_is_signed_as_it_is_now_is_loaded(engine: Engine, store: Path, key: Path) -> None:
    with pytest.raises(AccessDeniedError, match="demands a signature"):
        await engine.models.load("a.joblib")
    with pytest.raises(AccessDeniedError, match="demands a signature"):
        await engine.updates.run(await engine.updates.plan("a.joblib"))
    await engine.signing.sign("a.joblib", key)
    await engine.models.load("a.joblib")
    await engine.models.unload("a.joblib")
    os.replace(store / "b.pkl", store / "a.joblib")
    with pytest.raises(AccessDeniedError, match="demands a signature"):
        await engine.models.load("a.joblib")


async def test_a_promoted_content_waits_for_its_signature_and_the_old_one_answers(engine: Engine, key: Path) -> None:
    told: list[Event] = []
    engine.bus.subscribe(told.append)
    await engine.signing.sign("a.joblib", key)
    before = await engine.models.load("a.joblib")
    await engine.updates.run(await engine.updates.plan("a.joblib"))
    version = await engine.updates.promote("a.joblib", "newer")
    unsigned = [event for event in told if event.kind == "update.unsigned"]
    assert len(unsigned) == 1
    assert "sign it before it can be loaded again" in unsigned[0].text
    view = engine.models.view("a.joblib")
    assert view is not None
    assert view.digest == before.digest
    assert (await engine.inference.predict("a.joblib", rows=[[5.0, 0.0, 0.0]])).rows == 1
    with pytest.raises(AccessDeniedError, match="demands a signature"):
        await engine.models.reload("a.joblib")
    await engine.signing.sign("a.joblib", key)
    assert (await engine.models.reload("a.joblib")).digest == version.digest
    back = await engine.updates.rollback("a.joblib")
    view = engine.models.view("a.joblib")
    assert view is not None
    assert view.digest == back.digest == before.digest
    assert len([event for event in told if event.kind == "update.unsigned"]) == 1
