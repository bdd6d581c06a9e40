"""Truth of a table: every metric is scikit-learn's own on the same rows, or left out with its cause."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn import metrics as known
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.covariance import EllipticEnvelope
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDOneClassSVM
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from backends.core.errors import Refusal
from backends.estimators.estimator import Estimator
from console.worker.child import metrics, truth
from console.worker.child.answers import Answers
from console.worker.child.live_score import score
from console.worker.child.measures import Measurement

RANDOM = np.random.RandomState(3)
X = RANDOM.rand(200, 4)
TWO = (X[:, 0] + 0.5 * RANDOM.rand(200) > 0.7).astype(int)
THREE = np.clip((X[:, 0] * 2 + X[:, 1] + 0.3 * RANDOM.rand(200)).astype(int), 0, 2)
REAL = X @ np.array([1.0, 2.0, 3.0, 4.0]) + RANDOM.rand(200)
WHOLE = (REAL * 3).astype(int)
PAIR = np.column_stack([REAL, X[:, 0] - 2 * X[:, 1] + 0.1 * RANDOM.rand(200)])
LABELS = np.column_stack([TWO, (X[:, 1] > 0.4).astype(int), (X[:, 2] + 0.3 * RANDOM.rand(200) > 0.6).astype(int)])
OUT = np.zeros(200, dtype=int)
OUT[:20] = 1
FAR = X.copy()
FAR[:20] += 3 * RANDOM.rand(20, 4)
SLOW = pytest.mark.slow


def measured(model: Any, y: Any, rows: Any = X, extra: tuple[str, ...] = ()) -> Measurement:
    return metrics.measured(Answers(Estimator(model), rows), y, extra)


def close(found: Measurement, expected: dict[str, float]) -> None:
    assert found.metrics == pytest.approx(expected, abs=1e-12, rel=1e-12), (found.metrics, expected)


# how labels are spelled


def spelled(y: Any, how: str) -> Any:
    """The labels 0, 1 (and 2) in another spelling."""
    plain: dict[str, Callable[[int], Any]] = {
        "int": int,
        "float": float,
        "text": str,
        "float text": lambda one: f"{one}.0",
        "bool": bool,
        "bool text": lambda one: str(bool(one)),
        "TRUE": lambda one: str(bool(one)).upper(),
        "object": lambda one: one,
        "words": lambda one: "abc"[one],
    }
    found = [plain[how](one) for one in y.tolist()]
    return np.asarray(found, dtype=object) if how == "object" else np.asarray(found)


SPELLINGS = ("int", "float", "text", "float text", "bool", "bool text", "TRUE")
CLASSIFIERS: tuple[Callable[[], Any], ...] = (
    LogisticRegression,
    lambda: RandomForestClassifier(5, random_state=0),
    SVC,
    RidgeClassifier,
    KNeighborsClassifier,
    lambda: DecisionTreeClassifier(max_depth=3, random_state=0),
    lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    lambda: GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
    lambda: DummyClassifier(strategy="prior"),
)


def of_labels(model: Any, rows: Any, y: Any, classes: Any) -> dict[str, float]:
    """The values of scikit-learn, called directly."""
    answer = model.predict(rows)
    found = {
        "accuracy": known.accuracy_score(y, answer),
        "balanced_accuracy": known.balanced_accuracy_score(y, answer),
    }
    two = len(classes) == 2
    if two:
        found["f1"] = known.f1_score(y, answer, pos_label=classes[1])
        scores = model.decision_function(rows) if hasattr(model, "decision_function") else None
        scores = model.predict_proba(rows)[:, 1] if scores is None else scores
        found["roc_auc"] = known.roc_auc_score(y == classes[1], scores)
    else:
        found["f1_weighted"] = known.f1_score(y, answer, average="weighted")
    if hasattr(model, "predict_proba"):
        proba = model.predict_proba(rows)
        found["log_loss"] = known.log_loss(y, proba, labels=classes)
        if not two:
            found["roc_auc_ovr"] = known.roc_auc_score(y, proba, multi_class="ovr", labels=classes)
    return found


@pytest.mark.parametrize("fitted", SPELLINGS)
def test_two_classes_in_any_spelling_of_fitting_and_of_the_file(fitted: str) -> None:
    model = LogisticRegression().fit(X, spelled(TWO, fitted))
    native = model.classes_[TWO]
    for given in (*SPELLINGS, "object"):
        found = measured(model, spelled(TWO, given))
        assert (found.task, found.causes, found.notes) == ("classification", {}, []), given
        close(found, of_labels(model, X, native, model.classes_))


@pytest.mark.parametrize("make", CLASSIFIERS)
@pytest.mark.parametrize("labels", [TWO, spelled(TWO, "words"), spelled(THREE, "words"), spelled(THREE, "float")])
def test_families_of_classifiers(make: Callable[[], Any], labels: Any) -> None:
    model = make().fit(X, labels)
    found = measured(model, labels)
    close(found, of_labels(model, X, labels, model.classes_))
    assert {*found.metrics, *found.causes} >= {"accuracy", "balanced_accuracy", "log_loss"}


@pytest.mark.slow
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_classifiers_of_other_libraries(library: str) -> None:
    kinds = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}
    make = getattr(importlib.import_module(library), kinds[library])
    model = make(n_estimators=5, n_jobs=1, **({"verbose": -1} if library == "lightgbm" else {})).fit(X, THREE)
    for given in ("int", "float", "text"):
        close(measured(model, spelled(THREE, given)), of_labels(model, X, THREE, model.classes_))


GATES = ("neg_log_loss", "roc_auc_ovr", "roc_auc_ovo", "f1_macro", "f1_micro", "precision_weighted", "recall_macro")


@pytest.mark.parametrize("labels", [TWO, spelled(TWO, "words"), THREE, spelled(THREE, "words")])
def test_the_metric_of_a_gate_is_the_scorer_of_that_name(labels: Any) -> None:
    model = LogisticRegression().fit(X, labels)
    found = measured(model, labels, extra=(*GATES, "neg_brier_score", "matthews_corrcoef", "f1_score"))
    for name in (*GATES, "matthews_corrcoef"):
        assert found.metrics[name] == pytest.approx(known.get_scorer(name)(model, X, labels), abs=1e-12), name
    answer = model.predict(X)
    two = len(model.classes_) == 2
    f1 = known.f1_score(labels, answer, **({"pos_label": model.classes_[1]} if two else {"average": "macro"}))
    assert found.metrics["f1_score"] == pytest.approx(f1, abs=1e-12)


# rows without a truth


def gapped(y: Any, kind: str) -> Any:
    """The truth with every ninth missing."""
    found = y.astype(object) if kind != "nan" else y.astype(float)
    found[::9] = {"nan": np.nan, "none": None, "empty": "", "NA": "NA", "pandas": pandas.NA, "blank": "  "}[kind]
    return found


@pytest.mark.parametrize("kind", ["nan", "none", "empty", "NA", "pandas", "blank"])
def test_a_missing_truth_is_left_out_and_counted(kind: str) -> None:
    keep = np.arange(200) % 9 != 0
    words = spelled(TWO, "words")
    cases = [(LogisticRegression().fit(X, TWO), TWO), (LinearRegression().fit(X, REAL), REAL)]
    cases += [(LogisticRegression().fit(X, words), words)] if kind != "nan" else []
    for model, y in cases:
        found = measured(model, gapped(y, kind))
        assert (found.rows, found.missing) == (177, 23)
        assert found.notes == ["23 of 200 rows have no truth and were left out"]
        close(found, measured(model, y[keep], X[keep]).metrics)
        prepared = truth.prepared(Estimator(model), gapped(y, kind))
        told = score(prepared, Estimator(model), 0, 20, model.predict(X[:20]))
        answer, there = model.predict(X[:20]), keep[:20]
        assert (told["rows"], told["missing"]) == (17.0, 3.0)
        if "correct" in told:
            assert told["correct"] == float((answer == y[:20])[there].sum())
        else:
            assert told["absolute"] == pytest.approx(np.abs(answer - y[:20])[there].sum(), abs=1e-12)
        assert score(prepared, model, 9, 10, model.predict(X[9:10])) == {"missing": 1.0}


def test_a_class_that_is_spelled_like_a_gap_is_a_class() -> None:
    labels = np.asarray(["NA", "None"], dtype=object)[TWO]
    model = LogisticRegression().fit(X, labels)
    found = measured(model, labels)
    assert found.missing == 0
    close(found, of_labels(model, X, labels, model.classes_))


@pytest.mark.parametrize(
    "model", [LogisticRegression().fit(X, TWO), Ridge().fit(X, REAL), IsolationForest(n_estimators=5).fit(X)]
)
def test_where_all_truth_is_missing_nothing_is_measured(model: Any) -> None:
    found = measured(model, np.full(200, np.nan))
    assert (found.rows, found.missing, found.metrics) == (0, 200, {})
    assert found.notes == ["none of the 200 rows has a truth"]


def test_an_infinite_truth_and_answers_that_are_no_numbers_are_named() -> None:
    model = LinearRegression().fit(X, REAL)
    y = REAL.copy()
    y[[4, 7]], y[2] = np.inf, np.nan
    with pytest.raises(Refusal, match="the target is infinite in 2 of 199 rows, first in row 5"):
        measured(model, y)
    broken = LinearRegression().fit(X, REAL)
    broken.coef_[0] = np.nan
    found = measured(broken, REAL)
    assert found.metrics == {}
    assert set(found.causes.values()) == {"the model's answer is no finite number in 200 of 200 rows"}


# labels and truths of another kind


def test_labels_that_the_model_does_not_know_are_named() -> None:
    model = LogisticRegression().fit(X, spelled(TWO, "words"))
    y = spelled(TWO, "words").astype(object)
    y[:3] = "d"
    found = measured(model, y, extra=("f1_macro",))
    assert found.notes[0].startswith("3 of 200 rows have a label that the model does not know ('d')")
    assert set(found.causes) == {"f1", "roc_auc", "log_loss"}
    assert set(found.causes.values()) == {"the model does not know the class 'd'"}
    assert found.metrics["accuracy"] == pytest.approx(known.accuracy_score(y.astype(str), model.predict(X)), abs=1e-12)
    numbers = LogisticRegression().fit(X, TWO)
    mixed = TWO.astype(object)
    mixed[:3] = "d"
    found = measured(numbers, mixed)
    hits = float((numbers.predict(X)[3:] == TWO[3:]).sum()) / 200
    assert found.metrics["accuracy"] == pytest.approx(hits, abs=1e-12)


@pytest.mark.parametrize(
    ("model", "y", "words"),
    [
        (LogisticRegression().fit(X, TWO), spelled(TWO, "words"), "it holds 'a', 'b', it knows '0', '1'"),
        (LinearRegression().fit(X, REAL), spelled(TWO, "words"), "the target holds text, but the model predicts num"),
        (LinearRegression().fit(X, REAL), np.full(200, "2020-01-01", dtype="M8[D]"), "the target holds dates"),
        (LinearRegression().fit(X, REAL), REAL * 1j, "the target holds complex numbers"),
        (LinearRegression().fit(X, PAIR), REAL, r"answers 2 values for each row .*, the target has one column"),
        (LinearRegression().fit(X, REAL), PAIR, r"answers one value for each row .*, the target has 2 columns"),
        (OneVsRestClassifier(LogisticRegression()).fit(X, LABELS), TWO, "3 values for each row .* has one column"),
        (MultiOutputClassifier(LogisticRegression()).fit(X, LABELS), TWO, "3 values for each row .* has one column"),
        (LogisticRegression().fit(X, TWO), np.full((200, 2), "a"), "answers one value for each row .* has 2 columns"),
        (LogisticRegression().fit(X, TWO), LABELS, "answers one value for each row .* the target has 3 columns"),
        (MLPClassifier(3, max_iter=5).fit(X, LABELS), LABELS[:, :2], "3 values for each row .* has 2 columns"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_cannot_be_compared_is_refused(model: Any, y: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        measured(model, y)
    with pytest.raises(Refusal, match=words):
        score(truth.prepared(Estimator(model), y), Estimator(model), 0, 5, model.predict(X[:5]))


def test_labels_of_several_that_the_model_does_not_know_spoil_every_metric_of_labels() -> None:
    model = RandomForestClassifier(3, random_state=0).fit(X, LABELS)
    found = measured(model, LABELS * 2)
    rows = int((LABELS == 1).any(axis=1).sum())
    assert found.notes[0].startswith(f"{rows} of 200 rows have a label that the model does not know ('2')")
    assert found.metrics == {"accuracy": float((model.predict(X) == LABELS * 2).all(axis=1).mean())}
    assert found.causes["f1_weighted"] == "the model does not know the class '2'"


def test_an_unknown_label_that_is_no_whole_number_counts_as_wrong() -> None:
    model = LogisticRegression().fit(X, TWO)
    y = np.where(TWO == 1, 1.0, 0.5)
    assert measured(model, y).metrics["accuracy"] == float((model.predict(X) == y).mean())


def test_whole_numbers_that_floats_round_are_refused() -> None:
    model = DecisionTreeClassifier(max_depth=2).fit(X, TWO + 2**53)
    assert measured(model, (TWO + 2**53).astype(object)).metrics["accuracy"] > 0.5
    with pytest.raises(Refusal, match="the target, having gaps, was read as floats"):
        measured(model, np.where(np.arange(200) == 3, np.nan, TWO + 2**53))


def test_bytes_blanks_and_decimals_are_spelled_as_the_classes_are() -> None:
    for classes, given in (((b"a", b"b"), ("a", "b")), (("a", "b"), (b"a", b"b")), ((" ", "b"), (" ", "b"))):
        model = DecisionTreeClassifier(max_depth=2).fit(X, np.array(classes)[TWO])
        expected = of_labels(DecisionTreeClassifier(max_depth=2).fit(X, TWO), X, TWO, [0, 1])
        close(measured(model, np.array(given, dtype=object)[TWO]), expected)
    prepared = truth.prepared(
        Estimator(DummyClassifier().fit(X, TWO + 1.5)), np.array(["1.50", "2.5"], dtype=object)[TWO]
    )
    assert prepared.y.tolist() == (TWO + 1.5).tolist()


# numbers


class Network:
    """Answers a column of numbers, and says nothing of itself."""

    def predict(self, rows: Any) -> Any:
        return (np.asarray(rows) @ np.array([[3.0], [6.0], [9.0], [12.0]])).astype("float32")


def of_numbers(y: Any, answer: Any) -> dict[str, float]:
    found = {
        "r2": known.r2_score(y, answer),
        "mean_absolute_error": known.mean_absolute_error(y, answer),
        "root_mean_squared_error": known.root_mean_squared_error(y, answer),
    }
    return {**found, "max_error": known.max_error(y, answer)} if np.ndim(y) == 1 else found


def regressors(y: Any) -> Iterator[Any]:
    yield Ridge().fit(X, y)
    yield RandomForestRegressor(5, random_state=0).fit(X, y)
    yield TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(X, y)
    yield make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    yield GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2).fit(X, y)
    yield Network()


def regressors_of_other_libraries(y: Any) -> Iterator[Any]:
    import lightgbm
    import statsmodels.api
    import xgboost

    yield xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(X, y)
    yield lightgbm.LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1).fit(X, y)
    yield lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, y.astype(float)), 5)
    yield statsmodels.api.OLS(y, X).fit()


@pytest.mark.parametrize(
    "fitted", [regressors, pytest.param(regressors_of_other_libraries, marks=SLOW)], ids=["own", "others"]
)
@pytest.mark.parametrize("y", [REAL, WHOLE, WHOLE % 2], ids=["real", "whole", "zero and one"])
def test_numbers_are_measured_as_numbers_whatever_the_model_says_of_itself(
    y: Any, fitted: Callable[[Any], Iterator[Any]]
) -> None:
    for model in fitted(y):
        found = measured(model, y)
        assert found.task == "regression", type(model)
        found.metrics.pop("roc_auc", None)
        close(found, of_numbers(y, np.asarray(model.predict(X)).ravel()))


@pytest.mark.slow
def test_the_chances_of_a_booster_are_ranked_as_well() -> None:
    import lightgbm

    model = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, TWO), 5)
    found = measured(model, TWO)
    assert found.metrics["roc_auc"] == pytest.approx(known.roc_auc_score(TWO, model.predict(X)), abs=1e-12)
    assert "the truth is 0 and 1, the answers lie between" in found.meanings[0]


def test_one_row_has_no_r2_and_one_class_no_roc_auc() -> None:
    found = measured(LinearRegression().fit(X, REAL), REAL[:1], X[:1])
    assert found.causes == {"r2": "it is not defined on fewer than two rows"}
    one = TWO == 1
    found = measured(LogisticRegression().fit(X, TWO), TWO[one], X[one])
    assert found.causes == {"roc_auc": "the truth holds one class only ('1')"}
    some = THREE != 2
    found = measured(LogisticRegression().fit(X, THREE), THREE[some], X[some])
    assert found.causes == {"roc_auc_ovr": "the truth has no row of the class '2'"}
    found = measured(SVC().fit(X, TWO), TWO)
    assert found.causes == {"log_loss": "log_loss is computed from scores, and SVC has no predict_proba"}


class Says:
    """Answers words, and has nothing that says which there are."""

    def predict(self, rows: Any) -> Any:
        return [["no", "yes"][int(one > 0.7)] for one in rows[:, 0]]


def test_a_model_that_names_no_classes_is_measured_by_its_answers() -> None:
    words = np.array(["no", "yes"], dtype=object)[TWO]
    found = measured(Says(), words)
    answer = Says().predict(X)
    close(
        found,
        {
            "accuracy": known.accuracy_score(words, answer),
            "balanced_accuracy": known.balanced_accuracy_score(words, answer),
            "f1_weighted": known.f1_score(words, answer, average="weighted"),
        },
    )
    assert set(found.causes.values()) == {"Says does not say which classes its scores are of"}


# several outputs


@pytest.mark.parametrize(
    "model", [LinearRegression().fit(X, PAIR), MultiOutputRegressor(Ridge()).fit(X, PAIR), RandomForestRegressor(3)]
)
def test_several_numbers_are_averaged_as_scikit_learn_does(model: Any) -> None:
    model.fit(X, PAIR)
    found = measured(model, PAIR, extra=("neg_mean_squared_error", "neg_root_mean_squared_error"))
    expected = of_numbers(PAIR, model.predict(X))
    for name in ("neg_mean_squared_error", "neg_root_mean_squared_error"):
        expected[name] = known.get_scorer(name)(model, X, PAIR)
    close(found, expected)
    assert "Multioutput not supported" in found.causes["max_error"]
    told = score(truth.prepared(Estimator(model), PAIR), Estimator(model), 0, None, model.predict(X))
    assert told["absolute"] / told["rows"] == pytest.approx(expected["mean_absolute_error"], abs=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier(),
        MLPClassifier(3, max_iter=5, random_state=0),
    ],
)
@pytest.mark.parametrize("given", ["float", "text", *(pytest.param(one, marks=SLOW) for one in ("int", "bool"))])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_labels_a_row(model: Any, given: str) -> None:
    model.fit(X, LABELS)
    y = np.column_stack([spelled(column, given) for column in LABELS.T])
    ranks = ("label_ranking_loss", "coverage_error", "label_ranking_average_precision_score", "ndcg_score")
    found = measured(model, y, extra=("f1_macro", "hamming_loss", *ranks))
    answer, scores = model.predict(X), model.predict_proba(X)
    if isinstance(scores, list):
        scores = np.column_stack([one[:, 1] for one in scores])
    scores = model.decision_function(X) if hasattr(model, "decision_function") else scores
    expected = {
        "accuracy": known.accuracy_score(LABELS, answer),
        "f1_weighted": known.f1_score(LABELS, answer, average="weighted"),
        "f1_macro": known.f1_score(LABELS, answer, average="macro"),
        "hamming_loss": known.hamming_loss(LABELS, answer),
        "roc_auc": known.roc_auc_score(LABELS, scores),
        **{name: getattr(known, name)(LABELS, scores) for name in ranks},
    }
    close(found, expected)
    assert set(found.causes) == {"balanced_accuracy", "log_loss"}
    told = score(truth.prepared(Estimator(model), y), Estimator(model), 0, None, answer)
    assert told == {"rows": 200.0, "correct": 200 * expected["accuracy"]}


def test_several_outputs_of_more_classes_are_averaged() -> None:
    y = np.column_stack([spelled(THREE, "words"), spelled(TWO, "words")])
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    found = measured(model, y)
    answer, proba = model.predict(X), model.predict_proba(X)
    expected = {
        "accuracy": float((answer == y).all(axis=1).mean()),
        "balanced_accuracy": np.mean([known.balanced_accuracy_score(y[:, at], answer[:, at]) for at in (0, 1)]),
        "f1_weighted": np.mean([known.f1_score(y[:, at], answer[:, at], average="weighted") for at in (0, 1)]),
        "log_loss": np.mean([known.log_loss(y[:, at], proba[at]) for at in (0, 1)]),
        "roc_auc_ovr": np.mean(
            [
                known.roc_auc_score(y[:, 0], proba[0], multi_class="ovr"),
                known.roc_auc_score(y[:, 1] == "b", proba[1][:, 1]),
            ]
        ),
    }
    close(found, expected)
    assert found.meanings == [
        "accuracy is the share of rows with all 2 outputs right; other metrics are averages over the outputs"
    ]


# outliers


class Rising(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Made like PyOD's: 1 is an outlier, and so are high scores."""

    def fit(self, rows: Any, y: Any = None) -> Rising:
        self.decision_scores_ = self.decision_function(rows)
        self.threshold_ = np.quantile(self.decision_scores_, 0.9)
        return self

    def decision_function(self, rows: Any) -> Any:
        return np.abs(np.asarray(rows) - 0.5).sum(axis=1)

    def predict(self, rows: Any) -> Any:
        return (self.decision_function(rows) > self.threshold_).astype(int)


