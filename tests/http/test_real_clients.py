"""The real clients of others ask a real engine through the real front; each lives in an environment of its own."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import pytest_asyncio
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from console.config import Settings
from console.engine.local import Engine
from console.records import Principal
from tests.http import client_programs
from tests.http.fronts import RunningFront, running_front
from tests.warm import Opening

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]
ROWS = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
FRAME = pd.DataFrame({"kind": ["a", "b"], "size": [1.0, 2.0]})
PACKAGES = {
    "triton": ("tritonclient[http]==2.73.0",),
    "kserve": ("kserve==0.21.0",),
    "mlflow": ("mlflow-skinny==3.17.2", "pandas", "scipy"),
    "mlserver": ("mlserver==1.7.1", "pandas<3"),
    "tfserving": ("tensorflow-protobuf==2.7.0", "protobuf<4"),
}


def environment(name: str) -> Path:
    """The interpreter of a client's environment, made once for all tests, or kept where MODEL_CONSOLE_CLIENTS says."""
    packages = PACKAGES[name]
    key = hashlib.sha256(f"{sys.version}{packages}".encode()).hexdigest()[:12]
    kept = os.environ.get("MODEL_CONSOLE_CLIENTS")
    home = Path(kept) if kept else Path(os.environ["XDG_CACHE_HOME"]) / "clients"
    home.mkdir(parents=True, exist_ok=True)
    place = home / f"{name}-{key}"
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            _made(place, packages)
            (place / "complete").touch()
    return place / "bin" / "python"


def _made(place: Path, packages: tuple[str, ...]) -> None:
    """Make it; a machine that reaches no registry does without the test."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
    pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *packages]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip installs no {' '.join(packages)} here: {done.stderr.strip()[-300:]}")


def classifier() -> Any:
    """A classifier of three numbers."""
    inputs = np.random.default_rng(0).normal(size=(60, 3))
    return LogisticRegression().fit(inputs, np.where(inputs[:, 0] > 0, "yes", "no"))


def regressor() -> Any:
    """A regressor of two named columns, one of them of words."""
    rows = pd.DataFrame({"kind": ["a", "b", "a", "b"], "size": [1.0, 2.0, 3.0, 5.0]})
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    return make_pipeline(columns, LinearRegression()).fit(rows, [1.0, 5.0, 2.0, 9.0])


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own configuration, cache and state directories."""
    for name in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


@pytest_asyncio.fixture(loop_scope="session")
async def engine(tmp_path: Path, isolated: None, opening: Opening) -> AsyncIterator[Engine]:
    """An engine on a store of both models."""
    store = tmp_path / "store"
    (store / "shop").mkdir(parents=True)
    joblib.dump(classifier(), store / "lr.joblib")
    joblib.dump(regressor(), store / "shop/basket.joblib")
    opened = await opening(store, Settings(reconcile_s=1.0, warm=False))
    await opened.begin()
    yield opened
    await opened.close()


def anonymous(handle: str) -> Principal:
    """Whoever asks without a token."""
    return Principal("anonymous", "infer", handle=handle)


@pytest_asyncio.fixture(loop_scope="session")
async def front(engine: Engine) -> AsyncIterator[RunningFront]:
    """The front before it, with both models loaded."""
    await engine.artifacts.scan()
    for name in ("lr", "shop/basket"):
        await engine.serving.load(name)
    async with running_front(
        engine, principals=lambda handle: Principal("anonymous", "infer", handle=handle)
    ) as running:
        assert running.ready.report == "ready", running.ready.message
        yield running


async def said_by(client: str, program: str, front: RunningFront) -> Any:
    """The object that a client's program has printed."""
    python = await asyncio.to_thread(environment, client)
    process = await asyncio.create_subprocess_exec(
        str(python), "-W", "ignore", "-c", program, str(front.port), stdout=-1, stderr=-1, env={"HOME": "/nonexistent"}
    )
    printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()[-3000:]
    return json.loads(printed)


async def test_tritonclient(front: RunningFront) -> None:
    said = await said_by("triton", client_programs.TRITON, front)
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


async def test_kserve(front: RunningFront) -> None:
    said = await said_by("kserve", client_programs.KSERVE, front)
    assert (said["live"], said["ready"], said["model"], said["none"]) == (True, True, True, False)
    assert said["answers"] == [["yes", "no"]] * 2


async def test_mlflow(front: RunningFront) -> None:
    said = await said_by("mlflow", client_programs.MLFLOW, front)
    np.testing.assert_allclose(said["frame"], regressor().predict(FRAME))
    assert said["array"] == ["yes", "no"]
    assert "size" in said["error"]


async def test_mlserver(front: RunningFront) -> None:
    said = await said_by("mlserver", client_programs.MLSERVER, front)
    assert said["labels"] == ["yes", "no"]
    np.testing.assert_allclose(said["scores"], classifier().predict_proba(ROWS))
    np.testing.assert_allclose(said["frame"], regressor().predict(FRAME))
    assert said["index"] == ["lr", "shop/basket"]


async def test_tf_servings_protocol_buffers_read_status_and_metadata(front: RunningFront) -> None:
    said = await said_by("tfserving", client_programs.TF_SERVING, front)
    assert (said["states"], said["inputs"]) == (["AVAILABLE"], [[-1, 3]])
    assert {"serving_default", "predict", "predict_proba"} <= set(said["signatures"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_curl(front: RunningFront) -> None:
    async def curl(path: str, *more: str) -> Any:
        command = ["curl", "-sS", "--compressed", f"http://127.0.0.1:{front.port}{path}", *more]
        process = await asyncio.create_subprocess_exec(*command, stdout=-1)
        printed, _none = await process.communicate()
        return json.loads(printed)

    sent = json.dumps({"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP64", "data": ROWS.tolist()}]})
    assert (await curl("/v2/models/lr/infer", "-d", sent))["outputs"][0]["data"] == ["yes", "no"]
    assert (await curl("/v1/models/lr:predict", "-d", json.dumps({"instances": ROWS.tolist()})))["predictions"] == [
        *("yes", "no")
    ]
    table = FRAME.to_csv(index=False)
    found = await curl("/models/shop/basket/invocations", "-H", "Content-Type: text/csv", "--data-binary", table)
    np.testing.assert_allclose(found["predictions"], regressor().predict(FRAME))
    assert (await curl("/v2/repository/index", "-X", "POST"))[0]["reason"] == ""
