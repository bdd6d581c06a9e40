"""An ONNX export answers like its model, or there is none and the reason is told."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from backends.core.errors import Refusal
from backends.core.source import MemorySource
from backends.estimators.estimator import Estimator
from backends.formats.onnx.inspecting import inspect
from backends.formats.onnx.model import load
from console.worker.child import boundary_rows, onnx_export
from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.onnx_export import export_onnx
from tests.worker.payloads import OpenFile

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

X, Y = load_wine(return_X_y=True)
XD, YD = load_diabetes(return_X_y=True)
COLOURS = np.array(["red", "white", "rosé"])[Y]
FOREST = RandomForestClassifier(9, random_state=0).fit(X, COLOURS)
ORIGIN = {"origin": "sha256:00", "origin_path": "wine/forest.joblib", "origin_place": ""}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer rows and turns than an operator waits for."""
    monkeypatch.setattr(boundary_rows, "ROWS", 6_000)
    monkeypatch.setattr(onnx_export, "SIZES", (1, 100))
    monkeypatch.setattr(onnx_export, "TURNS", 5)


def made(model: Any, rows: Any = X) -> tuple[bytes, dict[str, Any]]:
    return onnx_export.export(Estimator(model), rows, ORIGIN, lambda phase: None)


@pytest.mark.parametrize(
    ("model", "rows", "truth", "dtype"),
    [
        (LogisticRegression(max_iter=20), X, COLOURS, "float64"),
        (make_pipeline(StandardScaler(), LogisticRegression()), X, Y, "float64"),
        (SVC(), X, Y, "float64"),
        (KMeans(3, n_init=1, random_state=0), X, Y, "float64"),
        (LinearRegression(), XD, YD, "float64"),
        (RandomForestClassifier(7, random_state=0), X, Y == 1, "float32"),
        (GradientBoostingClassifier(n_estimators=4, random_state=0), X, Y, "float32"),
        (RandomForestRegressor(7, random_state=0), XD, YD, "float32"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_an_export_answers_like_its_model(model: Any, rows: Any, truth: Any, dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, truth)
    data, found = made(model, rows)
    assert (found["dtype"], found["differing"], found["rows"]) == (dtype, 0, 6_000)
    assert found["largest"] <= onnx_export.TOLERANCE[dtype]
    exported = load(MemorySource(data)).model
    for name in dict.fromkeys(one["method"] for one in found["timings"]):
        expected, answer = getattr(model, name)(rows), exported.call(name, rows)
        assert expected.shape == answer.shape
        if expected.dtype.kind == "f":
            assert onnx_export.difference(expected, answer) <= onnx_export.TOLERANCE[dtype]
        else:
            assert (expected == answer).all()


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (NearestCentroid(), "skl2onnx cannot convert it"),
        (HistGradientBoostingClassifier(max_iter=3), "labels differ, numbers by up to|ONNX Runtime cannot"),
        (make_pipeline(StandardScaler(), RandomForestClassifier(9, random_state=0)), "numbers by up to 0.11"),
        (LinearSVC(), ""),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_a_model_without_an_equal_export_says_why(model: Any, why: str) -> None:
    """Rows on the very edge of a split tell copies apart that agree on all others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    if not why:
        assert made(model)[1]["differing"] == 0
        return
    with pytest.raises(Refusal, match=why) as raised:
        made(model)
    assert raised.value.code == "no-export"
    assert "\n" not in str(raised.value)


def test_what_is_not_exported_says_why() -> None:
    several = RandomForestClassifier(2).fit(X, np.c_[Y, Y])
    with pytest.raises(Refusal, match="several labels"):
        made(several)
    with pytest.raises(Refusal, match="not a StandardScaler"):
        made(StandardScaler().fit(X))
    with pytest.raises(Refusal, match="in every row"):
        made(FOREST, np.full((3, 13), np.nan))
    with pytest.raises(Refusal, match="a table of numbers"):
        made(FOREST, np.array([["a"] * 13], dtype=object))


def test_what_an_export_is_made_of_is_told_in_it() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"c{number}" for number in range(13)])
    data, found = made(RandomForestClassifier(5, random_state=0).fit(frame, COLOURS), frame)
    inspection = inspect(MemorySource(data))
    metadata = inspection.details["metadata"]
    assert isinstance(metadata, dict)
    told = {name.removeprefix("model_console."): str(text) for name, text in metadata.items()}
    assert told["origin"] == ORIGIN["origin"]
    assert told["dtype"] == found["dtype"] == "float32"
    assert told["agreement"].startswith("0 of 6,000 labels differ, numbers by at most ")
    assert inspection.signature.feature_names == tuple(frame.columns)
    assert inspection.signature.classes == ("red", "rosé", "white")
    exported = load(MemorySource(data)).model
    shuffled = frame[list(reversed(frame.columns))]
    assert (exported.call("predict", shuffled) == COLOURS).all()


@pytest.mark.parametrize("name", ["onnxruntime", "skl2onnx"])
def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Refusal, match=f"{name} is not installed") as raised:
        made(FOREST)
    assert raised.value.code == "missing"


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, np.nan], [1.0, 1.0], False),
        ([np.inf], [np.inf], True),
        ([np.inf], [-np.inf], False),
        ([1e9], [1e9 + 1e-4], True),
        ([0.5], [0.5 + 1e-11], False),
    ],
)
def test_numbers_agree_within_the_tolerance(expected: list[float], found: list[float], same: bool) -> None:
    largest = onnx_export.difference(np.array(expected), np.array(found))
    assert (largest <= onnx_export.TOLERANCE["float64"]) == same


@pytest.mark.slow
async def test_a_sandboxed_worker_exports(launcher: Launcher, open_file: OpenFile, tmp_path: Path) -> None:
    model = DecisionTreeClassifier(random_state=0).fit(X, Y)
    np.save(tmp_path / "rows.npy", X)
    worker = await Worker.start(launcher, "model.pkl")
    await worker.load(open_file(pickle.dumps(model), "model.pkl"), "pickle")
    rows = open_file((tmp_path / "rows.npy").read_bytes(), "rows.npy")
    handle, _table = await worker.open_data(rows, "rows.npy")
    phases: list[str] = []
    fd = os.memfd_create("export")
    try:
        found = await export_onnx(worker, fd, handle, ORIGIN, phases.append)
        data = os.pread(fd, 1 << 20, 0)
    finally:
        os.close(fd)
        await worker.end()
    assert (found.dtype, found.rows, found.differing, found.size) == ("float32", 100_000, 0, len(data))
    assert phases[0] == "converting to float64"
    assert phases[-1] == "timing"
    assert {one.rows for one in found.timings} >= {1, 10, 100, 1_000}
    assert (load(MemorySource(data)).model.call("predict", X) == Y).all()