class Unmarked(Rising):
    """The same, and nothing in it says so but what it answers."""

    def fit(self, rows: Any, y: Any = None) -> Unmarked:
        self.threshold_ = 1.5
        return self


class Contrary(Rising):
    """Its scores rise where it answers inlier."""

    def predict(self, rows: Any) -> Any:
        return 1 - super().predict(rows)


DETECTORS: tuple[Any, ...] = (
    IsolationForest(n_estimators=10, random_state=0),
    OneClassSVM(nu=0.1),
    EllipticEnvelope(random_state=0),
    LocalOutlierFactor(novelty=True),
    SGDOneClassSVM(nu=0.1, random_state=0),
    make_pipeline(StandardScaler(), IsolationForest(n_estimators=10, random_state=0)),
    GridSearchCV(
        IsolationForest(n_estimators=10, random_state=0), {"max_samples": [0.5]}, cv=2, scoring=lambda *_: 1.0
    ),
    Rising(),
    Unmarked(),
    make_pipeline(StandardScaler(), Rising()),
)
TRUTHS: dict[str, Any] = {
    "1 and 0": OUT,
    "-1 and 1": 1 - 2 * OUT,
    "floats": OUT.astype(float),
    "-1.0 and 1.0": (1 - 2 * OUT).astype(float),
    "bools": OUT.astype(bool),
    "text": OUT.astype(str),
    "float text": OUT.astype(float).astype(str),
    "mixed": np.asarray([[one, bool(one), str(one)][at % 3] for at, one in enumerate(OUT.tolist())], dtype=object),
    "words": np.array(["inlier", "outlier"])[OUT],
    "other words": np.array(["Normal", "Anomaly"], dtype=object)[OUT],
}


