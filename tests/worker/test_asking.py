"""Rows are asked again as they were, and what is not one answer for each row is told as none."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import scipy.sparse
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from console.worker.child import asking
from console.worker.failures import ChildFailed
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import Load, OpenFile, predicting

IN_PLACE = (
    StandardScaler(copy=False),
    MinMaxScaler(copy=False),
    MaxAbsScaler(copy=False),
    RobustScaler(copy=False),
    Normalizer(copy=False),
    Binarizer(copy=False),
    PowerTransformer(copy=False),
    QuantileTransformer(copy=False, n_quantiles=50),
    SimpleImputer(copy=False),
)
SPOILS = "(lambda found: (X.__setitem__(slice(None), 0), found)[1])([float(one) for one in numpy.asarray(X)[:, 0]])"
MODULES = (
    "console.worker.child.model",
    "backends.formats.pickle.plain",
    "sklearn.linear_model",
    "sklearn.preprocessing",
    "pandas",
)
ROWS, TRUTH = load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize("named", [False, True])
async def test_models_that_work_in_place_are_asked_the_same_rows_again(
    launcher: Launcher, open_file: OpenFile, named: bool
) -> None:
    frame = pandas.DataFrame(ROWS, columns=[f"c{index}" for index in range(ROWS.shape[1])])
    table = open_file(frame.assign(y=TRUTH).to_csv(index=False).encode(), "rows.csv")
    await launcher.warm(modules=MODULES).warmed()
    worker = await Worker.start(launcher, "model.pkl", fresh=False)
    for step in IN_PLACE:
        model = make_pipeline(step, LogisticRegression(max_iter=5000)).fit(
            frame.copy() if named else ROWS.copy(), TRUTH
        )
        inputs = frame if named else ROWS
        expected = model.predict_proba(inputs.copy())
        await worker.load(open_file(pickle.dumps(model), f"{type(step).__name__}.pkl"), "pickle")
        handle, _table = await worker.open_data(table, "rows.csv", target="y")
        first, second = [await worker.evaluate(handle) for _ in range(2)]
        assert first == second, step
        assert first.metrics["roc_auc"] == pytest.approx(roc_auc_score(TRUTH, expected[:, 1])), step
        both = await worker.call(handle, methods=["predict", "predict_proba"])
        assert numpy.allclose(numpy.asarray(both.outputs["predict_proba"], dtype=float), expected, rtol=1e-9, atol=0), (
            step
        )
        await worker.close_data(handle)


@pytest.mark.parametrize("form", ["csv", "npy"])
async def test_a_model_that_overwrites_its_rows_spoils_no_later_answer(
    worker: Worker, evil: Load, open_file: OpenFile, form: str
) -> None:
    await worker.load(evil(predicting(SPOILS.replace("numpy", "__import__('numpy')"))), "pickle")
    rows = numpy.arange(1.0, 13).reshape(6, 2)
    data = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (a, b, a) for a, b in rows.tolist()) if form == "csv" else npy(rows)
    handle, _table = await worker.open_data(open_file(data, f"rows.{form}"), f"rows.{form}")
    answers = [(await worker.call(handle)).outputs["predict"] for _ in range(2)]
    assert answers[0] == answers[1] == rows[:, 0].tolist()
    raw = [bytes((await worker.call_array("<f8", rows.shape, rows.tobytes()))[1]) for _ in range(3)]
    assert raw == [numpy.ascontiguousarray(rows[:, 0]).tobytes()] * 3


def npy(rows: Any) -> bytes:
    """A npy file."""
    file = io.BytesIO()
    numpy.save(file, rows)
    return file.getvalue()


def test_mapped_rows_are_not_copied_unless_a_model_must_write(tmp_path: Path) -> None:
    numpy.save(tmp_path / "x.npy", ROWS)
    mapped = numpy.load(tmp_path / "x.npy", mmap_mode="r")
    frame = pandas.DataFrame(mapped, copy=False)
    for rows in (mapped, frame, frame.iloc[2:5]):
        assert asking.own(rows) is rows

    def zeroed(rows: Any) -> Any:
        rows[:] = 0.0
        return numpy.asarray(rows)[:, 0]

    for rows in (mapped, frame):
        assert not asking.answered(zeroed, [rows]).any()
        assert numpy.array_equal(numpy.asarray(rows), ROWS)
    with pytest.raises(ValueError, match="something else"):
        asking.answered(lambda rows: exec("raise ValueError('something else')"), [mapped])


def test_rows_of_every_kind_are_the_models_own() -> None:
    objects = numpy.array([["a", 1.0], ["b", None]], dtype=object)
    for rows in (ROWS[:4], ROWS[:4].T, objects, pandas.DataFrame({"a": [1.0, 2.0]}), scipy.sparse.csr_array(ROWS[:4])):
        own: Any = asking.own(rows)
        assert type(own) is type(rows)
        assert own is not rows
        assert own.shape == rows.shape
    assert asking.own(None) is None


BAD = {
    "None": r"Model.predict answered nothing \(None\); expected one answer for each of 2 rows",
    "(one for one in X)": "answered a generator that would have to be run to be read; expected one answer",
    "map(len, X)": "answered a map that would have to be run",
    "[1] * (len(X) + 3)": "answered a list of 5; expected one answer for each of 2 rows",
    "__import__('numpy').zeros(len(X) + 3)": r"answered a ndarray of shape \(5,\)",
    "__import__('numpy').zeros(())": r"answered a ndarray of shape \(\)",
    "0.5": "answered a float; expected one answer for each of 2 rows",
    "'ab'": "answered a str; expected",
    "{1, 2}": "answered a set of 2; expected",
    "{'a': [1]}": "answered a dict of 1; expected",
    "[]": "answered a list of 0; expected",
    "object()": "answered a object; expected",
}


async def test_no_good_answer_is_told_with_what_came_and_what_was_expected(worker: Worker, evil: Load) -> None:
    for answer, words in BAD.items():
        await worker.load(evil(predicting(answer)), "pickle")
        with pytest.raises(ChildFailed, match=words) as caught:
            await worker.call_rows([[1], [2]])
        assert caught.value.code == "bad-answer"
        with pytest.raises(ChildFailed, match=words):
            await worker.call_array("<f8", (2, 1), bytes(16))
        assert worker.child.alive


GOOD: dict[str, tuple[int, Any]] = {
    "0.5": (1, [0.5]),
    "'ab'": (1, ["ab"]),
    "{'a': 1}": (1, [{"a": 1}]),
    "{'a': [1, 2], 'b': [3, 4]}": (2, [{"a": 1, "b": 3}, {"a": 2, "b": 4}]),
    "__import__('pandas').DataFrame({'a': [1, 2], 'b': ['x', None]})": (2, [[1, "x"], [2, "nan"]]),
    "__import__('pandas').array([1, None])": (2, [1, None]),
    "__import__('scipy.sparse').sparse.csr_matrix([[0, 1], [2, 0]])": (2, [[0, 1], [2, 0]]),
    "range(len(X))": (2, None),
    "(1, 2)": (2, [1, 2]),
    "[None, float('nan')]": (2, [None, "nan"]),
    "[__import__('numpy').zeros((len(X), 3)), __import__('numpy').zeros((len(X), 2))]": (
        2,
        [[[0.0] * 3, [0.0] * 2]] * 2,
    ),
}


async def test_answers_of_every_shape_are_taken(worker: Worker, evil: Load) -> None:
    for answer, (rows, plain) in GOOD.items():
        await worker.load(evil(predicting(answer)), "pickle")
        outcome = await worker.call_rows([[1]] * rows)
        assert outcome.rows == rows
        assert plain is None or outcome.outputs == {"predict": plain}, answer


@pytest.mark.parametrize("broken", ["nan", "inf", "1e200"])
async def test_an_answer_that_is_no_number_is_left_out_of_the_score(
    worker: Worker, evil: Load, open_file: OpenFile, broken: str
) -> None:
    await worker.load(evil(predicting(f"__import__('numpy').array([float('{broken}'), 2.0])[:len(X)]")), "pickle")
    handle, _table = await worker.open_data(open_file(b"a,y\n1,1.5\n2,1.5\n", "d.csv"), "d.csv", target="y")
    for outputs in (True, False):
        outcome = await worker.call(handle, 0, 2, outputs=outputs, score=True)
        assert outcome.score == {"rows": 1.0, "absolute": 0.5, "squared": 0.25}
        assert outcome.warnings == ("UserWarning: 1 of 2 rows have no score: answer or truth is no finite number",)
        nothing = await worker.call(handle, 0, 1, outputs=outputs, score=True)
        assert (nothing.rows, nothing.score) == (1, {})


async def test_a_score_is_a_number(worker: Worker, evil: Load, open_file: OpenFile) -> None:
    model = "type('M', (), {'predict': lambda s, X: X, 'score': lambda s, X, y: [1]})()"
    await worker.load(evil(model), "pickle")
    handle, _table = await worker.open_data(open_file(b"a,y\n1,1.5\n2,1.5\n", "d.csv"), "d.csv", target="y")
    with pytest.raises(ChildFailed, match=r"M\.score answered a list of 1; expected a number"):
        await worker.call(handle, 0, 2, methods=["score"])
