"""A small real store, an engine on it, and a way to wait for what happens.

All tests here run in the event loop of the zygote that engines are lent.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address
from pathlib import Path

import joblib
import numpy as np
import pytest
import pytest_asyncio
from sklearn.linear_model import LogisticRegression

from console.config import Settings
from console.engine.local import Engine
from console.records import Event
from tests.warm import Opening

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of a worker's tests."""
    for item in items:
        if item.path.parent == HERE and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def model(seed: int = 0) -> LogisticRegression:
    """A fitted classifier of three inputs."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(60, 3))
    return LogisticRegression().fit(inputs, inputs[:, seed % 3] > 0)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two models that are safe, one that needs a review, and rows to probe them with."""
    root = tmp_path / "store"
    root.mkdir()
    joblib.dump(model(), root / "a.joblib")
    with (root / "b.pkl").open("wb") as file:
        pickle.dump(model(1), file)
    with (root / "review.pkl").open("wb") as file:
        pickle.dump({"model": model(2), "origin": IPv4Address(1)}, file)
    rows = np.random.default_rng(9).normal(size=(20, 3))
    np.save(root / "rows.npy", rows)
    (root / "a.recipe.toml").write_text('[data]\nholdout = "rows.npy"\n')
    return root


@pytest_asyncio.fixture(loop_scope="session")
async def engine(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine that follows the store."""
    opened = await opening(store, Settings(reconcile_s=1.0, warm=False))
    yield opened
    await opened.close()


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Own configuration, cache and state directories."""
    for name in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path


async def until(engine: Engine, holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds, looking again after every event."""
    happened = asyncio.Event()

    def hear(_: Event) -> None:
        happened.set()

    stop = engine.bus.subscribe(hear)
    try:
        async with asyncio.timeout(seconds):
            while not holds():
                happened.clear()
                await happened.wait()
    finally:
        stop()
