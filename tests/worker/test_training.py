"""Training in a child: the ways of making a new model, what is refused before it, and the real trainer process."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas
import psutil
import pytest
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from backends.core import registry
from backends.core.errors import NotLoadable, Refusal
from backends.core.places import resolve
from backends.core.source import Source
from backends.core.tasks import CLASSIFICATION, CLUSTERING, REGRESSION
from backends.estimators.estimator import Estimator
from console.worker.child import metrics
from console.worker.child.answers import take
from console.worker.child.fitting import fit, jobs_of, refuse_hazards, with_jobs
from console.worker.child.labels import known_labels
from console.worker.child.replace_at import replaced
from console.worker.child.rows import check_rows
from console.worker.child.task import task_of
from console.worker.failures import ChildFailed, ChildRefused
from console.worker.launcher import Launcher
from console.worker.trainer import Candidate, Trained, Trainer, candidate_file

RANDOM = np.random.RandomState(0)
X = RANDOM.rand(200, 3)
Y = (X[:, 0] > 0.5).astype(int)
REAL = X @ np.array([1.0, 2.0, 3.0])


def no_step(done: int, total: int) -> None:
    """Nobody listens."""


class Pair(NamedTuple):
    """A holder that is a named tuple."""

    model: Any
    name: str


# places


@pytest.mark.parametrize(
    ("root", "at"),
    [
        ({"model": 1, "scaler": 2}, "model"),
        ([0, 1], "[1]"),
        ((0, 1, 2), "[2]"),
        (Pair(1, "x"), "[0]"),
        ({"a": (1, {"b.c": [5]})}, "a[1]['b.c'][0]"),
        ([{"m": (1, 2)}], "[0].m[1]"),
    ],
)
def test_a_model_is_put_where_the_old_one_stood(root: Any, at: str) -> None:
    new = replaced(root, at, "new")
    assert resolve(new, at) == "new"
    assert type(new) is type(root)
    assert len(new) == len(root)


def test_the_root_itself_and_an_attribute() -> None:
    assert replaced("old", "", "new") == "new"
    pipe = Pipeline([("a", StandardScaler()), ("b", LogisticRegression())])
    assert replaced(pipe, "steps[1][1]", "new").steps == [("a", pipe.steps[0][1]), ("b", "new")]


@pytest.mark.parametrize("at", ["missing", "[9]", "[", "model.x.y"])
def test_no_such_place(at: str) -> None:
    with pytest.raises(NotLoadable):
        replaced({"model": 1}, at, "new")


# ways of training


def test_fit_makes_a_new_model_with_the_same_parameters() -> None:
    old = make_pipeline(StandardScaler(), LogisticRegression(C=7.0)).fit(X[:20], Y[:20])
    new = fit(old, "fit", X, Y, no_step).model
    assert new is not old
    assert new.get_params()["logisticregression__C"] == 7.0
    expected = make_pipeline(StandardScaler(), LogisticRegression(C=7.0)).fit(X, Y)
    assert np.array_equal(new.predict_proba(X), expected.predict_proba(X))


def test_partial_fit_goes_on_in_batches_and_tells() -> None:
    old = SGDClassifier(random_state=0).fit(X[:20], Y[:20])
    seen: list[tuple[int, int]] = []
    before = old.t_
    new = fit(old, "partial_fit", X, Y, lambda done, total: seen.append((done, total))).model
    assert new.t_ == before + len(X)
    assert seen == [(done, 20) for done in range(21)]


def test_partial_fit_of_a_pipelines_last_step() -> None:
    old = make_pipeline(StandardScaler(), SGDClassifier(random_state=0)).fit(X[:50], Y[:50])
    mean = old[0].mean_.copy()
    before = old[-1].t_
    new = fit(old, "partial_fit", X, Y, no_step).model
    assert np.array_equal(new[0].mean_, mean)
    assert new[-1].t_ == before + len(X)


def test_partial_fit_without_a_target() -> None:
    new = fit(MiniBatchKMeans(2, random_state=0).fit(X[:50]), "partial_fit", X, None, no_step).model
    assert len(new.predict(X)) == len(X)


def test_warm_start_grows_an_ensemble_and_keeps_what_it_has() -> None:
    old = RandomForestClassifier(20, random_state=0).fit(X, Y)
    trees = list(old.estimators_)
    found = fit(old, "warm_start", X, Y, no_step)
    assert found.model.estimators_[:20] == trees
    assert len(found.model.estimators_) == 22
    assert found.model.warm_start is False
    assert found.notes == ["n_estimators grew from 20 to 22"]


def test_warm_start_of_a_linear_model_starts_from_its_weights() -> None:
    old = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, Y)
    new = fit(old, "warm_start", X, Y, no_step).model
    assert new[-1].n_iter_[0] < LogisticRegression(max_iter=500).fit(StandardScaler().fit_transform(X), Y).n_iter_[0]


@pytest.mark.parametrize(
    ("model", "mode", "words"),
    [
        (RandomForestClassifier(2).fit(X, Y), "partial_fit", "no partial_fit"),
        (DecisionTreeClassifier().fit(X, Y), "warm_start", "no warm_start"),
        (object(), "fit", "no fit"),
        (LogisticRegression(), "magic", "magic"),
    ],
)
def test_ways_that_a_model_has_not(model: Any, mode: str, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        fit(model, mode, X, Y, no_step)


def test_partial_fit_cannot_learn_new_classes() -> None:
    with pytest.raises(Refusal, match=r"partial_fit cannot add new classes.* adds '2'; use mode"):
        fit(SGDClassifier().fit(X, Y), "partial_fit", X, Y + 1, no_step)
    assert fit(SGDClassifier().fit(X, Y), "partial_fit", X[Y == 1], Y[Y == 1], no_step).model.t_ > len(X)


LETTERS = np.array(["a", "b", "c"])[np.arange(200) % 3]
MANY = np.stack([REAL, -REAL], axis=1)
NAMED = pandas.DataFrame(X, columns=["p", "q", "r"])


@pytest.mark.parametrize(
    ("model", "rows", "y", "words"),
    [
        (LogisticRegression(), X, np.where(LETTERS == "a", "d", LETTERS), "adds 'd' and lacks 'a'"),
        (LogisticRegression(), X, np.where(LETTERS == "a", "b", LETTERS), "lacks 'a'"),
        (RandomForestClassifier(3), X, np.where(np.arange(200) < 9, "new", LETTERS), "adds 'new'"),
        (make_pipeline(StandardScaler(), LogisticRegression()), X, Y, "adds '0', '1' and lacks 'a', 'b', 'c'"),
        (SGDClassifier(), X, np.arange(200), "adds .* and 195 more and lacks"),
        (MLPClassifier((2,), max_iter=2), X, np.where(LETTERS == "a", "b", LETTERS), "lacks 'a'"),
        (
            HistGradientBoostingClassifier(max_iter=2),
            X,
            np.where(LETTERS == "c", "e", LETTERS),
            "adds 'e' and lacks 'c'",
        ),
        (RandomForestClassifier(3), X[:, :2], LETTERS, "knows 3 features, the rows have 2"),
        (RandomForestClassifier(3), NAMED[["q", "p", "r"]], LETTERS, "features that the model knows, in their order"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_with_what_the_model_knows_alone(model: Any, rows: Any, y: Any, words: str) -> None:
    known = NAMED if hasattr(rows, "columns") else X
    with pytest.raises(Refusal, match=words):
        fit(model.fit(known, LETTERS), "warm_start", rows, y, no_step)


@pytest.mark.parametrize("mode", ["warm_start", "partial_fit"])
def test_going_on_takes_as_many_outputs_as_the_model_has(mode: str) -> None:
    regressor = MLPRegressor(hidden_layer_sizes=(2,), max_iter=500).fit(X[:20], REAL[:20])
    with pytest.raises(Refusal, match="has 1 outputs, the target has 2"):
        fit(regressor, mode, X, MANY, no_step)
    with pytest.raises(Refusal, match="knows 3 features, the rows have 2"):
        fit(regressor, mode, X[:, :2], REAL, no_step)
    assert fit(regressor, mode, X, REAL, no_step).model is regressor
    forest = RandomForestRegressor(2).fit(X, MANY)
    with pytest.raises(Refusal, match="has 2 outputs, the target has 1"):
        fit(forest, "warm_start", X, REAL, no_step)
    several = RandomForestClassifier(2).fit(X, np.stack([Y, 1 - Y], axis=1))
    with pytest.raises(Refusal, match="adds '7'"):
        fit(several, "warm_start", X, np.stack([Y, np.where(Y, 7, 0)], axis=1), no_step)
    assert fit(several, "warm_start", X, np.stack([Y, 1 - Y], axis=1), no_step).model.n_estimators == 3


def test_a_warm_start_takes_classes_however_they_are_spelled() -> None:
    words = RandomForestClassifier(5, random_state=0).fit(X, np.array(["0", "1"])[Y])
    assert fit(words, "warm_start", X, Y, no_step).model.classes_.tolist() == ["0", "1"]
    assert set(words.predict(X)) <= {"0", "1"}
    whole = SGDClassifier(random_state=0).fit(X, Y)
    assert fit(whole, "warm_start", X, Y.astype(float), no_step).model.classes_.dtype.kind == "i"


def test_a_warm_start_of_boosting_by_histograms_grows_it() -> None:
    old = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(X, Y)
    found = fit(old, "warm_start", X, Y, no_step)
    assert (found.model.n_iter_, found.notes) == (11, ["max_iter grew from 10 to 11"])


def test_parameters_that_would_run_something_are_refused(tmp_path: Path) -> None:
    refuse_hazards(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.raises(Refusal, match="memory"):
        refuse_hazards(Pipeline([("m", LogisticRegression())], memory=str(tmp_path)))
    inner = Pipeline([("m", LogisticRegression())], memory=str(tmp_path))
    with pytest.raises(Refusal, match="outer__memory"):
        refuse_hazards(Pipeline([("outer", inner)]))


def test_the_number_of_jobs_comes_back() -> None:
    model = make_pipeline(StandardScaler(), RandomForestClassifier(2, n_jobs=-1))
    jobs = jobs_of(model)
    assert jobs == {"randomforestclassifier__n_jobs": -1}
    model.set_params(randomforestclassifier__n_jobs=1)
    assert with_jobs(model, jobs).get_params()["randomforestclassifier__n_jobs"] == -1


# rows


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "needs a target"),
        (np.where(np.arange(200) == 7, np.nan, Y.astype(float)), "1 of 200 rows, first in row 8"),
        (np.array([None, *Y[1:].tolist()], dtype=object), "first in row 1"),
        (np.ones(200), "one class only"),
        (Y[:10], "200 rows of inputs, but 10"),
    ],
)
def test_rows_that_teach_nothing_are_refused(y: Any, words: str) -> None:
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(Refusal, match=words):
        check_rows(Estimator(model), task_of(Estimator(model), y), X, y)


def test_text_is_no_target_for_numbers() -> None:
    with pytest.raises(Refusal, match="holds text"):
        check_rows(Estimator(Ridge().fit(X, REAL)), REGRESSION, X, np.array(["a"] * 200))


def test_labels_are_spelled_as_the_model_knows_them() -> None:
    model = LogisticRegression().fit(X, np.array(["0", "1"])[Y])
    _rows, y = check_rows(Estimator(model), CLASSIFICATION, X, Y)
    assert set(y) == {"0", "1"}
    same = known_labels(np.array(["True", "False"]), np.array([False, True]))
    assert same.tolist() == [True, False]
    assert known_labels(np.array(["a", "b"]), np.array([1, 2])).tolist() == ["a", "b"]


def test_a_clusterer_needs_no_target() -> None:
    assert check_rows(Estimator(KMeans(2)), CLUSTERING, X, Y)[1] is None


# metrics


def test_metrics_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import get_scorer

    model = LogisticRegression().fit(X[:100], Y[:100])
    task, found = metrics.evaluate(Estimator(model), X, Y, ["neg_log_loss", "matthews_corrcoef"])
    assert task == "classification"
    for name in ("accuracy", "balanced_accuracy", "f1", "roc_auc", "neg_log_loss"):
        assert found[name] == pytest.approx(get_scorer(name)(model, X, Y)), name
    assert found["log_loss"] == pytest.approx(-found["neg_log_loss"])
    assert "matthews_corrcoef" in found


def test_metrics_of_three_classes_text_labels_and_decision_values() -> None:
    labels = np.array(["a", "b", "c"])[np.arange(200) % 3]
    task, found = metrics.evaluate(Estimator(LogisticRegression().fit(X, labels)), X, labels)
    assert task == "classification"
    assert set(found) == {"accuracy", "balanced_accuracy", "f1_weighted", "roc_auc_ovr", "log_loss"}
    _task, found = metrics.evaluate(Estimator(SGDClassifier(random_state=0).fit(X, Y)), X, Y)
    assert "roc_auc" in found
    assert "log_loss" not in found


def test_metrics_of_numbers_and_of_clusters() -> None:
    task, found = metrics.evaluate(Estimator(Ridge().fit(X, REAL)), X, REAL)
    assert (task, set(found)) == ("regression", {"r2", "mean_absolute_error", "root_mean_squared_error", "max_error"})
    task, found = metrics.evaluate(Estimator(KMeans(2, random_state=0).fit(X)), X, None)
    assert task == "clustering"
    assert {"silhouette_score", "davies_bouldin_score"} <= set(found)


def test_metrics_of_a_transformation_there_and_back() -> None:
    task, found = metrics.evaluate(Estimator(PCA(2).fit(X)), X, None)
    assert task == "transformation"
    assert 0 < found["mean_squared_error"] < X.var()
    assert metrics.evaluate(Estimator(PolynomialFeatures().fit(X)), X, None) == ("transformation", {})


def test_what_cannot_be_measured() -> None:
    with pytest.raises(Refusal, match="neither predict nor transform"):
        metrics.evaluate(Estimator(object()), X, Y)
    with pytest.raises(Refusal, match="target"):
        metrics.evaluate(Estimator(LogisticRegression().fit(X, Y)), X, None)
    with pytest.raises(Refusal, match="fantasy"):
        metrics.evaluate(Estimator(LogisticRegression().fit(X, Y)), X, Y, ["fantasy"])
    _task, found = metrics.evaluate(Estimator(LogisticRegression().fit(X, Y)), X[Y == 1], Y[Y == 1])
    assert "roc_auc" not in found
    assert found["accuracy"] >= 0


def test_the_rows_held_back_are_always_the_same_fifth() -> None:
    fitted, held = metrics.split(100)
    assert len(held) == 20
    assert sorted([*fitted, *held]) == list(range(100))
    assert np.array_equal(metrics.split(100)[1], held)
    assert len(metrics.held_back(pandas.DataFrame(X), Y)[0]) == 40
    assert len(take(["a", "b", "c"], np.array([0, 2]))) == 2


# the artifact's own format


@pytest.mark.parametrize(
    ("format", "compression"),
    [("pickle", None), ("pickle", "gzip"), ("pickle", "xz"), ("joblib", None), ("joblib", "zlib"), ("hdf5", None)],
)
def test_a_candidate_is_written_as_the_artifact_was(format: str, compression: str | None) -> None:  # noqa: A002
    model = LogisticRegression().fit(X, Y)
    fd = os.memfd_create("candidate")
    try:
        registry.save(model, format, fd, compression=compression)
        found = registry.inspect(Source(fd, f"m{registry.named(format).suffix}"))
        assert (found.format if format != "joblib" else "joblib", found.compression) == (format, compression)
        assert np.array_equal(registry.load(Source(fd), format).model.predict_proba(X), model.predict_proba(X))
    finally:
        os.close(fd)


# the process


@pytest.fixture
async def launcher() -> AsyncIterator[Launcher]:
    launcher = Launcher()
    yield launcher
    await launcher.close()


def write(path: Path, model: Any) -> Path:
    with path.open("wb") as file:
        pickle.dump(model, file) if path.suffix == ".pkl" else joblib.dump(model, file)
    return path


def table(path: Path, y: Any = Y) -> Path:
    pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y}).to_csv(path, index=False)
    return path


async def train(
    launcher: Launcher, artifact: Path, rows: Path, candidate: int, mode: str = "fit", at: str = "", **options: Any
) -> tuple[Trained, list[str]]:
    phases: list[str] = []
    trainer = await Trainer.start(launcher, artifact.name)
    with artifact.open("rb") as model, rows.open("rb") as data:
        current = Candidate((model.fileno(),), "pickle", None, at, mode)
        trained = await trainer.train(
            current,
            data.fileno(),
            rows.name,
            target=options.get("target", "y"),
            hold_back=options.get("hold_back", False),
            candidate=candidate,
            on_progress=lambda phase, _done, _total, _text: phases.append(phase),
        )
    await trainer.end()
    return trained, phases


async def test_a_trainer_makes_a_candidate(launcher: Launcher, tmp_path: Path) -> None:
    holder = {"model": LogisticRegression(C=3.0).fit(X[:20], Y[:20]), "threshold": 0.4}
    artifact = write(tmp_path / "m.pkl", holder)
    candidate = candidate_file("candidate")
    trained, phases = await train(launcher, artifact, table(tmp_path / "rows.csv"), candidate, at="model")
    assert (trained.rows, trained.held_back, trained.task) == (200, 0, "classification")
    assert list(dict.fromkeys(phases)) == ["load", "read", "check", "fit", "save"]
    with os.fdopen(candidate, "rb") as file:
        file.seek(0)
        new = pickle.load(file)
    assert new["threshold"] == 0.4
    expected = LogisticRegression(C=3.0).fit(X, Y).predict_proba(X)
    assert np.allclose(new["model"].predict_proba(X), expected)


@pytest.mark.parametrize(
    ("y", "target", "words"),
    [(Y, "nothing", "missing target"), (np.ones(200), "y", "one class only")],
)
async def test_bad_rows_are_refused_with_a_failure(
    launcher: Launcher, tmp_path: Path, y: Any, target: str | None, words: str
) -> None:
    artifact = write(tmp_path / "m.pkl", LogisticRegression().fit(X, Y))
    candidate = candidate_file("candidate")
    with pytest.raises(ChildRefused, match=words) as caught:
        await train(launcher, artifact, table(tmp_path / "rows.csv", y), candidate, target=target)
    assert os.fstat(candidate).st_size == 0
    os.close(candidate)
    assert caught.value.failure is not None
    assert caught.value.failure.phase in ("read", "check")


async def test_cancelling_kills_the_trainer(launcher: Launcher, tmp_path: Path) -> None:
    endless = LogisticRegression(max_iter=1, tol=0.0, solver="saga").fit(X, Y).set_params(max_iter=10**9)
    artifact = write(tmp_path / "m.pkl", endless)
    rows = table(tmp_path / "rows.csv")
    candidate = candidate_file("candidate")
    fitting = asyncio.Event()
    trainer = await Trainer.start(launcher, "m.pkl")

    def on_progress(phase: str, _done: int | None, _total: int | None, _text: str) -> None:
        if phase == "fit":
            fitting.set()

    with artifact.open("rb") as model, rows.open("rb") as data:
        task = asyncio.ensure_future(
            trainer.train(
                Candidate((model.fileno(),), "pickle", None, "", "fit"),
                data.fileno(),
                rows.name,
                target="y",
                hold_back=False,
                candidate=candidate,
                on_progress=on_progress,
            )
        )
        await asyncio.wait_for(fitting.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    os.close(candidate)
    assert trainer.child.ended.is_set()
    assert not psutil.pid_exists(trainer.child.pid)


# the operator's own program

PROGRAM = """
import pickle, sys
from sklearn.linear_model import LogisticRegression
print("training", flush=True)
model = LogisticRegression(C=9.0).fit([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], [0, 1])
with open(sys.argv[1], "wb") as file:
    pickle.dump(model, file)
