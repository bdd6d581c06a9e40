"""The real clients of others ask `serve` over HTTP; they live in environments of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.http import client_programs
from tests.http.client_environments import environment
from tests.service.serving import Served, own_directories

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROWS = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
FRAME = pd.DataFrame({"kind": ["a", "b"], "size": [1.0, 2.0]})


def classifier() -> Any:
    """A classifier of three numbers."""
    inputs = np.random.default_rng(0).normal(size=(60, 3))
    return LogisticRegression().fit(inputs, np.where(inputs[:, 0] > 0, "yes", "no"))


def regressor() -> Any:
    """A regressor of two named columns, one of them of words."""
    rows = pd.DataFrame({"kind": ["a", "b", "a", "b"], "size": [1.0, 2.0, 3.0, 5.0]})
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    return make_pipeline(columns, LinearRegression()).fit(rows, [1.0, 5.0, 2.0, 9.0])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of `serve` on a store of both models."""
    store = tmp_path_factory.mktemp("clients") / "store"
    (store / "shop").mkdir(parents=True)
    joblib.dump(classifier(), store / "lr.joblib")
    joblib.dump(regressor(), store / "shop/basket.joblib")
    for name in ("lr", "shop/basket"):
        (store / f"{name}.recipe.toml").write_text('[serve]\nload = "start"\n')
    with (
        tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as home,
        Served(store, "--http", "127.0.0.1:0", **own_directories(home)) as one,
    ):
        one.hear("READY=1")
        yield one.port()
        assert one.end() == 0


@pytest.fixture
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of the clients' environments: made for this run, or kept where MODEL_CONSOLE_CLIENTS says."""
    kept, base = os.environ.get("MODEL_CONSOLE_CLIENTS"), tmp_path_factory.getbasetemp()
    return Path(kept) if kept else (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "clients"


def said_by(program: str, port: int, clients: Path, packages: str = "clients", more: tuple[str, ...] = ()) -> Any:
    """The JSON that a client's program has printed."""
    command = [str(environment(packages, clients)), "-W", "ignore", "-c", program, str(port), *more]
    done = subprocess.run(command, capture_output=True, text=True, env={"HOME": "/nonexistent"}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_tritonclient(port: int, clients: Path) -> None:
    said = said_by(client_programs.TRITON, port, clients)
    scores = classifier().predict_proba(ROWS)
    assert (said["live"], said["ready"], said["model"], said["none"]) == (True, True, True, False)
    assert said["metadata"]["inputs"][0]["shape"] == [-1, 3]
    assert {one["name"]: one["state"] for one in said["index"]} == {"lr": "READY", "shop/basket": "READY"}
    for answer in (*said["answers"], said["gzip"], said["gzip json"], said["float32"]):
        np.testing.assert_allclose(answer, scores)
    assert (said["labels"], said["id"]) == (["yes", "no"], "mine")
    np.testing.assert_allclose(np.ravel(said["columns"]), regressor().predict(FRAME))
    assert said["statistics"]["model_stats"][0]["inference_stats"]["success"]["count"] >= 6
    assert "expected 3" in said["error"]


def test_kserve(port: int, clients: Path) -> None:
    said = said_by(client_programs.KSERVE, port, clients)
    assert (said["live"], said["ready"], said["model"], said["none"]) == (True, True, True, False)
    assert said["answers"] == [["yes", "no"]] * 2


def test_mlflow(port: int, clients: Path) -> None:
    said = said_by(client_programs.MLFLOW, port, clients)
    np.testing.assert_allclose(said["frame"], regressor().predict(FRAME))
    assert said["array"] == ["yes", "no"]
    assert "size" in said["error"]


def test_mlserver(port: int, clients: Path) -> None:
    said = said_by(client_programs.MLSERVER, port, clients)
    assert said["labels"] == ["yes", "no"]
    np.testing.assert_allclose(said["scores"], classifier().predict_proba(ROWS))
    np.testing.assert_allclose(said["frame"], regressor().predict(FRAME))
    assert said["index"] == ["lr", "shop/basket"]


def test_tf_servings_protocol_buffers_read_status_and_metadata(port: int, clients: Path) -> None:
    said = said_by(client_programs.TF_SERVING, port, clients, "tfserving")
    assert (said["states"], said["inputs"]) == (["AVAILABLE"], [[-1, 3]])
    assert {"serving_default", "predict", "predict_proba"} <= set(said["signatures"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl(port: int) -> None:
    def curl(path: str, *more: str) -> Any:
        command = ["curl", "-sS", "--compressed", f"http://127.0.0.1:{port}{path}", *more]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    sent = json.dumps({"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP64", "data": ROWS.tolist()}]})
    assert curl("/v2/models/lr/infer", "-d", sent)["outputs"][0]["data"] == ["yes", "no"]
    instances = json.dumps({"instances": ROWS.tolist()})
    assert curl("/v1/models/lr:predict", "-d", instances)["predictions"] == ["yes", "no"]
    table = FRAME.to_csv(index=False)
    found = curl("/models/shop/basket/invocations", "-H", "Content-Type: text/csv", "--data-binary", table)
    np.testing.assert_allclose(found["predictions"], regressor().predict(FRAME))
    assert curl("/v2/repository/index", "-X", "POST")[0]["reason"] == ""
