"""Metrics by name: scorers and metric functions of scikit-learn, each on the kind of answer that it is defined on.

Parameters are scikit-learn's defaults but for these: the positive class of two is the second of the model's classes;
with more classes `roc_auc` is one class against the rest, and what takes an average takes the mean over the classes
(`macro`); the labels are the model's classes, so that a class that is missing in the rows is one all the same. Several
outputs of two classes each are labels of a row as scikit-learn takes them; with more classes a metric is the mean over
the outputs.
"""

from __future__ import annotations

import difflib
import inspect
import math
from typing import Any, Callable, Optional

from backends.core.errors import Refusal
from backends.core.tasks import OUTLIERS, REGRESSION
from console.worker.child.answers import Case, second
from console.worker.child.labels import named
from console.worker.child.lazy import metrics, numpy

_SUFFIXES = ("_score", "_error", "_loss", "_deviance", "_corrcoef")
_SHORT = {
    "roc_auc": "roc_auc_score",
    "average_precision": "average_precision_score",
    "top_k_accuracy": "top_k_accuracy_score",
    "f1": "f1_score",
    "precision": "precision_score",
    "recall": "recall_score",
    "jaccard": "jaccard_score",
    "accuracy": "accuracy_score",
    "balanced_accuracy": "balanced_accuracy_score",
    "r2": "r2_score",
    "explained_variance": "explained_variance_score",
    "brier_score": "brier_score_loss",
}
"""Scorers and the metric functions behind them; those of losses are called `neg_…`."""
_AVERAGES = ("macro", "micro", "weighted", "samples")
_ROC_AUC_SCORERS = {
    "roc_auc_ovr": {"multi_class": "ovr", "average": "macro"},
    "roc_auc_ovo": {"multi_class": "ovo", "average": "macro"},
    "roc_auc_ovr_weighted": {"multi_class": "ovr", "average": "weighted"},
    "roc_auc_ovo_weighted": {"multi_class": "ovo", "average": "weighted"},
}
_OF_PROBABILITIES = ("log_loss", "d2_log_loss_score", "brier_score_loss", "d2_brier_score")
_OF_ONE_CLASS = ("roc_auc_score", "average_precision_score", "brier_score_loss", "d2_brier_score")
_SCORES = ("y_score", "y_proba", "y_prob", "pred_decision")
"""Names of the second parameter of metrics that take scores and no labels."""
_OF_TWO_ROWS = ("r2_score", "d2_absolute_error_score", "d2_pinball_score", "d2_tweedie_score")
_OF_ROWS = ("accuracy", "accuracy_score", "zero_one_loss")
"""Metrics that count rows; of several outputs a row is right where all are."""
_TOP = 2
"""The k of `top_k_accuracy_score`."""

Metric = Callable[[], float]


