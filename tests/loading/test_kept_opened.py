"""What was opened of the file that is looked at is there for its load, for these bytes only, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import joblib
import pytest
import pytest_asyncio

from console.config import Settings
from console.engine.rooms import Engine
from console.loading import kept_opened
from console.loading.kept_opened import KeptOpened
from tests.loading.conftest import model
from tests.loading.test_one_pass import ROW, memories
from tests.warm import Opening


@pytest_asyncio.fixture(loop_scope="session")
async def engine(tmp_path: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine on a store of two compressed models, which were judged once."""
    root = tmp_path / "store"
    root.mkdir()
    for number, name in enumerate(("a.joblib", "b.joblib")):
        joblib.dump(model(number), root / name, compress=("zlib", 3))
    opened = await opening(root, Settings(warm=False), watch=False)
    await opened.artifacts.scan()
    yield opened
    await opened.close()


async def look_at(engine: Engine, path: str) -> None:
    """Stand on it until it is prepared."""
    engine.artifacts.stand_on(path)
    await asyncio.gather(*engine.artifacts._preparing._tasks)


async def phases(engine: Engine, path: str) -> dict[str, float]:
    """Of a load."""
    view = await engine.models.load(path)
    return dict(view.phases)


async def test_the_load_of_what_is_looked_at_opens_nothing_and_leaves_nothing(engine: Engine) -> None:
    before = memories()
    await look_at(engine, "a.joblib")
    assert len(memories()) == len(before) + 1
    assert "read.decompress" not in await phases(engine, "a.joblib")
    assert (await engine.questions.predict("a.joblib", rows=ROW)).outputs["predict"] == model().predict(ROW).tolist()
    assert memories() == before
    await engine.models.unload("a.joblib")
    assert "read.decompress" in await phases(engine, "a.joblib")


async def test_another_file_is_not_given_it(engine: Engine) -> None:
    await engine.models.load("b.joblib")
    await engine.models.unload("b.joblib")
    await look_at(engine, "a.joblib")
    assert "read.decompress" in await phases(engine, "b.joblib")
    assert (await engine.questions.predict("b.joblib", rows=ROW)).outputs["predict"] == model(1).predict(ROW).tolist()
    joblib.dump(model(2), engine.root / "a.joblib", compress=("zlib", 3))
    await engine.models.load("a.joblib")
    assert (await engine.questions.predict("a.joblib", rows=ROW)).outputs["predict"] == model(2).predict(ROW).tolist()


async def test_who_moves_on_leaves_nothing(engine: Engine) -> None:
    before = memories()
    await look_at(engine, "a.joblib")
    engine.artifacts.stand_on("absent")
    assert memories() == before


async def test_it_is_given_back_after_a_while(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = memories()
    monkeypatch.setattr(kept_opened, "HELD_S", 0.0)
    await look_at(engine, "a.joblib")
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, over.set)
    await over.wait()
    assert memories() == before
    assert "read.decompress" in await phases(engine, "a.joblib")


async def test_what_opens_to_much_is_not_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = memories()
    monkeypatch.setattr(kept_opened, "LIMIT", 100)
    await look_at(engine, "a.joblib")
    assert memories() == before


@pytest.mark.parametrize("change", [{"encrypted": True}, {"sealed": False}, {"digest": None}])
async def test_what_its_digest_does_not_vouch_for_is_not_kept(engine: Engine, change: dict[str, object]) -> None:
    before = memories()
    judged = await engine._facts.seal("a.joblib", to_load=True)
    assert judged.bytes.opened >= 0
    kept = KeptOpened()
    kept.put(replace(judged.bytes, **change))  # type: ignore[arg-type]
    judged.bytes.close()
    assert memories() == before


async def test_the_end_of_the_console_leaves_nothing(engine: Engine) -> None:
    before = memories()
    await look_at(engine, "a.joblib")
    await engine.artifacts._preparing.close()
    assert memories() == before
