"""A twin answers like its model or not at all; in a real worker one that differs is switched off and told of."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
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

from console.worker.child import edges, twin, twinning
from console.worker.child.main import Refusal
from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.process import ChildProcess
from console.worker.twins import make_twin, use_twin
from tests.worker.payloads import OpenFile

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

X, Y = load_wine(return_X_y=True)
XD, YD = load_diabetes(return_X_y=True)
COLOURS = np.array(["red", "white", "rosé"])[Y]
FOREST = RandomForestClassifier(9, random_state=0).fit(X, COLOURS)
ALL_SIZES: twin.Routes = {"predict": [(1, 10_000)], "predict_proba": [(1, 10_000)]}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer rows and turns than an operator waits for."""
    monkeypatch.setattr(edges, "ROWS", 6_000)
    monkeypatch.setattr(twinning, "SIZES", (1, 100))
    monkeypatch.setattr(twinning, "TURNS", 5)


def made(model: Any, rows: Any = X) -> tuple[bytes, dict[str, Any]]:
    return twinning.make(model, rows, lambda phase: None)


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
def test_a_twin_answers_like_its_model(model: Any, rows: Any, truth: Any, dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, truth)
    data, found = made(model, rows)
    assert (found["dtype"], found["differing"], found["rows"]) == (dtype, 0, 6_000)
    assert found["largest"] <= twin.TOLERANCE[dtype]
    answering = twin.Twin(data, model, ALL_SIZES)
    for name in found["routes"]:
        for _ in range(twin.FIRST_CHECKED + 1):
            answer = answering.call(name, rows)
        expected = getattr(model, name)(rows)
        assert answer.dtype == expected.dtype
        assert twin.agree(expected, answer, dtype)
    assert answering.off is None


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
def test_a_model_without_an_equal_twin_says_why(model: Any, why: str) -> None:
    """Rows on the very edge of a split tell copies apart that agree on all others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    if not why:
        assert made(model)[1]["differing"] == 0
        return
    with pytest.raises(Refusal, match=why) as raised:
        made(model)
    assert raised.value.code == "no-twin"
    assert "\n" not in str(raised.value)


def test_what_has_no_twin_says_why() -> None:
    several = RandomForestClassifier(2).fit(X, np.c_[Y, Y])
    with pytest.raises(Refusal, match="several labels"):
        made(several)
    with pytest.raises(Refusal, match="not a StandardScaler"):
        made(StandardScaler().fit(X))
    with pytest.raises(Refusal, match="in every row"):
        made(FOREST, np.full((3, 13), np.nan))
    with pytest.raises(Refusal, match="a table of numbers"):
        made(FOREST, np.array([["a"] * 13], dtype=object))


def test_rows_that_were_not_compared_are_left_to_the_model() -> None:
    data, _found = made(FOREST)
    answering = twin.Twin(data, FOREST, {"predict": [(1, 10)]})
    assert answering.call("predict", X[:10]) is not None
    assert answering.call("predict", X[:10].astype("float32")) is not None
    for rows in (X[:11], X[:5].astype(int), X[:5].astype("float16"), X[:5, :12], X[0], X[:0]):
        assert answering.call("predict", rows) is None
    for bad in (np.nan, np.inf, 1e300):
        assert answering.call("predict", np.where(X[:3] == X[0, 0], bad, X[:3])) is None
    assert answering.call("predict_proba", X[:5]) is None
    assert answering.off is None


def test_float32_rows_are_not_for_a_float64_twin() -> None:
    model = LinearDiscriminantAnalysis().fit(X, Y)
    answering = twin.Twin(made(model)[0], model, ALL_SIZES)
    assert answering.call("predict_proba", X[:2].astype("float32")) is None
    assert answering.call("predict_proba", X[:2]) is not None


def test_a_model_that_knows_its_columns_is_asked_by_their_names() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"c{number}" for number in range(13)])
    model = RandomForestClassifier(5, random_state=0).fit(frame, Y)
    answering = twin.Twin(made(model, frame)[0], model, ALL_SIZES)
    assert (answering.call("predict", frame[:5]) == Y[:5]).all()
    assert answering.call("predict", frame[:5].rename(columns={"c0": "other"})) is None
    assert answering.call("predict", X[:5]) is None


@pytest.mark.parametrize("when", ["first", "later"])
def test_a_twin_that_differs_is_switched_off_at_the_next_check(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "CHECK_EVERY", 10)
    monkeypatch.setattr(twin, "FIRST_CHECKED", 1 if when == "first" else 0)
    other = RandomForestClassifier(9, random_state=1).fit(X, COLOURS[::-1])
    answering = twin.Twin(made(other)[0], FOREST, ALL_SIZES)
    answers = [answering.call("predict", X) is not None for _ in range(12)]
    assert answers == [False] * 12 if when == "first" else [True] * 9 + [False] * 3
    assert answering.off is not None
    assert "answered predict differently" in answering.off


def test_each_method_is_checked_from_its_own_first_call() -> None:
    answering = twin.Twin(made(FOREST)[0], FOREST, ALL_SIZES)
    told = []
    for name in ("predict",) * 4 + ("predict_proba",) * 4:
        answering.call(name, X[:2])
        told.append(answering.compared)
    assert told == [True, True, True, False] * 2


def test_a_check_of_a_large_call_asks_the_model_little() -> None:
    asked = []

    class Watched(RandomForestClassifier):  # type: ignore[misc]
        def predict(self, rows: Any) -> Any:
            asked.append(len(rows))
            return super().predict(rows)

    model = Watched(3, random_state=0).fit(X, Y)
    data = twinning._convert(RandomForestClassifier(3, random_state=0).fit(X, Y), 13, "float32")
    answer = twin.Twin(data, model, ALL_SIZES).call("predict", np.tile(X, (20, 1)))
    assert asked == [twin.CHECKED_ROWS]
    assert (answer == np.tile(model.predict(X), 20)).all()


def test_a_broken_twin_is_told_from_a_missing_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal, match="cannot read the twin") as raised:
        twin.Twin(b"not ONNX", FOREST, {})
    assert raised.value.code == "bad-input"
    for name, module in (("onnxruntime", twin._session), ("skl2onnx", lambda data: made(FOREST))):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, name, None)
            with pytest.raises(Refusal, match=f"{name} is not installed") as raised:
                module(b"")
            assert raised.value.code == "missing"


@pytest.mark.parametrize(
    ("timings", "routes"),
    [
        ([], []),
        ([(1, 5.0, 1.0), (10, 5.0, 1.0), (100, 5.0, 1.0)], [(1, 100)]),
        ([(1, 5.0, 1.0), (10, 5.0, 6.0), (100, 5.0, 1.0)], [(1, 3), (32, 100)]),
        ([(1, 1.0, 5.0), (10, 5.0, 1.0), (100, 1.0, 0.96)], [(4, 31)]),
    ],
)
def test_each_measured_size_stands_for_those_around_it(timings: list[Any], routes: list[Any]) -> None:
    told = [{"rows": rows, "model_ms": own, "twin_ms": compiled} for rows, own, compiled in timings]
    assert twinning.routes_of(told) == routes


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
    assert twin.agree(np.array(expected), np.array(found), "float64") == same


async def _served(launcher: Launcher, open_file: OpenFile, model: Any) -> Worker:
    worker = await Worker.start(launcher, "model.pkl")
    await worker.load(open_file(pickle.dumps(model), "model.pkl"), "pickle")
    return worker


async def test_a_sandboxed_worker_makes_a_twin(launcher: Launcher, open_file: OpenFile, tmp_path: Path) -> None:
    model = DecisionTreeClassifier(random_state=0).fit(X, Y)
    np.save(tmp_path / "rows.npy", X)
    worker = await _served(launcher, open_file, model)
    rows = open_file((tmp_path / "rows.npy").read_bytes(), "rows.npy")
    handle, _table = await worker.open_data(rows, "rows.npy")
    phases: list[str] = []
    fd = os.memfd_create("twin")
    try:
        found = await make_twin(worker, fd, handle, phases.append)
        data = os.pread(fd, 1 << 20, 0)
    finally:
        os.close(fd)
        await worker.end()
    assert (found.dtype, found.rows, found.differing, found.size) == ("float32", 100_000, 0, len(data))
    assert phases[0] == "converting to float64"
    assert phases[-1] == "timing"
    assert {one.rows for one in found.timings} >= {1, 10, 100, 1_000}
    assert twin.Twin(data, model, ALL_SIZES).call("predict", X[:1]) == Y[:1]


async def test_a_worker_answers_with_the_twin_it_was_given(launcher: Launcher, open_file: OpenFile) -> None:
    model = RandomForestClassifier(60, random_state=0).fit(X, Y)
    worker = await _served(launcher, open_file, model)
    fd = open_file(made(model)[0], "twin")
    try:
        _places, _answer, before = await worker.call_array("<f8", (1, 13), X[:1].tobytes())
        await use_twin(worker, fd, {"predict": ((1, 100),), "predict_proba": ((1, 100),)})
        milliseconds = []
        for index in range(12):
            asked = X[index : index + 1]
            places, answer, spent = await worker.call_array("<f8", (1, 13), asked.tobytes())
            assert np.frombuffer(answer, places[0].dtype)[0] == Y[index]
            milliseconds.append(spent)
        assert min(milliseconds) < before / 2
        assert worker.child.notes == []
    finally:
        await worker.end()


async def test_another_models_twin_is_noted_and_never_answers(launcher: Launcher, open_file: OpenFile) -> None:
    other = RandomForestClassifier(3, random_state=0).fit(X, Y[::-1])
    worker = await _served(launcher, open_file, RandomForestClassifier(3, random_state=0).fit(X, Y))
    told: list[str] = []
    worker.child.on_note = told.append
    try:
        await use_twin(worker, open_file(made(other)[0], "twin"), {"predict": ((1, 1_000),)})
        for _ in range(3):
            places, answer, _spent = await worker.call_array("<f8", X.shape, X.tobytes())
            assert (np.frombuffer(answer, places[0].dtype) == Y).mean() > 0.95
        assert worker.child.notes == told
        assert len(told) == 1
        assert "answered predict differently" in told[0]
    finally:
        await worker.end()


async def test_a_worker_says_no_more_than_it_may(launcher: Launcher) -> None:
    worker = await Worker.start(launcher, "model.pkl")
    child: ChildProcess = worker.child
    for number in range(100):
        child.note(f"{number}" * 1_000)
    assert len(child.notes) == 16
    assert max(map(len, child.notes)) == 300
    await worker.end()