def refuse_unknown(name: str) -> None:
    """Raise Refusal, with the nearest names, where scikit-learn has no scorer or metric of this name."""
    functions = {one for one in getattr(metrics, "__all__", ()) if one.endswith(_SUFFIXES)}
    scorers = set(metrics.get_scorer_names() if hasattr(metrics, "get_scorer_names") else metrics.SCORERS)
    if name in functions or name in scorers:
        return
    near = difflib.get_close_matches(name, sorted(functions | scorers), 3, 0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise Refusal("bad-input", f"scikit-learn knows no scorer or metric called '{name}'{hint}")


def metric_named(name: str, case: Case) -> Metric:
    """The scorer or metric function of this name, on a case.

    Raises Refusal where scikit-learn has none or the model lacks the scores that it takes.
    """
    refuse_unknown(name)
    if isinstance(case.labels, list) and not case.indicator and name not in _OF_ROWS:
        parts = [metric_named(name, one) for one in case.outputs()]
        return lambda: math.fsum(part() for part in parts) / len(parts)
    if name in _ROC_AUC_SCORERS:
        scores = _scores(name, case, ("predict_proba",))
        return lambda: _roc_auc(case, scores(), _ROC_AUC_SCORERS[name])
    base, sign = (name[4:], -1.0) if name.startswith("neg_") else (name, 1.0)
    stem, _, average = base.rpartition("_")
    options = {"average": average} if stem in _SHORT and average in _AVERAGES else None
    base = _SHORT.get(base if options is None else stem, base)
    if name in _OF_ROWS and isinstance(case.labels, list):
        return lambda: _of_rows(case, name)
    if base == "root_mean_squared_error":
        return lambda: sign * _root_mean_squared_error(case)
    function = getattr(metrics, base, None)
    if function is None or not base.endswith(_SUFFIXES):
        scorer = metrics.get_scorer(name)
        return lambda: float(scorer(case.answers.model.scored, case.answers.rows(), case.y))
    first, other = list(inspect.signature(function).parameters)[:2]
    if other in _SCORES or base in _OF_PROBABILITIES:
        of_scores = _of_scores(base, function, case, options)
        return lambda: sign * of_scores()
    case.answers.of("predict")
    if first == "X":
        return lambda: sign * float(function(case.answers.X, case.predicted()))
    return lambda: sign * _of_labels(function, case, options)


def _of_labels(function: Any, case: Case, options: Optional[dict[str, Any]]) -> float:
    answer = _measurable(case)
    if function.__name__ in _OF_TWO_ROWS and len(answer) < 2:
        raise ValueError("it is not defined on fewer than two rows")
    if case.indicator:
        _known_classes(case)
    return float(function(case.y, answer, **(options or _averaging(function, case))))


def _of_rows(case: Case, name: str) -> float:
    """The share of rows with every output right, as scikit-learn counts for several labels; or the rest of it."""
    answer = case.predicted()
    right = float((case.y == answer).all(axis=1).mean())
    return 1.0 - right if name == "zero_one_loss" else right


def _root_mean_squared_error(case: Case) -> float:
    """Of several outputs the mean of each one's own, as scikit-learn has it from 1.4 on."""
    answer = _measurable(case)
    if hasattr(metrics, "root_mean_squared_error"):
        return float(metrics.root_mean_squared_error(case.y, answer))
    squared = metrics.mean_squared_error(case.y, answer, multioutput="raw_values")
    return float(numpy.average(numpy.sqrt(squared)))


def _measurable(case: Case) -> Any:
    """The answers. Raises ValueError that counts those that are no finite numbers."""
    answer = case.predicted()
    if answer.dtype.kind == "f" and not numpy.isfinite(answer).all():
        bad = ~numpy.isfinite(answer if answer.ndim == 1 else answer.sum(axis=1))
        raise ValueError(f"the model's answer is no finite number in {int(bad.sum()):,} of {len(answer):,} rows")
    return answer


def _scores(name: str, case: Case, methods: tuple[str, ...]) -> Callable[[], Any]:
    """The first of these answers that the model has. Raises Refusal, since labels are no scores."""
    method = next((one for one in methods if case.has(one)), None)
    if method is None:
        kind = case.answers.model.name
        message = f"{name} is computed from scores, and {kind} has no {' and no '.join(methods)}"
        raise Refusal("bad-input", message, {"needs": "scores"})
    if case.truth.task != OUTLIERS:
        case.answers.of(method)
    return lambda: case.scores(method)


def _of_scores(base: str, function: Any, case: Case, options: Optional[dict[str, Any]]) -> Metric:
    if base in _OF_PROBABILITIES:
        methods: tuple[str, ...] = ("predict_proba",)
    elif base == "hinge_loss":
        methods = ("decision_function",)
    elif base == "roc_auc_score" and (case.labels is None or (_count(case.labels) != 2 and not case.indicator)):
        methods = ("predict_proba",)
    else:
        methods = ("decision_function", "predict_proba")
    scores = _scores(base, case, methods)
    if base == "roc_auc_score" and not case.indicator:
        return lambda: _roc_auc(case, scores(), _ROC_AUC_SCORERS["roc_auc_ovr"])
    return lambda: _scored(base, function, case, scores(), options)


def _scored(base: str, function: Any, case: Case, scores: Any, chosen: Optional[dict[str, Any]]) -> float:
    if case.indicator:
        return _of_indicator(base, function, case, scores, chosen)
    labels = _known_classes(case)
    if _count(labels) == 2 and base in _OF_ONE_CLASS:
        return float(function(_positive(case.y, labels), second(scores)))
    if base == "average_precision_score" and labels is not None:
        return _mean_precision(function, case.y, labels, scores, **(chosen or {"average": "macro"}))
    options: dict[str, Any] = dict(chosen or {})
    if labels is not None and "labels" in inspect.signature(function).parameters:
        options["labels"] = labels
    if base == "top_k_accuracy_score":
        if labels is not None and len(labels) <= _TOP:
            raise ValueError(f"with k={_TOP} and {len(labels)} classes every answer is right")
        options["k"] = _TOP
    return float(function(case.y, scores, **options))


def _of_indicator(base: str, function: Any, case: Case, scores: Any, chosen: Optional[dict[str, Any]]) -> float:
    """Of several labels a row, each 0 or 1: what scikit-learn takes as it is."""
    if base in (*_OF_PROBABILITIES, "hinge_loss", "top_k_accuracy_score"):
        raise ValueError("it is defined for one label a row")
    _known_classes(case)
    if numpy.shape(scores) != case.y.shape:
        raise ValueError(f"the scores have the shape {numpy.shape(scores)}, the truth {case.y.shape}")
    if base == "roc_auc_score":
        flat = [at for at in range(case.y.shape[1]) if len(numpy.unique(case.y[:, at])) < 2]
        if flat:
            raise ValueError(f"the truth of output {flat[0] + 1} holds one class only")
    averaged = "average" in inspect.signature(function).parameters
    return float(function(case.y, scores, **(chosen or ({"average": "macro"} if averaged else {}))))


def _roc_auc(case: Case, scores: Any, options: dict[str, str]) -> float:
    if case.indicator:
        return _of_indicator("roc_auc_score", metrics.roc_auc_score, case, scores, {"average": options["average"]})
    labels = _known_classes(case)
    there = numpy.unique(numpy.asarray(case.y)).tolist()
    if len(there) < 2:
        raise ValueError(f"the truth holds one class only ({named(there)})")
    function = metrics.roc_auc_score
    if _count(labels) == 2:
        return float(function(_positive(case.y, labels), second(scores)))
    if labels is None:
        return float(function(case.y, scores, **options))
    absent = [one for one in numpy.asarray(labels).tolist() if one not in there]
    if absent:
        raise ValueError(f"the truth has no row of the class{'es' * (len(absent) > 1)} {named(absent)}")
    return float(function(case.y, scores, labels=labels, **options))


def _mean_precision(function: Any, y: Any, labels: Any, scores: Any, average: str) -> float:
    """The mean over the classes of each class against the rest, as scikit-learn has it from 1.3 on."""
    truth, scores = numpy.asarray(y), numpy.asarray(scores)
    return float(function(numpy.stack([truth == one for one in labels], axis=1).astype(int), scores, average=average))


def _averaging(function: Any, case: Case) -> dict[str, Any]:
    """The positive class of two, or the mean over the classes, for metrics that scikit-learn takes as of class 1."""
    if "pos_label" not in inspect.signature(function).parameters:
        return {}
    if case.indicator:
        return {"average": "macro"}
    labels = _known_classes(case)
    if labels is None or case.truth.task == REGRESSION:
        return {}
    return {"pos_label": labels[1]} if len(labels) == 2 else {"average": "macro"}


def _known_classes(case: Case) -> Any:
    """The classes; None where there are none. Raises ValueError where the truth holds one that the model does not
    know."""
    if case.truth.new:
        raise ValueError(f"the model does not know the class{'es' * (len(case.truth.new) > 1)} {named(case.truth.new)}")
    return None if isinstance(case.labels, list) else case.labels


def _count(labels: Any) -> Optional[int]:
    return None if labels is None or isinstance(labels, list) else len(labels)


def _positive(y: Any, labels: Any) -> Any:
    return numpy.asarray(y) == labels[1]
