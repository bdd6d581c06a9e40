# ruff: noqa: ASYNC240 (what is watched are real files, changed right here)
"""An engine whose store is given by way of a link, which comes to lead elsewhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import joblib
import pytest
import pytest_asyncio

from console.config import Settings
from console.engine.local import Engine
from console.errors import AccessDeniedError, ConsoleError
from tests.engine.conftest import model, until
from tests.store.test_links import turn
from tests.warm import Opening


@pytest_asyncio.fixture(loop_scope="session")
async def moving(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """A store given as `current`; `v2` has another `a.joblib`, no `b.pkl`, and a `c.joblib`."""
    (isolated / "v2").mkdir()
    joblib.dump(model(5), isolated / "v2" / "a.joblib")
    joblib.dump(model(6), isolated / "v2" / "c.joblib")
    (isolated / "current").symlink_to("store")
    opened = await opening(isolated / "current", Settings(reconcile_s=60.0, warm=False))
    await until(opened, lambda: not opened.artifacts.scanning and len(opened.artifacts.rows()) == 3)
    yield opened
    await opened.close()


def paths(engine: Engine) -> list[str]:
    return [row.path for row in engine.artifacts.rows()]


async def test_what_is_loaded_stays_and_is_held_against_the_new_place(moving: Engine, isolated: Path) -> None:
    await moving.models.load("a.joblib")
    await moving.models.load("b.pkl")
    pids = {path: view.pid for path, view in moving.models.views().items()}
    turn(isolated / "current", "v2")
    await until(moving, lambda: paths(moving) == ["a.joblib", "c.joblib"])
    await until(moving, lambda: (row := moving.artifacts.row("a.joblib")) is not None and row.changed)
    assert moving.root == isolated / "v2"
    told = {(event.kind.value, event.subject): event.text for event in moving.bus.recent()}
    assert told["store.moved", ""].endswith(f"leads to {isolated / 'v2'} now, no longer to {isolated / 'store'}")
    assert "while it is loaded" in told["artifact.changed", "a.joblib"]
    assert "while it is loaded" in told["artifact.removed", "b.pkl"]
    assert {path: view.pid for path, view in moving.models.views().items()} == pids
    await moving.inference.predict("b.pkl", rows=[[0.0, 0.0, 1.0]])


@pytest.mark.slow
async def test_records_go_to_the_place_they_belong_to(moving: Engine, isolated: Path) -> None:
    await moving.models.load("b.pkl")
    turn(isolated / "current", "v2")
    await until(moving, lambda: paths(moving) == ["a.joblib", "c.joblib"])
    await moving.models.load("c.joblib")
    assert "c.joblib" in [entry.artifact for entry in moving.book.entries()]
    assert "b.pkl" not in [entry.artifact for entry in moving.book.entries()]
    assert moving.book.verify().ok
    assert '"c.joblib"' not in (isolated / "store/.model-console/audit.jsonl").read_text()
    assert (await moving.doctor.examine())["store"]["path"] == str(isolated / "v2")  # type: ignore[index,call-overload]


@pytest.mark.slow
async def test_the_new_place_is_judged_by_its_own_policy(moving: Engine, isolated: Path) -> None:
    own = isolated / "v2" / ".model-console"
    own.mkdir()
    (own / "policy.toml").write_text("[require]\npin = true\n")
    turn(isolated / "current", "v2")
    await until(moving, lambda: paths(moving) == ["a.joblib", "c.joblib"])
    with pytest.raises(AccessDeniedError, match="is not pinned"):
        await moving.models.load("c.joblib")


@pytest.mark.slow
async def test_nothing_is_loaded_under_a_policy_that_cannot_be_read(moving: Engine, isolated: Path) -> None:
    own = isolated / "v2" / ".model-console"
    own.mkdir()
    (own / "policy.toml").write_text("[require\n")
    turn(isolated / "current", "v2")
    await until(moving, lambda: paths(moving) == ["a.joblib", "c.joblib"])
    with pytest.raises(ConsoleError, match=r"policy\.toml"):
        await moving.models.load("c.joblib")


@pytest.mark.slow
async def test_a_second_start_knows_both_places(moving: Engine, isolated: Path, opening: Opening) -> None:
    async def surveyed(engine: Engine) -> None:
        await until(engine, lambda: all(row.verdict for row in engine.artifacts.rows()))

    await surveyed(moving)
    turn(isolated / "current", "v2")
    await until(moving, lambda: paths(moving) == ["a.joblib", "c.joblib"])
    await surveyed(moving)
    await moving.close()
    for target, known in (("v2", ["a.joblib", "c.joblib"]), ("store", ["a.joblib", "b.pkl", "review.pkl"])):
        turn(isolated / "current", target)
        again = await opening(isolated / "current", Settings(warm=False), begin=False)
        assert paths(again) == known
        assert all(row.verdict for row in again.artifacts.rows())
        assert again.root == Path(os.path.realpath(isolated / target))
        await again.close()
