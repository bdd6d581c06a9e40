"""Answers that no model of their kind can give are told as such; all that scikit-learn's own models give are taken."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy
import pytest
import sklearn
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils import all_estimators
from xgboost import XGBClassifier

from backends.core.errors import Refusal
from backends.estimators.estimator import Estimator
from console.worker.child import asking
from console.worker.failures import ChildFailed
from console.worker.model import Worker
from tests.worker.payloads import OpenFile

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
BINARY = make_classification(60, 6, random_state=0)
SEVERAL = make_classification(90, 8, n_informative=5, n_classes=4, random_state=0)
LABELS = make_multilabel_classification(80, 6, n_classes=3, random_state=0)


class Says(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of two classes that gives one answer to everything."""

    def __init__(self, answer: Any = None, classes: Any = ("no", "yes")) -> None:
        self.answer = answer
        self.classes_ = numpy.array(classes)

    def predict(self, X: Any) -> Any:
        return self.answer

    predict_proba = predict_log_proba = decision_function = predict


def array(*rows: Any, dtype: Any = None) -> Any:
    return numpy.array(rows, dtype=dtype)


def many(row: list[float]) -> Any:
    """More rows than are gone through one by one, of which the last is this one."""
    return numpy.array([[0.5, 0.5]] * 100 + [row])


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("predict_proba", array([46.65, 0.1]), "46.65, which is no probability"),
        ("predict_proba", array([1.2, -0.2]), "-0.2|1.2"),
        ("predict_proba", array([0.5, 0.6]), "sum to 1.1 instead of 1"),
        ("predict_proba", many([0.5, 0.6]), "sum to 1.1 instead of 1"),
        ("predict_proba", many([-3.0, 4.0]), "-3, which is no probability"),
        ("predict_proba", [array([0.5, 0.5]), array([0.5, 0.4])], "sum to 0.9 instead of 1"),
        ("predict_proba", many([float("nan"), 2.0]), "2, which is no probability"),
        ("predict_log_proba", array([0.3, -2.0]), "the logarithm of no probability"),
        ("predict", array("maybe"), "'maybe', which is not among its classes"),
        ("predict", numpy.array(["yes"] * 300 + ["y"]), "'y', which is not among"),
        ("predict", array(["maybe"]), "'maybe', which is not among its classes"),
        ("decision_function", array([0.1, 0.2, 0.3]), "3 scores a row for 2 classes"),
        ("predict_proba", array([0.5, 0.25, 0.25]), "3 probabilities a row for 2 classes"),
    ],
)
def test_answers_that_cannot_be(method: str, answer: Any, words: str) -> None:
    rows = len(answer) if not isinstance(answer, list) else 1
    with pytest.raises(Refusal, match=words) as told:
        asking.check(Estimator(Says()), method, answer, rows)
    assert told.value.code == "bad-answer"
    assert f"Says.{method} answered" in str(told.value)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("predict_proba", array([0.5, 0.5000004])),
        ("predict_proba", array([1.0000001, 0.0])),
        ("predict_proba", array([0.33, 0.664], dtype=numpy.float16)),
        ("predict_proba", array([float("nan"), float("nan")])),
        ("predict_proba", many([float("nan"), float("nan")])),
        ("predict_log_proba", array([0.0, -float("inf")])),
        ("predict", array("yes", "no", dtype=object)),
        ("decision_function", array(0.4)),
    ],
)
def test_answers_that_can_be(method: str, answer: Any) -> None:
    asking.check(Estimator(Says()), method, answer, len(answer))


def test_a_missing_class_is_known_where_it_is_one() -> None:
    asking.check(Estimator(Says(classes=[0.0, float("nan")])), "predict", array(float("nan")), 1)


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (OneVsRestClassifier(LogisticRegression()), LABELS),
        (make_pipeline(OneVsRestClassifier(LogisticRegression())), LABELS),
        (MultiOutputClassifier(LogisticRegression()), LABELS),
        (ClassifierChain(LogisticRegression()), LABELS),
        (RandomForestClassifier(3), LABELS),
        (GridSearchCV(MLPClassifier(max_iter=5), {"alpha": [1e-3]}, cv=2), LABELS),
        (XGBClassifier(n_estimators=2), LABELS),
        (XGBClassifier(n_estimators=2), SEVERAL),
        (LGBMClassifier(n_estimators=2, verbose=-1), SEVERAL),
        (LGBMClassifier(n_estimators=2, verbose=-1, objective="multiclassova", num_class=4), SEVERAL),
        (SVC(decision_function_shape="ovo"), SEVERAL),
        (RadiusNeighborsClassifier(radius=0.5, outlier_label=9), BINARY),
        (GaussianMixture(2), BINARY),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_labels_that_do_not_exclude_each_other_and_rows_without_neighbours(model: Any, rows: Any) -> None:
    X, y = rows
    model.fit(X, y)
    for method in METHODS:
        if hasattr(model, method):
            asking.ask(Estimator(model), method, X[:1] + 5)
            asking.ask(Estimator(model), method, X)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [BINARY, SEVERAL, LABELS], ids=["two", "four", "labels"])
def test_all_classifiers_of_scikit_learn_are_taken_at_their_word(rows: Any) -> None:
    X, y = numpy.abs(rows[0]), rows[1]
    asked = 0
    for _name, kind in all_estimators("classifier"):
        try:
            model = kind() if "estimator" not in kind.__init__.__code__.co_varnames[1:2] else kind(LogisticRegression())
        except TypeError:
            continue
        if isinstance(model, ClassifierChain) and rows is not LABELS:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model.fit(X, y)
            except (ValueError, TypeError):
                continue
            for method in METHODS:
                if hasattr(model, method):
                    asking.ask(Estimator(model), method, X)
                    asked += 1
    assert asked > 25


def test_what_is_of_no_library_and_no_classifier_may_predict_other_words() -> None:
    plain = type("Plain", (), {"classes_": array(0, 1)})()
    asking.check(Estimator(plain), "predict", array("yes"), 1)
    asking.check(Estimator(plain), "predict_proba", array([0.5, 0.9]), 1)
    with pytest.raises(Refusal, match="no probability"):
        asking.check(Estimator(plain), "predict_proba", array([0.5, 3.0]), 1)


@pytest.mark.slow
async def test_labels_of_another_version_are_refused_where_a_part_gives_what_cannot_be(
    worker: Worker, open_file: OpenFile
) -> None:
    model = VotingClassifier([("forest", RandomForestClassifier(3, random_state=0))]).fit(*BINARY)
    for tree in model.estimators_[0].estimators_:
        tree.tree_.value[:] *= 40
    now = sklearn.__version__
    data = pickle.dumps(model).replace(now.encode(), f"{now[:-1]}x".encode())
    await worker.load(open_file(data, "model.pkl"), "pickle")
    with pytest.raises(
        ChildFailed, match=r"RandomForestClassifier\.predict_proba answered \d+.*no probability"
    ) as told:
        await worker.call_rows([[0.0] * 6])
    assert (told.value.hint or "").startswith(f"written with scikit-learn {now[:-1]}x, run with {now}")