"""


async def run(launcher: Launcher, directory: Path, *command: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    candidate = candidate_file("candidate")
    trainer = await Trainer.start(launcher, "m.pkl", readable=(str(directory),), forks=True)
    try:
        await trainer.command(
            command,
            str(directory),
            ".pkl",
            candidate=candidate,
            on_progress=lambda _phase, _done, _total, text: lines.append(text),
        )
    except BaseException:
        os.close(candidate)
        raise
    finally:
        await trainer.end()
    return candidate, lines


async def test_a_program_of_the_operators_own(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    candidate, lines = await run(launcher, tmp_path, "python", "train.py", "{candidate}")
    assert "training" in lines
    with os.fdopen(candidate, "rb") as file:
        file.seek(0)
        assert pickle.load(file).C == 9.0


@pytest.mark.parametrize(
    ("program", "command", "words"),
    [
        ("raise SystemExit(3)", ("python", "train.py", "{candidate}"), "exit code 3"),
        ("pass", ("python", "train.py", "{candidate}"), "wrote no candidate"),
        ("pass", ("python", "train.py"), "names no {candidate}"),
        ("pass", ("/no/such/program", "{candidate}"), "cannot start"),
    ],
)
async def test_a_program_that_fails(
    launcher: Launcher, tmp_path: Path, program: str, command: tuple[str, ...], words: str
) -> None:
    (tmp_path / "train.py").write_text(program)
    with pytest.raises((ChildFailed, ChildRefused), match=words):
        await run(launcher, tmp_path, *command)


async def test_a_program_cannot_write_outside_or_reach_the_network(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import socket, sys\n"
        "for attempt in (lambda: open('marker', 'w'), lambda: socket.socket()):\n"
        "    try:\n        attempt()\n    except OSError as error:\n        print(type(error).__name__, flush=True)\n"
        "open(sys.argv[1], 'w').write('x')\n"
    )
    candidate, lines = await run(launcher, tmp_path, "python", "train.py", "{candidate}")
    os.close(candidate)
    assert [line for line in lines if line] == ["PermissionError", "PermissionError"]
    assert not (tmp_path / "marker").exists()
