"""How good a model is on rows whose truth is known: metrics by the names scikit-learn gives them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Callable, Optional

from console.worker.child.asking import ask, own
from console.worker.child.live import attribute
from console.worker.child.main import Refusal

__all__ = [
    "CLASSIFICATION",
    "CLUSTERING",
    "REGRESSION",
    "TRANSFORMATION",
    "evaluate",
    "held_back",
    "known_labels",
    "split",
    "take",
    "task_of",
]

CLASSIFICATION, REGRESSION, CLUSTERING = "classification", "regression", "clustering"
TRANSFORMATION = "transformation"
HELD_BACK_SHARE = 0.2
"""Share of the training rows that is kept from fitting when there is no hold-out file."""
_SILHOUETTE_ROWS = 2000

Metric = Callable[[], float]


def split(rows: int) -> tuple[Any, Any]:
    """Positions of the rows to fit on and of those held back, the same in every process for the same count."""
    import numpy

    order = numpy.random.RandomState(20).permutation(rows)
    held = max(1, int(rows * HELD_BACK_SHARE)) if rows > 1 else 0
    return numpy.sort(order[held:]), numpy.sort(order[:held])


def take(rows: Any, positions: Any) -> Any:
    """These rows of a frame, an array, a sparse matrix or a list."""
    if hasattr(rows, "iloc"):
        return rows.iloc[positions]
    return [rows[int(one)] for one in positions] if isinstance(rows, list) else rows[positions]


def held_back(X: Any, y: Any) -> tuple[Any, Any]:
    """The rows of a training table that are kept from fitting."""
    count = X.shape[0] if hasattr(X, "shape") else len(X)
    _fitted, held = split(count)
    return take(X, held), None if y is None else take(y, held)


def task_of(model: Any, y: Any = None) -> str:
    """What the model is for: by scikit-learn's own tags, else by what it has, else by the truth given."""
    if not hasattr(model, "predict"):
        return TRANSFORMATION
    kind = _estimator_kind(model)
    if kind in ("classifier", "regressor"):
        return CLASSIFICATION if kind == "classifier" else REGRESSION
    if kind == "outlier_detector" and y is not None:
        return CLASSIFICATION
    if kind == "clusterer" or (y is None and hasattr(model, "labels_")):
        return CLUSTERING
    if attribute(model, "classes_") is not None or hasattr(model, "predict_proba"):
        return CLASSIFICATION
    if y is None:
        return CLUSTERING
    import numpy

    return REGRESSION if numpy.asarray(y).dtype.kind == "f" else CLASSIFICATION


def _estimator_kind(model: Any) -> Optional[str]:
    kind = attribute(model, "_estimator_type")
    if kind is None and hasattr(model, "__sklearn_tags__"):
        try:
            kind = model.__sklearn_tags__().estimator_type
        except Exception:
            return None
    return kind if isinstance(kind, str) else None


def known_labels(y: Any, classes: Any) -> Any:
    """`y` spelled as the model's classes are: a table read from text may hold 1 or "1" for the class "1" or 1."""
    import numpy

    if classes is None or isinstance(classes, list):
        return y
    truth, known = numpy.asarray(y), numpy.asarray(classes)
    if truth.ndim != 1 or known.ndim != 1 or truth.dtype.kind == known.dtype.kind:
        return y
    spelled = {_spelling(one): one for one in known.tolist()}
    found = [spelled.get(_spelling(one)) for one in truth.tolist()]
    return y if any(one is None for one in found) else numpy.asarray(found, dtype=known.dtype)


