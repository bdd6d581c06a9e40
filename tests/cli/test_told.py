"""Decisions about data and settings, as the commands tell it and act on it, with a real worker."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy
import pandas
import pytest
from sklearn.linear_model import LogisticRegression

from tests.cli.running import Run

RECIPE = """
[data]
holdout = "rows.csv"
target = "state"
ignore = ["serial"]

[watch]
p99_ms = 5

[retrain.search]
cv = 3
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with names beside a file with a decimal comma and a column that is no input."""
    rows = pandas.DataFrame({"size": numpy.arange(8) + 0.5, "weight": numpy.arange(8) / 4})
    state = (rows["size"] > 4).astype(int)
    joblib.dump(LogisticRegression().fit(rows, state), tmp_path / "m.joblib")
    rows.assign(serial="A", state=state).to_csv(tmp_path / "rows.csv", sep=";", decimal=",", index=False)
    rows.assign(weight="heavy", Serial=1, state=state).to_csv(tmp_path / "other.csv", index=False)
    (tmp_path / "m.recipe.toml").write_text(RECIPE)
    config = tmp_path / "config/model-console"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("probe_rate = 4\nwarm = false\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))
    return tmp_path / "m.joblib"


@pytest.mark.slow
def test_a_probe_keeps_the_rate_of_the_settings_and_tells_its_data(run: Run, model: Path) -> None:
    done = run("probe", str(model), "--seconds", "0.6", "--json")
    summary = json.loads(done.out.splitlines()[-1])
    assert 1 <= summary["calls"] <= 4
    assert summary["data"]["rows"] == 8
    assert summary["data"]["target"] == "state"
    for words in ("separated by ';'", "decimal comma", "ignored: serial", "columns by name"):
        assert words in summary["data"]["decided"]
        assert words in done.err
    for table in ("watch", "retrain.search"):
        assert done.err.count(f"m.recipe.toml: [{table}] is not acted on: ") == 1


def test_data_that_does_not_fit_shows_both_sides(run: Run, model: Path) -> None:
    done = run("predict", str(model), "--data", str(model.with_name("other.csv")), "--json")
    assert done.code == 4
    error = done.json["error"]
    assert (error["code"], error["type"]) == ("columns", None)
    assert error["differences"] == [
        {"column": "Serial", "problem": "surplus", "expected": None, "found": "int64"},
        {"column": "weight", "problem": "type", "expected": "number", "found": "text, first in line 2"},
    ]
    assert "under the same names" in error["hint"]


def test_a_setting_of_read_only_holds_for_commands(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "config/model-console/config.toml").write_text("read_only = true\n")
    done = run("rollback", str(model))
    assert done.code == 3
    assert "this console is read-only: it was asked for" in done.err
