"""Commands on a model of another version: what differs is told once on stderr, and in the JSON."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas
import pytest

from tests.cli.running import Run
from tests.old_models import old_models

OLD = {model.name: model for model in old_models() if model.version == "1.3"}
FACT = "written with scikit-learn 1.3.2, run with "


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with old models, each with a recipe that names its rows."""
    for name in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    root = tmp_path / "store"
    root.mkdir()
    for name in ("logistic", "forest"):
        model = OLD[name]
        shutil.copy(model.path, root)
        frame = pandas.DataFrame(model.rows, columns=model.columns).assign(y=model.truth)
        frame.to_csv(root / f"{name}.csv", index=False)
        gate = '[gate]\nmetric = "accuracy"\nnot_worse_by = 1\n'
        recipe = f'[data]\ntrain = "{name}.csv"\ntarget = "y"\n{gate}'
        (root / f"{name}.recipe.toml").write_text(recipe)
    return root


def told(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith(f"warning: {FACT}")]


def test_predict_says_it_once_and_in_its_json(run: Run, store: Path) -> None:
    done = run("predict", str(store / "logistic.pkl"), "--method", "predict", "--json")
    assert done.code == 0
    assert len(told(done.err)) == 1
    assert done.json["outputs"]["predict"] == OLD["logistic"].answers["predict"]
    assert done.json["warnings"][0].startswith(FACT)
    assert done.json["warnings"][0].endswith(
        ": answers may be wrong; run it with its own version ([environment] python = …) or retrain it"
    )


@pytest.mark.slow
def test_every_command_that_loads_it_says_it(run: Run, store: Path, tmp_path: Path) -> None:
    path = str(store / "logistic.pkl")
    out = str(tmp_path / "out.joblib")
    for command in (("evaluate", path), ("convert", path, "--to", "joblib", "--out", out)):
        done = run(*command, "--json")
        assert done.code == 0, done.err
        assert len(told(done.err)) == 1
        assert done.json["warnings"][0].startswith(FACT)
    assert any("nothing in it says 1.3.2 any more" in text for text in done.json["warnings"])
    done = run("probe", path, "--rate", "20", "--seconds", "1")
    assert len(told(done.err)) == 1
    assert done.out.count(FACT) == 0
    assert "\nasked 20/s, reached " in done.out
    assert "memory" in done.out.splitlines()[-1]
    done = run("update", path, "--json")
    assert any(text.startswith(f"the current model: {FACT}") for text in done.json["warnings"])
    [result] = done.json["gate"]
    assert f"the current model was {FACT}" in result["detail"]


@pytest.mark.slow
def test_a_forest_that_answers_nonsense_fails_in_every_command(run: Run, store: Path) -> None:
    path = str(store / "forest.pkl")
    convert = ("convert", path, "--to", "joblib", "--out", str(store / "out.joblib"))
    for command in (("predict", path), ("evaluate", path), convert):
        done = run(*command, "--json")
        assert done.code == 1
        assert done.json["error"]["code"] == "bad-answer"
        assert "which is no probability (0 to 1)" in done.json["error"]["message"]
        assert done.json["error"]["hint"].startswith(FACT)
    done = run("update", path)
    assert done.code == 1
    assert f"hint: {FACT}" in done.err
    done = run("probe", path, "--seconds", "1", "--json")
    summary = done.out.splitlines()[-1]
    assert done.code == 1
    for words in (
        '"rate_reached": false',
        '"asked_hz": 20.0',
        '"last_error": "RandomForest',
        FACT,
        '"memory_growth": ',
    ):
        assert words in summary
