"""One worker with a real model: load, open data, predict, score, save."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import psutil
import pytest
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from console.worker.answers import Loaded
from console.worker.failures import ChildFailed, ChildRefused
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.frozen import frozen
from tests.worker.payloads import Load, OpenFile, predicting

X = numpy.random.default_rng(0).normal(size=(40, 3))
Y = numpy.where(X[:, 0] > 0, "yes", "no")
FRAME = pandas.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y)
MODULES = (
    "console.worker.child.model",
    "backends.formats.pickle.plain",
    "backends.formats.pickle.joblibs",
    "sklearn.ensemble",
    "pandas",
)


async def loaded(launcher: Launcher, open_file: OpenFile, model: Any) -> tuple[Worker, Loaded]:
    """A worker with this model, forked where a zygote is ready."""
    worker = await Worker.start(launcher, "model.pkl", fresh=False)
    return worker, await worker.load(open_file(pickle.dumps(model), "model.pkl"), "pickle")


async def test_a_forest_from_load_to_save(launcher: Launcher, open_file: OpenFile, tmp_path: Path) -> None:
    model = RandomForestClassifier(5, n_jobs=2, random_state=0).fit(FRAME[["a", "b", "c"]], Y)
    phases: list[str] = []
    worker = await Worker.start(launcher, "model.pkl")
    told = await worker.load(
        open_file(pickle.dumps(model), "model.pkl"),
        "pickle",
        imports=["sklearn.ensemble"],
        on_phase=lambda phase, _done: phases.append(phase),
    )
    assert phases == ["import", "read", "warm"]
    assert {"start", "import", "read", "warm"} <= told.phases.keys()
    assert told.methods == ("predict", "predict_proba", "score")
    assert told.signature.feature_names == ("a", "b", "c")
    assert (told.signature.n_features, told.signature.classes) == (3, ("no", "yes"))
    assert told.notes == ("the model: n_jobs=2 runs as n_jobs=1 in a worker",)
    assert {"sklearn", "numpy"} <= told.library_versions.keys()
    data = open_file(FRAME.to_csv(index=False).encode(), "data.csv")
    handle, table = await worker.open_data(data, "data.csv", target="y")
    assert (table.rows, table.target, table.columns[0]) == (40, "y", ("a", "float64"))
    outcome = await worker.call(handle, 3, 6, methods=["predict", "predict_proba", "score"], score=True)
    assert outcome.outputs["predict"] == list(model.predict(FRAME[["a", "b", "c"]][3:6]))
    assert outcome.outputs["predict_proba"] == model.predict_proba(FRAME[["a", "b", "c"]][3:6]).tolist()
    assert (outcome.rows, outcome.score) == (3, {"rows": 3.0, "correct": 3.0})
    assert 0 < outcome.worker_ms < outcome.round_trip_ms
    assert outcome.warnings == ()
    rows, truths = await worker.sample_rows(handle, 3, 2)
    assert truths == list(Y[3:5])
    assert (await worker.call_rows(rows)).outputs["predict"] == outcome.outputs["predict"][:2]
    await saved_as_it_was_trained(worker, model, tmp_path)
    await written(worker, handle, model, tmp_path)
    await worker.close_data(handle)
    with pytest.raises(ChildFailed, match="no table"):
        await worker.call(handle)


async def test_large_numbers_are_mapped_from_the_file(launcher: Launcher, tmp_path: Path) -> None:
    model = Ridge().fit(X, X[:, :2])
    model.table_ = numpy.ones(100_000)
    path = tmp_path / "ridge.joblib"
    joblib.dump(model, path)
    with frozen(path) as taken:
        worker = await Worker.start(launcher, "ridge.joblib")
        await worker.load(taken.memory, "joblib", file=taken.file, plan=taken.plan.to_bytes())
    mapped = {one.path for one in psutil.Process(worker.child.pid).memory_maps()}
    assert str(path) in mapped
    assert (await worker.call_rows(X[:3].tolist())).outputs["predict"] == model.predict(X[:3]).tolist()
    with frozen(path) as taken, pytest.raises(ChildFailed, match="load plan"):
        await worker.load(taken.memory, "joblib", plan=taken.plan.to_bytes())


async def saved_as_it_was_trained(worker: Worker, model: Any, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "saved.joblib", os.O_RDWR | os.O_CREAT)
    await worker.save(fd, "joblib")
    os.close(fd)
    again = joblib.load(tmp_path / "saved.joblib")
    assert again.n_jobs == 2
    inputs = FRAME[["a", "b", "c"]]
    assert again.predict_proba(inputs).tolist() == model.predict_proba(inputs).tolist()
    assert (await worker.call_rows([[0.0, 0.0, 0.0]])).rows == 1


async def written(worker: Worker, handle: int, model: Any, tmp_path: Path) -> None:
    expected = model.predict_proba(FRAME[["a", "b", "c"]])
    methods = ["predict", "predict_proba"]
    text = b""
    for start in (0, 16, 32):
        outcome, files = await worker.write_outputs(
            handle, start, min(40, start + 16), ["json", "csv"], total=40, methods=methods
        )
        text += files["csv"][1]
    (tmp_path / "csv").write_bytes(text)
    _outcome, files = await worker.write_outputs(handle, 0, 40, ["npy"], total=40, methods=["predict_proba"])
    (tmp_path / "npy").write_bytes(files["npy"][1])
    table = pandas.read_csv(tmp_path / "csv")
    assert list(table) == ["predict", "predict_proba_0", "predict_proba_1"]
    assert table["predict_proba_1"].tolist() == expected[:, 1].tolist()
    assert (outcome.rows, outcome.outputs["predict"]) == (8, list(table["predict"][32:]))
    assert numpy.array_equal(numpy.load(tmp_path / "npy"), expected)


async def test_small_models_one_after_another(launcher: Launcher, open_file: OpenFile) -> None:
    await launcher.warm(modules=MODULES).warmed()
    worker, _told = await loaded(launcher, open_file, Ridge().fit(X, X[:, 1]))
    file = io.BytesIO()
    numpy.savez(file, X=X, y=X[:, 1])
    handle, _table = await worker.open_data(open_file(file.getvalue(), "d.npz"), "d.npz")
    outcome = await worker.call(handle, 0, 10, outputs=False, score=True)
    assert outcome.outputs == {}
    assert outcome.score is not None
    assert outcome.score.keys() == {"rows", "absolute", "squared"}
    await raw_arrays(worker)
    await refusals(worker, handle)
    worker, told = await loaded(launcher, open_file, LogisticRegression())
    assert "no warm-up" in told.notes[0]
    with pytest.raises(ChildFailed) as caught:
        await worker.call_rows([[1, 2, 3]])
    assert "before it was fitted" in (caught.value.hint or "")


async def raw_arrays(worker: Worker) -> None:
    places, body, spent = await worker.call_array("<f8", X.shape, X.tobytes())
    assert spent > 0
    (place,) = places
    answer = numpy.frombuffer(body, place.dtype, offset=place.offset).reshape(place.shape)
    fd = os.memfd_create("numbers")
    os.write(fd, X.tobytes())
    again, same, _spent = await worker.call_array("<f8", X.shape, fd)
    os.close(fd)
    assert (again, same) == (places, body)
    assert answer.shape == (40,)
    with pytest.raises(ChildRefused, match="are no <f8 array"):
        await worker.call_array("<f8", (1000, 1000), X.tobytes())
    with pytest.raises(ChildRefused, match="only numbers"):
        await worker.call_array("|O", (1,), b"12345678")


async def refusals(worker: Worker, handle: int) -> None:
    with pytest.raises(ChildFailed) as caught:
        await worker.call_array("<f8", (1, 2), numpy.ones(2).tobytes())
    failure = caught.value.failure
    assert failure is not None
    assert (failure.phase, failure.type, failure.input) == ("predict", "ValueError", "ndarray (1, 2) float64")
    assert "takes 3" in (failure.hint or "")
    assert failure.chain[-1].frames[0].function == "predict"
    assert not any("console" in frame.file for one in failure.chain for frame in one.frames)
    with pytest.raises(ChildRefused, match="Ridge has no predict_proba"):
        await worker.call(handle, 0, 1, methods=["predict_proba"])
    with pytest.raises(ChildRefused, match="has no __init__"):
        await worker.call(handle, 0, 1, methods=["__init__"])
    with pytest.raises(ChildRefused, match="equally many values"):
        await worker.call_rows([[1, 2, 3], [1]])
    with pytest.raises(ChildRefused, match="a row has 2 values, the model takes 3"):
        await worker.call_rows([[1.0, 2.0]])
    with pytest.raises(ChildRefused, match="no row"):
        await worker.call_rows([])


async def test_columns_that_do_not_fit_come_as_a_table(worker: Worker, evil: Load, open_file: OpenFile) -> None:
    names = "type('M', (), {'feature_names_in_': ['a', 'b'], 'predict': len})()"
    await worker.load(evil(names), "pickle")
    with pytest.raises(ChildRefused) as caught:
        await worker.open_data(open_file(b"a,c\n1,2\n", "d.csv"), "d.csv")
    assert caught.value.code == "columns"
    assert [(one["column"], one["problem"]) for one in caught.value.details["differences"]] == [
        ("b", "missing"),
        ("c", "surplus"),
    ]


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ("[float('nan'), float('-inf'), 1.5]", ["nan", "-inf", 1.5]),
        ("[b'\\xff', 'x', None, 10**30]", ["\\xff", "x", None, str(10**30)]),
        ("__import__('numpy').array([1, 2], 'uint8')", [1, 2]),
        ("__import__('numpy').array(['2020-01-01'], 'datetime64[D]')", ["2020-01-01"]),
        ("__import__('numpy').float32(2.5)", [2.5]),
        ("{1: (2,), 'k': {3}}", [{"1": [2], "k": [3]}]),
        ("[object]", ["<class 'object'>"]),
    ],
)
async def test_whatever_a_model_answers_is_json(worker: Worker, evil: Load, answer: str, plain: Any) -> None:
    await worker.load(evil(predicting(answer)), "pickle")
    assert (await worker.call_rows([[1]] * len(plain))).outputs == {"predict": plain}


async def test_warnings_come_with_the_answer(worker: Worker, evil: Load) -> None:
    await worker.load(evil(predicting("[__import__('warnings').warn('careful')] * len(X)")), "pickle")
    for _ in range(2):
        assert (await worker.call_rows([[1]])).warnings == ("UserWarning: careful",)


async def test_a_missing_module_is_named_with_its_phase(worker: Worker, evil: Load) -> None:
    with pytest.raises(ChildFailed) as caught:
        await worker.load(evil("1"), "pickle", imports=["no_such_library"])
    assert caught.value.failure is not None
    assert caught.value.failure.phase == "import"
    assert "pip install no_such_library" in (caught.value.hint or "")


async def test_the_live_score_maps_outliers_and_counts_what_has_no_truth(worker: Worker, open_file: OpenFile) -> None:
    rows = numpy.vstack([X + 5.0, X])
    forest = IsolationForest(n_estimators=5, random_state=0).fit(X)
    await worker.load(open_file(pickle.dumps(forest), "forest.pkl"), "pickle")
    cells = ["1"] * len(X) + ["0"] * (len(X) - 4) + [""] * 4
    lines = [",".join([*map(repr, row.tolist()), cell]) for row, cell in zip(rows, cells, strict=True)]
    text = "\n".join(["a,b,c,y", *lines])
    handle, table = await worker.open_data(open_file(text.encode(), "o.csv"), "o.csv", target="y")
    assert f"4 of {len(rows)} rows have no truth" in table.decided
    assert f"truth 1 taken for an outlier (-1), {len(X)} of {len(rows) - 4} rows" in table.decided
    outlier = await worker.call(handle, 0, 1, outputs=False, score=True)
    assert (outlier.score, outlier.unscored) == ({"rows": 1.0, "correct": 1.0, "outliers": 1.0, "flagged": 1.0}, "")
    last = await worker.call(handle, len(rows) - 4, len(rows), outputs=False, score=True)
    assert last.score == {"missing": 4.0}
    proba = await worker.call(handle, 0, 2, methods=["decision_function"], score=True)
    assert (proba.score, proba.unscored) == ({}, "decision_function is held against no truth")
    found = await worker.evaluate(handle)
    assert (found.task, found.rows, found.missing) == ("outlier detection", len(rows) - 4, 4)
    assert found.metrics["roc_auc"] > 0.9
    await worker.load(open_file(pickle.dumps(Ridge().fit(X, X[:, :2])), "ridge.pkl"), "pickle")
    handle, _table = await worker.open_data(open_file(text.encode(), "p.csv"), "p.csv", target="y")
    unlike = await worker.call(handle, 0, 2, outputs=False, score=True)
    assert unlike.score == {}
    assert "Ridge answers 2 values for each row (shape (2, 2)), the target has one column" in unlike.unscored
