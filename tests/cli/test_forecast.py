"""Commands tell the memory that a model will take, and refuse to load what cannot fit until they are told to."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.cli.running import Run

KEPT = 250_000_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of three inputs."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), tmp_path / "a.joblib")
    np.save(tmp_path / "rows.npy", X)
    return tmp_path / "a.joblib"


def test_inspect_tells_what_a_model_will_take(run: Run, model: Path) -> None:
    told = run("inspect", str(model), "--json").json["memory_forecast"]
    assert set(told) == {"expected_bytes", "low_bytes", "high_bytes", "free_bytes"}
    assert 0 < told["low_bytes"] < told["expected_bytes"] < told["high_bytes"]
    assert told["free_bytes"] > told["expected_bytes"]
    (line,) = [line for line in run("inspect", str(model)).out.splitlines() if line.startswith("memory ")]
    assert "about 172 MiB (" in line
    assert " MiB (" in line
    rows = model.with_name("rows.npy")
    assert run("inspect", str(rows), "--json").json["memory_forecast"] is None
    assert "\nmemory " not in run("inspect", str(rows)).out


def test_what_cannot_fit_is_refused_in_a_sentence_until_it_is_asked_for_anyway(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config" / "model-console"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("memory_mb = 256\nseal_mb = 512\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))
    large = joblib.load(model)
    large.kept_ = np.zeros(KEPT // 8)
    joblib.dump(large, model)
    words = ["predict", str(model), "--data", str(model.with_name("rows.npy")), "--json"]
    refused = run(*words)
    assert refused.code == 1
    error = json.loads(refused.err.splitlines()[-1] if not refused.out else refused.out)["error"]
    assert error["code"] == "needs-memory"
    assert error["message"].startswith("a.joblib will not fit into memory: it takes at least 3")
    assert "one worker may hold 256 MiB" in error["message"]
    assert "(--anyway)" in error["hint"]
    tried = run(*words, "--anyway")
    assert tried.code == 1
    assert tried.json["error"]["code"] in ("died", "out-of-memory")
