"""One engine for all updates of a module, in the loop of the zygote that serves it; each test has its own artifacts."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas
import pytest
import pytest_asyncio

from console.engine.local import Engine
from tests.warm import Opening

RANDOM = np.random.RandomState(3)
X = RANDOM.rand(300, 3)
NAMES = ["a", "b", "c"]
Y = (X[:, 0] + X[:, 1] > 1.0).astype(int)

Place = Callable[..., str]


def frame(start: int = 0, stop: int = 300, y: Any = Y) -> pandas.DataFrame:
    """Rows with their target in column y."""
    return pandas.DataFrame(X, columns=NAMES).assign(y=y)[start:stop]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory, opening: Opening) -> AsyncIterator[Engine]:
    """An engine on an empty store with rows to train on and to measure on."""
    home = tmp_path_factory.mktemp("update")
    root = home / "store"
    root.mkdir()
    frame(0, 200).to_csv(root / "train.csv", index=False)
    frame(200, 300).to_csv(root / "hold.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "CACHE", "STATE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
        opened = await opening(root, watch=False)
        yield opened
        await opened.close()


@pytest.fixture
def place(engine: Engine) -> Place:
    """Writes an artifact and its recipe into the store and says its path."""

    def write(name: str, model: Any, recipe: str = "", **options: Any) -> str:
        path: Path = engine.root / name
        if path.suffix == ".pkl":
            path.write_bytes(pickle.dumps(model))
        else:
            joblib.dump(model, path, **options)
        data = recipe or '[data]\ntrain = "train.csv"\nholdout = "hold.csv"\ntarget = "y"\n'
        path.with_suffix(".recipe.toml").write_text(data)
        return name

    return write
