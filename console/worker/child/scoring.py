"""Metrics by name: scorers and metric functions of scikit-learn, each on the kind of answer that it is defined on.

Parameters are scikit-learn's defaults but for these: the positive class of two is the second of the model's classes;
with more classes `roc_auc` is one class against the rest, and what takes an average takes the mean over the classes
(`macro`); the labels are the model's classes, so that a class that is missing in the rows is one all the same.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any, Callable, Optional

from console.worker.child.asking import ask, own
from console.worker.child.live import attribute
from console.worker.child.main import Refusal

__all__ = ["Answers", "Metric", "metric_named", "refuse_unknown"]

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
_TOP = 2
"""The k of `top_k_accuracy_score`."""

Metric = Callable[[], float]


class Answers:
    """What a model answers to some rows: each method is called once, on a copy that it may change as it likes."""

    def __init__(self, model: Any, X: Any) -> None:
        self.model = model
        self.X = X
        self._known: dict[str, Any] = {}

    def has(self, method: str) -> bool:
        """Whether the model has this method."""
        return callable(attribute(self.model, method))

    def of(self, method: str) -> Any:
        """The answer of a method. Raises Refusal where the model has none, and what the model raises."""
        if method not in self._known:
            self._known[method] = self._asked(method)
        return self._known[method]

    def _asked(self, method: str) -> Any:
        return ask(self.model, method, self.X)

    def rows(self) -> Any:
        """The rows, as a copy."""
        return own(self.X)

    @property
    def known(self) -> dict[str, Any]:
        """The answers so far, by method."""
        return self._known


def refuse_unknown(name: str) -> None:
    """Raise Refusal, with the nearest names, where scikit-learn has no scorer or metric of this name."""
    metrics = importlib.import_module("sklearn.metrics")
    functions = {one for one in getattr(metrics, "__all__", ()) if one.endswith(_SUFFIXES)}
    scorers = set(metrics.get_scorer_names() if hasattr(metrics, "get_scorer_names") else metrics.SCORERS)
    if name in functions or name in scorers:
        return
    near = difflib.get_close_matches(name, sorted(functions | scorers), 3, 0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise Refusal("bad-input", f"scikit-learn knows no scorer or metric called '{name}'{hint}")


def metric_named(name: str, answers: Answers, y: Any) -> Metric:
    """The scorer or metric function of this name, on the answers of a model to rows whose truth is `y`.

    Raises Refusal where scikit-learn has none or the model lacks the scores that it takes.
    """
    refuse_unknown(name)
    metrics = importlib.import_module("sklearn.metrics")
    if name in _ROC_AUC_SCORERS:
        scores = _scores(name, answers, ("predict_proba",))
        return lambda: _roc_auc(answers, y, scores, _ROC_AUC_SCORERS[name])
    base, sign = (name[4:], -1.0) if name.startswith("neg_") else (name, 1.0)
    stem, _, average = base.rpartition("_")
    options = {"average": average} if stem in _SHORT and average in _AVERAGES else None
    base = _SHORT.get(base if options is None else stem, base)
    function = getattr(metrics, base, None)
    if function is None or not base.endswith(_SUFFIXES):
        scorer = metrics.get_scorer(name)
        return lambda: float(scorer(answers.model, answers.rows(), y))
    first, second = list(inspect.signature(function).parameters)[:2]
    if second in _SCORES or base in _OF_PROBABILITIES:
        of_scores = _of_scores(base, function, answers, y)
        return lambda: sign * of_scores()
    answer = answers.of("predict")
    if first == "X":
        return lambda: sign * float(function(answers.X, answer))
    return lambda: sign * float(function(y, _shaped(y, answer), **(options or _averaging(function, answers, y))))


def _scores(name: str, answers: Answers, methods: tuple[str, ...]) -> Any:
    """The first of these answers that the model has. Raises Refusal, since labels are no scores."""
    method = next((one for one in methods if answers.has(one)), None)
    if method is None:
        kind = type(answers.model).__name__
        raise Refusal("bad-input", f"{name} is computed from scores, and {kind} has no {' and no '.join(methods)}")
    return answers.of(method)


def _of_scores(base: str, function: Any, answers: Answers, y: Any) -> Metric:
    if base in _OF_PROBABILITIES:
        methods: tuple[str, ...] = ("predict_proba",)
    elif base == "hinge_loss":
        methods = ("decision_function",)
    elif base == "roc_auc_score" and _count(_classes(answers)) != 2:
        methods = ("predict_proba",)
    else:
        methods = ("decision_function", "predict_proba")
    scores = _scores(base, answers, methods)
    if base == "roc_auc_score":
        return lambda: _roc_auc(answers, y, scores, _ROC_AUC_SCORERS["roc_auc_ovr"])
    return lambda: _scored(base, function, answers, y, scores)


def _scored(base: str, function: Any, answers: Answers, y: Any, scores: Any) -> float:
    labels = _known_classes(answers, y)
    if _count(labels) == 2 and base in _OF_ONE_CLASS:
        return float(function(_positive(y, labels), _second(scores)))
    if base == "average_precision_score" and labels is not None:
        return _mean_precision(function, y, labels, scores)
    options: dict[str, Any] = {}
    if labels is not None and "labels" in inspect.signature(function).parameters:
        options["labels"] = labels
    if base == "top_k_accuracy_score":
        if labels is not None and len(labels) <= _TOP:
            raise ValueError(f"with k={_TOP} and {len(labels)} classes every answer is right")
        options["k"] = _TOP
    return float(function(y, scores, **options))


def _roc_auc(answers: Answers, y: Any, scores: Any, options: dict[str, str]) -> float:
    metrics = importlib.import_module("sklearn.metrics")
    labels = _known_classes(answers, y)
    if _count(labels) == 2:
        return float(metrics.roc_auc_score(_positive(y, labels), _second(scores)))
    if labels is None:
        return float(metrics.roc_auc_score(y, scores, **options))
    return float(metrics.roc_auc_score(y, scores, labels=labels, **options))


def _mean_precision(function: Any, y: Any, labels: Any, scores: Any) -> float:
    """The mean over the classes of each class against the rest, as scikit-learn has it from 1.3 on."""
    numpy = importlib.import_module("numpy")
    truth, scores = numpy.asarray(y), numpy.asarray(scores)
    return float(function(numpy.stack([truth == one for one in labels], axis=1).astype(int), scores, average="macro"))


def _averaging(function: Any, answers: Answers, y: Any) -> dict[str, Any]:
    """The positive class of two, or the mean over the classes, for metrics that scikit-learn takes as of class 1."""
    numpy = importlib.import_module("numpy")
    if "pos_label" not in inspect.signature(function).parameters or numpy.asarray(y).ndim != 1:
        return {}
    labels = _known_classes(answers, y)
    if labels is None:
        return {}
    return {"pos_label": labels[1]} if len(labels) == 2 else {"average": "macro"}


def _classes(answers: Answers) -> Any:
    """The classes of the model; None where it has none, or a list of them for each of several outputs."""
    labels = attribute(answers.model, "classes_")
    return None if isinstance(labels, list) else labels


def _known_classes(answers: Answers, y: Any) -> Any:
    """The same. Raises ValueError where the truth holds one that the model does not know."""
    numpy = importlib.import_module("numpy")
    labels = _classes(answers)
    if labels is not None and numpy.asarray(y).ndim == 1:
        known = set(numpy.asarray(labels).tolist())
        new = sorted({str(one) for one in numpy.asarray(y).tolist() if one not in known})
        if new:
            raise ValueError(f"the model does not know the class {new[0][:80]!r}")
    return labels


def _count(labels: Any) -> Optional[int]:
    return None if labels is None else len(labels)


def _positive(y: Any, labels: Any) -> Any:
    return importlib.import_module("numpy").asarray(y) == labels[1]


def _second(scores: Any) -> Any:
    scores = importlib.import_module("numpy").asarray(scores)
    return scores[:, 1] if scores.ndim == 2 else scores


def _shaped(y: Any, answer: Any) -> Any:
    """The answer in the shape of the truth, where one of them is a column and the other is flat."""
    numpy = importlib.import_module("numpy")
    truth, answer = numpy.asarray(y), numpy.asarray(answer)
    return answer.reshape(truth.shape) if answer.ndim != truth.ndim and answer.size == truth.size else answer
