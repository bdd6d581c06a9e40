"""Metrics of a cell as scikit-learn itself computes them, from the library's own answers and the truth in the file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector

from tests.matrix.oracle import Answers
from tests.matrix.sheets import Written
from tests.matrix.subjects import Subject

__all__ = ["Measures", "differences", "measures"]

Measures = dict[str, Callable[[], float]]
"""By name, what computes a metric; raises where it is not defined."""
_TOLERANCE = 1e-12


def measures(subject: Subject, written: Written, answers: Answers) -> Measures:
    """The metrics that this cell is expected to tell, or to give a reason for."""
    model = subject.asked
    if _is(is_clusterer, model):
        return _clusters(subject, written, np.asarray(answers["predict"]))
    known = written.truth.notna().all(axis="columns").to_numpy()
    answers = {method: _kept(answer, known) for method, answer in answers.items()}
    truth = _truth(written, known)
    if "predict" not in answers:
        return _back(model, subject.given(written.rows[known]), answers["transform"])
    if _is(is_outlier_detector, model):
        return _outliers(truth, answers)
    if hasattr(model, "classes_") and (_is(is_classifier, model) or hasattr(model, "predict_proba")):
        return _classes(model, truth, answers)
    return _numbers(truth, np.asarray(answers["predict"]))


def _is(kind: Callable[[Any], bool], model: Any) -> bool:
    """Whether a model says that it is of this kind; other libraries' models need not."""
    try:
        return kind(model)
    except Exception:
        return False


def _kept(answer: Any, known: np.ndarray) -> Any:
    return [one[known] for one in answer] if isinstance(answer, list) else np.asarray(answer)[known]


def _truth(written: Written, known: np.ndarray) -> np.ndarray:
    """The truth as the model spells it: one array for one target, a column for each of several."""
    held = written.truth[known]
    if held.shape[1] != 1:
        return np.asarray(held.to_numpy().tolist())
    values = held.iloc[:, 0].tolist()
    if all(isinstance(one, (int, float)) for one in values) or not isinstance(values, list):
        return np.asarray(values)
    return np.asarray([str(one) for one in values], dtype=object)


def _numbers(truth: np.ndarray, answer: np.ndarray) -> Measures:
    def told(function: Callable[..., Any]) -> Callable[[], float]:
        def compute() -> float:
            if truth.shape != answer.shape:
                raise ValueError(f"truth {truth.shape}, answers {answer.shape}")
            return float(function(truth, answer))

        return compute

    names = ("r2_score", "mean_absolute_error", "root_mean_squared_error", "max_error")
    return {name.removesuffix("_score"): told(getattr(metrics, name)) for name in names}


def _classes(model: Any, truth: np.ndarray, answers: Answers) -> Measures:
    labels, answer = model.classes_, np.asarray(answers["predict"])
    several = isinstance(labels, list)

    def told(compute: Callable[[], Any]) -> Callable[[], float]:
        def checked() -> float:
            if truth.shape != answer.shape:
                raise ValueError(f"truth {truth.shape}, answers {answer.shape}")
            return float(compute())

        return checked

    if several:
        return {
            "accuracy": told(lambda: np.mean((truth == answer).all(axis=1))),
            "f1_weighted": told(lambda: metrics.f1_score(truth, answer, average="weighted")),
            "roc_auc": told(lambda: metrics.roc_auc_score(truth, _positive(answers))),
        }
    found = {
        "accuracy": told(lambda: metrics.accuracy_score(truth, answer)),
        "balanced_accuracy": told(lambda: metrics.balanced_accuracy_score(truth, answer)),
    }
    scores = answers.get("predict_proba")
    if len(labels) == 2:
        found["f1"] = told(lambda: metrics.f1_score(truth, answer, pos_label=labels[1]))
        ranks = answers["decision_function"] if "decision_function" in answers else np.asarray(scores)[:, 1]
        found["roc_auc"] = told(lambda: metrics.roc_auc_score(_known(truth, labels) == labels[1], ranks))
    else:
        found["f1_weighted"] = told(lambda: metrics.f1_score(truth, answer, average="weighted"))
        if scores is not None:
            ranked = lambda: metrics.roc_auc_score(_known(truth, labels), scores, multi_class="ovr", labels=labels)  # noqa: E731
            found["roc_auc_ovr"] = told(ranked)
    if scores is not None:
        found["log_loss"] = told(lambda: metrics.log_loss(_known(truth, labels), scores, labels=labels))
    return found