_EVERYDAY = (IsolationForest, OneClassSVM, Rising, Unmarked)


@pytest.mark.parametrize(
    "detector",
    [pytest.param(one, marks=() if isinstance(one, _EVERYDAY) else SLOW) for one in DETECTORS],
    ids=lambda one: type(one).__name__,
)
def test_outliers_in_any_spelling_of_the_truth(detector: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = detector.fit(FAR[20:])
    rising = 1 in set(model.predict(FAR[:20])) and 0 in set(model.predict(FAR))
    answer = model.predict(FAR) == (1 if rising else -1)
    scores = model.decision_function(FAR) * (1 if rising else -1)
    expected = {
        "accuracy": known.accuracy_score(OUT, answer),
        "balanced_accuracy": known.balanced_accuracy_score(OUT, answer),
        "f1": known.f1_score(OUT, answer),
        "roc_auc": known.roc_auc_score(OUT, scores),
        "average_precision": known.average_precision_score(OUT, scores),
    }
    assert expected["accuracy"] > 0.5
    for name, y in TRUTHS.items():
        found = measured(model, y, FAR)
        assert (found.task, found.causes) == ("outlier detection", {}), name
        close(found, expected)
        prepared = truth.prepared(Estimator(model), y, lambda _there: model.predict(FAR))
        single = [score(prepared, model, at, at + 1, model.predict(FAR[at : at + 1])) for at in range(0, 200, 50)]
        assert [one["correct"] for one in single] == (answer == OUT)[::50].astype(float).tolist(), name
    note = measured(model, OUT, FAR).notes
    assert note == ([] if rising else ["truth 1 taken for an outlier (-1), 20 of 200 rows"])


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.ones(200, dtype=int), "the truth holds '1', which may be outliers or inliers; .* write -1 and 1"),
        (np.where(OUT == 1, 2, 1), "the truth holds '1', '2'; for an outlier detector write"),
        (np.array(["good", "bad"])[OUT], "the truth holds 'bad', 'good'; for"),
        (OUT - (np.arange(200) == 50), "the truth holds '-1', '0', '1'; for"),
        (LABELS, "one column, not 3"),
    ],
)
def test_an_ambiguous_truth_of_outliers_is_refused(y: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        measured(IsolationForest(n_estimators=5).fit(FAR), y, FAR)


def test_what_may_be_the_wrong_way_round_is_told() -> None:
    model = IsolationForest(n_estimators=5, random_state=0).fit(FAR)
    doubt = "; if that is the wrong way round, write -1 for an outlier and 1 for an inlier"
    assert measured(model, 1 - OUT, FAR).notes == [f"truth 1 taken for an outlier (-1), 180 of 200 rows{doubt}"]
    words = np.array(["inlier", "outlier"])[1 - OUT]
    assert measured(model, words, FAR).notes == ["truth outlier taken for an outlier (-1), 180 of 200 rows"]
    assert measured(model, 0 * OUT, FAR).notes == ["truth 1 taken for an outlier (-1), 0 of 200 rows"]


def test_scores_that_contradict_the_answers_rank_nothing() -> None:
    found = measured(Contrary().fit(FAR), OUT, FAR)
    assert set(found.causes) == {"roc_auc", "average_precision"}
    assert "their sense is not known" in found.causes["roc_auc"]


# models without a truth


def test_densities_and_groups() -> None:
    density = KernelDensity().fit(X)
    assert measured(density, None).metrics == pytest.approx({"mean_log_likelihood": density.score(X) / 200}, abs=1e-12)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = measured(mixture, gapped(TWO, "none"))
    assert (found.task, found.rows, found.missing) == ("density estimation", 200, 23)
    keep = np.arange(200) % 9 != 0
    groups = mixture.predict(X)[keep]
    expected = {
        "mean_log_likelihood": mixture.score(X),
        "adjusted_rand_score": known.adjusted_rand_score(TWO[keep], groups),
        "normalized_mutual_info_score": known.normalized_mutual_info_score(TWO[keep], groups),
    }
    close(found, expected)
    clusters = KMeans(2, n_init=1).fit(X)
    agreed = measured(clusters, gapped(TWO, "none"), extra=("v_measure_score",)).metrics["v_measure_score"]
    assert agreed == pytest.approx(known.v_measure_score(TWO[keep], clusters.predict(X)[keep]), abs=1e-12)
    with pytest.raises(Refusal, match="the number of a cluster is no label that could be right"):
        score(truth.prepared(Estimator(clusters), TWO), Estimator(clusters), 0, 5, clusters.predict(X[:5]))
    with pytest.raises(Refusal, match="measuring an outlier detection model needs a target column"):
        measured(IsolationForest(n_estimators=5).fit(X), None)


@pytest.mark.slow
def test_a_ranker_is_not_measured() -> None:
    import lightgbm

    ranker = lightgbm.LGBMRanker(n_estimators=2, n_jobs=1, verbose=-1).fit(X, TWO, group=[100, 100])
    found = measured(ranker, TWO)
    assert (found.task, found.metrics) == ("ranking", {})
    assert "within groups of rows" in found.causes["ndcg_score"]