def _spelling(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower() if isinstance(value, bool) or str(value) in ("True", "False") else str(value)


def evaluate(model: Any, X: Any, y: Any, extra: Sequence[str] = ()) -> tuple[str, dict[str, float]]:
    """Task and metrics of `model` on the rows `X` with the truth `y` (None where the task has none).

    `extra` names further scorers or metrics of scikit-learn. A metric that is undefined on these rows is left out.
    Raises Refusal when the model has nothing to measure, the truth is missing or `extra` names no metric.
    """
    task = task_of(model, y)
    if task == TRANSFORMATION and not hasattr(model, "transform"):
        message = f"{type(model).__name__} has neither predict nor transform, so there is nothing to measure"
        raise Refusal("bad-input", message)
    if y is None and task in (CLASSIFICATION, REGRESSION):
        raise Refusal("bad-input", f"measuring a {task} model needs a target column")
    truth = y if y is None else known_labels(y, attribute(model, "classes_"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure = _MEASURES[task]
        found = _measured(measure(model, X, truth))
        for name in extra:
            if name not in found:
                found.update(_measured({name: _named(name, model, X, truth)}))
    return task, found


def _measured(metrics: dict[str, Metric]) -> dict[str, float]:
    found = {}
    for name, metric in metrics.items():
        try:
            value = float(metric())
        except (ValueError, TypeError, ZeroDivisionError):
            continue
        if math.isfinite(value):
            found[name] = value
    return found


def _classification(model: Any, X: Any, y: Any) -> dict[str, Metric]:
    import numpy
    from sklearn import metrics

    answer = ask(model, "predict", X)
    classes = numpy.unique(numpy.asarray(y))
    found: dict[str, Metric] = {
        "accuracy": lambda: metrics.accuracy_score(y, answer),
        "balanced_accuracy": lambda: metrics.balanced_accuracy_score(y, answer),
    }
    if numpy.asarray(y).ndim == 1 and len(classes) == 2:
        found["f1"] = lambda: metrics.f1_score(y, answer, pos_label=classes[1])
    else:
        found["f1_weighted"] = lambda: metrics.f1_score(y, answer, average="weighted")
    scores, probabilities = _scores(model, X)
    if scores is not None:
        found.update(_ranking(model, y, classes, scores, probabilities))
    return found


def _scores(model: Any, X: Any) -> tuple[Any, bool]:
    """Probabilities where the model has them, else decision values; whether they are probabilities."""
    for name, probabilities in (("predict_proba", True), ("decision_function", False)):
        method = attribute(model, name)
        if callable(method):
            return ask(model, name, X), probabilities
    return None, False


def _ranking(model: Any, y: Any, classes: Any, scores: Any, probabilities: bool) -> dict[str, Metric]:
    import numpy
    from sklearn import metrics

    labels = attribute(model, "classes_")
    if isinstance(scores, list) or labels is None or isinstance(labels, list):
        return {}
    found: dict[str, Metric] = {}
    scores = numpy.asarray(scores)
    if len(labels) == 2:
        positive = scores[:, 1] if scores.ndim == 2 else scores
        found["roc_auc"] = lambda: metrics.roc_auc_score(numpy.asarray(y) == labels[1], positive)
    elif probabilities:
        found["roc_auc_ovr"] = lambda: metrics.roc_auc_score(y, scores, multi_class="ovr", labels=labels)
    if probabilities:
        found["log_loss"] = lambda: metrics.log_loss(y, scores, labels=labels)
    return found


def _regression(model: Any, X: Any, y: Any) -> dict[str, Metric]:
    import numpy
    from sklearn import metrics

    answer = numpy.asarray(ask(model, "predict", X))
    truth = numpy.asarray(y)
    if answer.ndim != truth.ndim:
        answer = answer.reshape(truth.shape)
    return {
        "r2": lambda: metrics.r2_score(truth, answer),
        "mean_absolute_error": lambda: metrics.mean_absolute_error(truth, answer),
        "root_mean_squared_error": lambda: math.sqrt(metrics.mean_squared_error(truth, answer)),
        "max_error": lambda: metrics.max_error(truth, answer),
    }


def _clustering(model: Any, X: Any, y: Any) -> dict[str, Metric]:
    from sklearn import metrics

    answer = ask(model, "predict", X)
    rows = min(_SILHOUETTE_ROWS, len(answer))
    found: dict[str, Metric] = {
        "silhouette_score": lambda: metrics.silhouette_score(X, answer, sample_size=rows, random_state=0),
        "calinski_harabasz_score": lambda: metrics.calinski_harabasz_score(X, answer),
        "davies_bouldin_score": lambda: metrics.davies_bouldin_score(X, answer),
    }
    if y is not None:
        found["adjusted_rand_score"] = lambda: metrics.adjusted_rand_score(y, answer)
        found["normalized_mutual_info_score"] = lambda: metrics.normalized_mutual_info_score(y, answer)
    return found


def _transformation(model: Any, X: Any, y: Any) -> dict[str, Metric]:
    """How far rows are from themselves once transformed there and back, where there is a way back."""
    import numpy
    from sklearn import metrics

    there = ask(model, "transform", X)
    back = attribute(model, "inverse_transform")
    if not callable(back):
        return {}
    rows = X.toarray() if hasattr(X, "toarray") else numpy.asarray(X)
    return {"mean_squared_error": lambda: metrics.mean_squared_error(rows, numpy.asarray(back(there)))}


_MEASURES: dict[str, Callable[[Any, Any, Any], dict[str, Metric]]] = {
    CLASSIFICATION: _classification,
    REGRESSION: _regression,
    CLUSTERING: _clustering,
    TRANSFORMATION: _transformation,
}


def _named(name: str, model: Any, X: Any, y: Any) -> Metric:
    """A scorer of this name, or the metric function of this name applied to the predictions."""
    from sklearn import metrics

    try:
        scorer = metrics.get_scorer(name)
        return lambda: float(scorer(model, own(X), y))
    except (ValueError, KeyError):
        pass
    public = set(getattr(metrics, "__all__", ()))
    function = getattr(metrics, name, None) if name in public else None
    if function is None or not name.endswith(("_score", "_error", "_loss", "_deviance", "_corrcoef")):
        raise Refusal("bad-input", f"scikit-learn knows no scorer or metric called '{name}'")
    return lambda: float(function(y, ask(model, "predict", X)))
