"""Metrics by name: scikit-learn's own figures, from scores where a metric takes them, and a cause where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn import metrics as known
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from backends.core.errors import Refusal
from backends.estimators.estimator import Estimator
from console.records import lower_is_better
from console.worker.child import metrics
from console.worker.child.answers import Answers

RANDOM = np.random.RandomState(1)
X = RANDOM.rand(240, 4)
TWO = (X[:, 0] + 0.5 * RANDOM.rand(240) > 0.7).astype(int)
WORDS = np.array(["no", "yes"])[TWO]
THREE = np.array(["a", "b", "c"])[np.clip((X[:, 0] * 2 + X[:, 1]).astype(int), 0, 2)]
NUMBERS = X @ np.array([1.0, 2.0, 3.0, 4.0]) + RANDOM.rand(240) + 1.0


def value(name: str, model: Any, y: Any, rows: Any = X) -> float:
    """This metric as an update computes it."""
    return metrics.evaluate(Estimator(model), rows, y, [name])[1][name]


def same(name: str, model: Any, y: Any, expected: float) -> None:
    assert value(name, model, y) == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("model", [LogisticRegression().fit(X, TWO), SVC(probability=True, random_state=0).fit(X, TWO)])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_scorers_are_those_of_scikit_learn_on_two_classes(model: Any) -> None:
    names = ("roc_auc", "average_precision", "neg_brier_score", "neg_log_loss", "accuracy", "balanced_accuracy")
    for name in (*names, "f1", "f1_macro", "precision", "recall_weighted", "jaccard", "matthews_corrcoef"):
        same(name, model, TWO, known.get_scorer(name)(model, X, TWO))


def test_functions_take_scores_and_never_labels() -> None:
    model = LogisticRegression().fit(X, TWO)
    proba, decision = model.predict_proba(X), model.decision_function(X)
    same("roc_auc_score", model, TWO, known.roc_auc_score(TWO, decision))
    same("average_precision_score", model, TWO, known.average_precision_score(TWO, decision))
    same("brier_score_loss", model, TWO, known.brier_score_loss(TWO, proba[:, 1]))
    same("log_loss", model, TWO, known.log_loss(TWO, proba))
    same("hinge_loss", model, TWO, known.hinge_loss(TWO, decision))
    same("d2_log_loss_score", model, TWO, known.d2_log_loss_score(TWO, proba))
    assert value("roc_auc_score", model, TWO) != pytest.approx(known.roc_auc_score(TWO, model.predict(X)), abs=1e-3)
    assert value("brier_score_loss", model, TWO) != pytest.approx(
        known.brier_score_loss(TWO, model.predict(X)), abs=1e-3
    )


def test_two_classes_that_are_words_have_the_second_as_the_positive_one() -> None:
    model = LogisticRegression().fit(X, WORDS)
    proba, answer = model.predict_proba(X)[:, 1], model.predict(X)
    for name in ("brier_score_loss", "neg_brier_score"):
        same(name, model, WORDS, (-1 if name.startswith("neg") else 1) * known.brier_score_loss(TWO, proba))
    same("roc_auc_score", model, WORDS, known.roc_auc_score(TWO, proba))
    same("f1_score", model, WORDS, known.f1_score(WORDS, answer, pos_label="yes"))
    same("precision", model, WORDS, known.precision_score(WORDS, answer, pos_label="yes"))


def test_three_classes_are_one_against_the_rest_and_averaged_over_the_classes() -> None:
    model = LogisticRegression().fit(X, THREE)
    proba, decision = model.predict_proba(X), model.decision_function(X)
    one_each = (THREE[:, None] == model.classes_).astype(int)
    same("roc_auc_score", model, THREE, known.roc_auc_score(THREE, proba, multi_class="ovr", average="macro"))
    same("roc_auc", model, THREE, known.roc_auc_score(THREE, proba, multi_class="ovr", average="macro"))
    for name in ("roc_auc_ovr", "roc_auc_ovo", "roc_auc_ovr_weighted", "roc_auc_ovo_weighted", "neg_log_loss"):
        same(name, model, THREE, known.get_scorer(name)(model, X, THREE))
    for name in ("average_precision", "average_precision_score"):
        same(name, model, THREE, known.average_precision_score(one_each, decision, average="macro"))
    for name in ("top_k_accuracy", "top_k_accuracy_score"):
        same(name, model, THREE, known.top_k_accuracy_score(THREE, decision, k=2))
    same("brier_score_loss", model, THREE, known.brier_score_loss(THREE, proba, labels=model.classes_))
    same("f1_score", model, THREE, known.f1_score(THREE, model.predict(X), average="macro"))
    same("f1_weighted", model, THREE, known.get_scorer("f1_weighted")(model, X, THREE))


def test_numbers_and_losses_have_the_sign_of_their_name() -> None:
    model = LinearRegression().fit(X, NUMBERS)
    for name in ("r2", "explained_variance", "neg_mean_squared_error", "neg_median_absolute_error"):
        same(name, model, NUMBERS, known.get_scorer(name)(model, X, NUMBERS))
    answer = model.predict(X)
    for name in ("max_error", "mean_absolute_percentage_error", "mean_pinball_loss", "mean_gamma_deviance"):
        same(name, model, NUMBERS, getattr(known, name)(NUMBERS, answer))
        assert value(name, model, NUMBERS) > 0
    assert value("neg_max_error", model, NUMBERS) == -value("max_error", model, NUMBERS)


def test_which_way_is_better_of_all_that_scikit_learn_has() -> None:
    for name in known.get_scorer_names():
        assert not lower_is_better(name), name
    losses = (
        "brier_score_loss",
        "log_loss",
        "hinge_loss",
        "hamming_loss",
        "zero_one_loss",
        "max_error",
        "coverage_error",
    )
    for name in (*losses, "mean_squared_error", "mean_pinball_loss", "mean_tweedie_deviance", "label_ranking_loss"):
        assert lower_is_better(name), name
    for name in ("d2_brier_score", "d2_log_loss_score", "d2_absolute_error_score", "roc_auc_score", "r2_score"):
        assert not lower_is_better(name), name


@pytest.mark.parametrize(
    ("model", "y", "name", "words"),
    [
        (RidgeClassifier().fit(X, TWO), TWO, "brier_score_loss", "RidgeClassifier has no predict_proba"),
        (SVC().fit(X, TWO), TWO, "neg_log_loss", "SVC has no predict_proba"),
        (SVC().fit(X, THREE), THREE, "roc_auc", "SVC has no predict_proba"),
        (LinearRegression().fit(X, NUMBERS), NUMBERS, "roc_auc_score", "LinearRegression has no predict_proba"),
        (LogisticRegression().fit(X, TWO), TWO, "roc_auc_scor", "did you mean roc_auc_score"),
        (LogisticRegression().fit(X, TWO), TWO, "neg_brier", "did you mean neg_brier_score"),
        (LogisticRegression().fit(X, TWO), TWO, "os.system", "knows no scorer or metric called 'os.system'$"),
    ],
)
def test_a_metric_that_cannot_be_had_is_refused(model: Any, y: Any, name: str, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        metrics.evaluate(Estimator(model), X, y, [name])


def test_a_metric_that_is_undefined_has_a_cause_and_no_figure() -> None:
    causes: dict[str, str] = {}
    model = LogisticRegression().fit(X, TWO)
    _task, found = metrics.evaluate(
        Estimator(model), X[TWO == 1], TWO[TWO == 1], ["average_precision", "top_k_accuracy"], causes
    )
    assert "roc_auc" not in found
    assert causes["top_k_accuracy"] == "with k=2 and 2 classes every answer is right"
    _task, found = metrics.evaluate(Estimator(model), X, TWO + 1, ["roc_auc"], causes)
    assert "roc_auc" not in found
    assert causes["roc_auc"] == "the model does not know the class '2'"
    _task, found = metrics.evaluate(
        Estimator(LinearRegression().fit(X, NUMBERS)), X, NUMBERS, ["accuracy_score"], causes
    )
    assert "accuracy_score" not in found
    assert "continuous" in causes["accuracy_score"]


class NotANumber(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Answers scores that are no numbers."""

    classes_ = np.array([0, 1])

    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows), dtype=int)

    def predict_proba(self, rows: Any) -> Any:
        return np.full((len(rows), 2), np.nan)