def _known(truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The truth. Raises ValueError where it has a class that the model gives no score."""
    if not set(truth.tolist()) <= set(labels.tolist()):
        raise ValueError("a class that the model does not know")
    return truth


def _positive(answers: Answers) -> np.ndarray:
    """The probability of each label of several."""
    return np.column_stack([np.asarray(one)[:, 1] for one in answers["predict_proba"]])


def _outliers(truth: np.ndarray, answers: Answers) -> Measures:
    """1 in the truth is an outlier, which a detector calls -1 and gives the lowest scores."""
    there, answer = truth == 1, np.asarray(answers["predict"]) == -1

    def told(function: Callable[..., Any], answer: np.ndarray) -> Callable[[], float]:
        def compute() -> float:
            if truth.ndim != 1 or not set(truth.tolist()) <= {0, 1}:
                raise ValueError("a truth that is neither 0 nor 1")
            return float(function(there, answer))

        return compute

    return {
        "accuracy": told(metrics.accuracy_score, answer),
        "balanced_accuracy": told(metrics.balanced_accuracy_score, answer),
        "f1": told(metrics.f1_score, answer),
        "roc_auc": told(metrics.roc_auc_score, -np.asarray(answers["decision_function"])),
        "average_precision": told(metrics.average_precision_score, -np.asarray(answers["decision_function"])),
    }


def _clusters(subject: Subject, written: Written, answer: np.ndarray) -> Measures:
    """Some hold clusters against each other, on all rows, some against the truth, where that is known."""
    alone = ("silhouette_score", "calinski_harabasz_score", "davies_bouldin_score")
    compared = ("adjusted_rand_score", "normalized_mutual_info_score")
    known = written.truth.notna().all(axis="columns").to_numpy()
    rows, truth = subject.given(written.rows), _truth(written, known)
    found: Measures = {name: partial(getattr(metrics, name), rows, answer) for name in alone}
    return found | {name: partial(getattr(metrics, name), truth, answer[known]) for name in compared}


def _back(model: Any, rows: Any, there: Any) -> Measures:
    return {"mean_squared_error": lambda: metrics.mean_squared_error(rows, model.inverse_transform(there))}


def differences(
    right: Measures, told: dict[str, float], causes: dict[str, str], odd: str = "", *, fits: bool = True
) -> dict[str, str]:
    """The faults of metrics that were told, by name: another number, an undefined one, or none without a reason.

    `odd` is what is odd in the truth: it must be named, and may be the reason for any metric. A truth that does not fit
    the answers may be the reason too.
    """
    found = {}
    if odd and not any(odd in cause for cause in causes.values()):
        found["truth"] = f"{odd} in the truth is not named: {causes}"
    for name in sorted(set(right) | set(told)):
        number = _computed(right[name]) if name in right else None
        if name not in told:
            if not (causes if number is None else causes.get(name) or causes.get("")):
                found[name] = f"{name} is {number} and is left out without a reason"
            elif number is not None and not odd and fits:
                found[name] = f"{name} is {number} and is left out: {causes}"
        elif number is None:
            found[name] = f"{name} is not defined here, told {told[name]}"
        elif not math.isclose(number, told[name], rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            found[name] = f"{name} is {number}, told {told[name]}"
    return found


def _computed(compute: Callable[[], float]) -> float | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            number = float(compute())
        except (ValueError, TypeError, IndexError):
            return None
    return number if math.isfinite(number) else None
