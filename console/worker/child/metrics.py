"""How good a model is on rows whose truth is known: metrics by the names scikit-learn gives them."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Sequence
from typing import Any, Callable, Optional

from console.worker.child.asking import own
from console.worker.child.live import attribute
from console.worker.child.main import Refusal
from console.worker.child.methods import what_it_has
from console.worker.child.scoring import Answers, Metric, metric_named

__all__ = [
    "CLASSIFICATION",
    "CLUSTERING",
    "REGRESSION",
    "TRANSFORMATION",
    "Answers",
    "digest_of",
    "evaluate",
    "held_back",
    "known_labels",
    "marked",
    "measured",
    "spelling",
    "split",
    "take",
    "task_of",
]

CLASSIFICATION, REGRESSION, CLUSTERING = "classification", "regression", "clustering"
TRANSFORMATION = "transformation"
HELD_BACK_SHARE = 0.2
"""Share of the training rows that is kept from fitting when there is no hold-out file."""
_SILHOUETTE_ROWS = 2000


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


def marked(X: Any, y: Any, bits: bytes) -> tuple[Any, Any]:
    """The rows whose bit is set. Raises Refusal for bits of another number of rows."""
    import numpy

    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if len(bits) != -(-rows // 8):
        raise Refusal("bad-input", f"the hold-out has {rows} rows, which is not what it was compared as")
    positions = numpy.flatnonzero(numpy.unpackbits(numpy.frombuffer(bits, dtype="uint8"), count=rows))
    return take(X, positions), None if y is None else take(y, positions)


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
    spelled = {spelling(one): one for one in known.tolist()}
    found = [spelled.get(spelling(one)) for one in truth.tolist()]
    return y if any(one is None for one in found) else numpy.asarray(found, dtype=known.dtype)


def spelling(value: Any) -> str:
    """A label as text that is the same for 1, 1.0 and "1", and for True and "True"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower() if isinstance(value, bool) or str(value) in ("True", "False") else str(value)


def evaluate(
    model: Any, X: Any, y: Any, extra: Sequence[str] = (), causes: Optional[dict[str, str]] = None
) -> tuple[str, dict[str, float]]:
    """Task and metrics of `model` on the rows `X` with the truth `y` (None where the task has none).

    `extra` names further scorers or metrics of scikit-learn. A metric that is undefined on these rows is left out, and
    `causes` is told why. Raises Refusal when the model has nothing to measure, the truth is missing, `extra` names no
    metric or one that takes scores the model has not.
    """
    return measured(Answers(model, X), y, extra, causes)


def measured(
    answers: Answers, y: Any, extra: Sequence[str] = (), causes: Optional[dict[str, str]] = None
) -> tuple[str, dict[str, float]]:
    """The same of what a model answers."""
    model = answers.model
    task = task_of(model, y)
    if task == TRANSFORMATION and not hasattr(model, "transform"):
        message = f"{type(model).__name__} has neither predict nor transform, so there is nothing to measure"
        raise Refusal("bad-input", f"{message}: {what_it_has(model)}")
    if y is None and task in (CLASSIFICATION, REGRESSION):
        raise Refusal("bad-input", f"measuring a {task} model needs a target column")
    truth = y if y is None else known_labels(y, attribute(model, "classes_"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        causes = {} if causes is None else causes
        found = _computed(_MEASURES[task](answers, truth), causes)
        for name in extra:
            if name not in found:
                found.update(_computed({name: metric_named(name, answers, truth)}, causes))
    return task, found


def digest_of(answers: Answers) -> str:
    """A digest of all that a model has answered; two models with the same one answered exactly alike."""
    import numpy

    found = hashlib.sha256()
    for name, answer in sorted(answers.known.items()):
        array = numpy.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)
        plain = array.dtype.kind in "biufcUS"
        data = numpy.ascontiguousarray(array).tobytes() if plain else repr(array.tolist()).encode("utf-8", "replace")
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(data)
    return found.hexdigest()


def _computed(metrics: dict[str, Metric], causes: dict[str, str]) -> dict[str, float]:
    found = {}
    for name, metric in metrics.items():
        try:
            value = float(metric())
        except (ValueError, TypeError, ZeroDivisionError, AttributeError) as error:
            causes[name] = (str(error) or type(error).__name__).partition("\n")[0][:300]
            continue
        if math.isfinite(value):
            found[name] = value
        else:
            causes[name] = f"it came out as {value}, which is no number"
    return found


def _classification(answers: Answers, y: Any) -> dict[str, Metric]:
    import numpy

    labels = attribute(answers.model, "classes_")
    single = numpy.asarray(y).ndim == 1
    known = len(numpy.unique(numpy.asarray(y))) if labels is None or isinstance(labels, list) else len(labels)
    names = ["accuracy", "balanced_accuracy", "f1" if single and known == 2 else "f1_weighted"]
    scored = labels is not None and not isinstance(labels, list)
    if scored and (answers.has("predict_proba") or (known == 2 and answers.has("decision_function"))):
        names.append("roc_auc" if known == 2 else "roc_auc_ovr")
    if scored and answers.has("predict_proba"):
        names.append("log_loss")
    return {name: metric_named(name, answers, y) for name in names}


def _regression(answers: Answers, y: Any) -> dict[str, Metric]:
    squared = metric_named("mean_squared_error", answers, y)
    return {
        "r2": metric_named("r2", answers, y),
        "mean_absolute_error": metric_named("mean_absolute_error", answers, y),
        "root_mean_squared_error": lambda: math.sqrt(squared()),
        "max_error": metric_named("max_error", answers, y),
    }


def _clustering(answers: Answers, y: Any) -> dict[str, Metric]:
    from sklearn import metrics

    X, answer = answers.X, answers.of("predict")
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


def _transformation(answers: Answers, y: Any) -> dict[str, Metric]:
    """How far rows are from themselves once transformed there and back, where there is a way back."""
    import numpy
    from sklearn import metrics

    there = answers.of("transform")
    back = attribute(answers.model, "inverse_transform")
    if not callable(back):
        return {}
    rows = answers.X.toarray() if hasattr(answers.X, "toarray") else numpy.asarray(answers.X)
    return {"mean_squared_error": lambda: metrics.mean_squared_error(rows, numpy.asarray(back(own(there))))}


_MEASURES: dict[str, Callable[[Answers, Any], dict[str, Metric]]] = {
    CLASSIFICATION: _classification,
    REGRESSION: _regression,
    CLUSTERING: _clustering,
    TRANSFORMATION: _transformation,
}