def test_scores_that_are_no_numbers_give_no_figure() -> None:
    causes: dict[str, str] = {}
    _task, found = metrics.evaluate(Estimator(NotANumber()), X, TWO, ["roc_auc", "brier_score_loss"], causes)
    assert not {"roc_auc", "brier_score_loss", "log_loss"} & set(found)
    assert "NaN" in causes["roc_auc"]


class Overwriting(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Writes into the rows it is given, and answers by what it finds in them."""

    classes_ = np.array([0, 1])

    def predict(self, rows: Any) -> Any:
        answer = (rows[:, 0] > 0.5).astype(int)
        rows[:] = 0.0
        return answer

    def predict_proba(self, rows: Any) -> Any:
        found = rows[:, :1].copy()
        rows[:] = 0.0
        return np.hstack([1 - found, found])


def test_a_model_that_writes_into_its_rows_spoils_no_other_answer() -> None:
    given = X.copy()
    _task, found = metrics.evaluate(Estimator(Overwriting()), given, TWO)
    assert np.array_equal(given, X)
    assert found["roc_auc"] == pytest.approx(known.roc_auc_score(TWO, X[:, 0]), abs=1e-12)
    copying, writing = (
        make_pipeline(StandardScaler(copy=copy), LogisticRegression()).fit(X.copy(), TWO) for copy in (True, False)
    )
    frame = pandas.DataFrame(X)
    for rows in (X.copy(), frame):
        _task, spoiling = metrics.evaluate(Estimator(writing), rows, TWO)
        assert spoiling == pytest.approx(metrics.evaluate(Estimator(copying), X, TWO)[1], abs=1e-12)


def digest(model: Any, y: Any) -> str:
    answers = Answers(Estimator(model), X)
    metrics.measured(answers, y)
    return metrics.digest_of(answers)


def test_models_that_answer_alike_have_one_digest() -> None:
    model = LogisticRegression().fit(X, TWO)
    assert digest(model, TWO) == digest(LogisticRegression(verbose=0).fit(X, TWO), TWO)
    assert digest(model, TWO) != digest(LogisticRegression(C=1.0000001).fit(X, TWO), TWO)
    assert digest(LogisticRegression().fit(X, WORDS), WORDS) != digest(model, TWO)
    assert digest(SGDClassifier(random_state=0).fit(X, TWO), TWO) == digest(
        SGDClassifier(random_state=0).fit(X, TWO), TWO
    )
