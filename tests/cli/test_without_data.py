"""Commands without data: what is missing is said, whatever was chosen on the screens."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from console.recipes.chosen import Chosen
from tests.cli.running import Run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose data somebody chose on the screens."""
    (tmp_path / "rows.csv").write_text("a,y\n0,0\n1,1\n")
    file = tmp_path / "m.pkl"
    file.write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    asyncio.run(Chosen(tmp_path).keep("m.pkl", str(tmp_path / "rows.csv"), "y"))
    return file


@pytest.mark.parametrize(
    "command",
    ["predict", *(pytest.param(name, marks=pytest.mark.slow) for name in ("evaluate", "probe"))],
)
def test_what_the_screens_remember_is_not_used(run: Run, model: Path, command: str) -> None:
    done = run(command, str(model), "--json")
    assert done.code == 2
    error = json.loads(done.out)["error"]
    assert error["message"] == "m.pkl has no recipe that names data"
    assert "--data" in error["hint"]
