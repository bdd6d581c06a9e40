"""How good a model is on rows whose truth is known: metrics by the names scikit-learn gives them."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from console.worker.child.asking import count, own
from console.worker.child.labels import known_labels, spelling
from console.worker.child.live import attribute
from console.worker.child.main import Refusal
from console.worker.child.scoring import Answers, Case, Metric, metric_named
from console.worker.child.task import (
    CLASSIFICATION,
    CLUSTERING,
    DENSITY,
    OUTLIERS,
    RANKING,
    REGRESSION,
    TRANSFORMATION,
    estimator_kind,
    task_of,
)
from console.worker.child.truth import Truth, as_texts, prepared

__all__ = [
    "CLASSIFICATION",
    "CLUSTERING",
    "OUTLIERS",
    "REGRESSION",
    "TRANSFORMATION",
    "Answers",
    "Measurement",
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


def evaluate(
    model: Any, X: Any, y: Any, extra: Sequence[str] = (), causes: Optional[dict[str, str]] = None
) -> tuple[str, dict[str, float]]:
    """Task and metrics of `model` on the rows `X`, as `measured` has them; `causes` hears what is left out."""
    found = measured(Answers(model, X), y, extra)
    if causes is not None:
        causes.update(found.causes)
    return found.task, found.metrics


@dataclass
class Measurement:
    """How a model did on the `rows` that count: metrics, why others of them are left out, and what was decided.

    `missing` rows had no truth and were not asked. `notes` tell of the truth, `meanings` of what a metric is here.
    """

    task: str
    rows: int
    answers: Answers
    missing: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    meanings: list[str] = field(default_factory=list)


def measured(answers: Answers, y: Any, extra: Sequence[str] = ()) -> Measurement:
    """Measure what a model answers to some rows with the truth `y` (None where the task has none).

    `extra` names further scorers or metrics of scikit-learn. A metric that is undefined on these rows is left out with
    its cause. Raises Refusal when the model has nothing to measure, the truth is missing, ambiguous or of another kind
    or shape, or `extra` names no metric or one that takes scores the model has not.
    """
    model, narrowed = answers.model, _Narrowed(answers)
    truth = prepared(model, y, lambda there: narrowed.to(there).of("predict"))
    _check(model, truth)
    if truth.task in _WITH_TRUTH:
        answers = narrowed.to(truth.there)
    found = Measurement(truth.task, count(answers.X), answers, truth.missing, notes=list(truth.notes))
    if truth.task in _WITH_TRUTH and not len(truth.y):
        return found
    case = Case(answers, truth)
    if truth.task in (CLASSIFICATION, REGRESSION, OUTLIERS):
        case.predicted()
    metrics = _MEASURES[truth.task](case, found)
    metrics.update({name: metric_named(name, case) for name in extra if name not in metrics})
    _compute(metrics, found)
    return found


_WITH_TRUTH = (CLASSIFICATION, REGRESSION, OUTLIERS, RANKING)


def _check(model: Any, truth: Truth) -> None:
    if truth.task == TRANSFORMATION and not callable(attribute(model, "transform")):
        message = f"{type(model).__name__} has neither predict nor transform, so there is nothing to measure"
        raise Refusal("bad-input", message)
    if truth.y is None and truth.task in _WITH_TRUTH:
        a = "an" if truth.task == OUTLIERS else "a"
        message = f"measuring {a} {truth.task} model needs a target column"
        raise Refusal("bad-input", message, {"needs": "target"})


class _Narrowed:
    """The answers to the rows that have a truth."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._found: Optional[Answers] = None

    def to(self, there: Any) -> Answers:
        """The answers to those rows, asked once; None is all."""
        import numpy

        if there is None:
            return self._answers
        if self._found is None:
            self._found = Answers(self._answers.model, take(self._answers.X, numpy.flatnonzero(there)))
        return self._found


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


def _compute(metrics: dict[str, Metric], found: Measurement) -> None:
    """Compute what can be, and note the causes of the rest and what scikit-learn warns of."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for name, metric in metrics.items():
            try:
                value = float(metric())
            except (ValueError, TypeError, ZeroDivisionError, AttributeError) as error:
                found.causes[name] = (str(error) or type(error).__name__).partition("\n")[0][:300]
                continue
            if math.isfinite(value):
                found.metrics[name] = value
            else:
                found.causes[name] = f"it came out as {value}, which is no number"
    told = {str(one.message).partition("\n")[0][:300] for one in warned if _is_undefined(one.category)}
    found.notes += sorted(told)


def _is_undefined(category: type[Warning]) -> bool:
    return category.__name__ == "UndefinedMetricWarning"


def _later(name: str, case: Case) -> Metric:
    """One of the metrics that every model of a task has: it says later why it cannot be had."""
    try:
        return metric_named(name, case)
    except Refusal as refusal:
        if (refusal.details or {}).get("needs") != "scores":
            raise
        return _failing(ValueError(str(refusal)))


def _failing(error: Exception) -> Metric:
    def raised() -> float:
        raise error

    return raised


def _classification(case: Case, found: Measurement) -> dict[str, Metric]:
    import numpy

    several = isinstance(case.labels, list)
    classes = numpy.unique(case.y) if case.labels is None else case.labels
    two = not several and case.y.ndim == 1 and len(classes) == 2
    two = two and (case.labels is not None or set(classes.tolist()) == {0, 1})
    names = ["accuracy", "balanced_accuracy", "f1" if two else "f1_weighted"]
    metrics = {name: metric_named(name, case) for name in names}
    ranked = "roc_auc" if two or case.indicator else "roc_auc_ovr"
    if case.labels is None:
        error = ValueError(f"{type(case.answers.model).__name__} does not say which classes its scores are of")
        return {**metrics, ranked: _failing(error), "log_loss": _failing(error)}
    if several:
        found.meanings.append(_OUTPUTS_WORDS.format(len(case.labels)))
    return {**metrics, ranked: _later(ranked, case), "log_loss": _later("log_loss", case)}


_OUTPUTS_WORDS = "accuracy is the share of rows with all {} outputs right; other metrics are averages over the outputs"


def _outliers(case: Case, found: Measurement) -> dict[str, Metric]:
    metrics = {name: metric_named(name, case) for name in ("accuracy", "balanced_accuracy", "f1")}
    found.meanings.append("the outlier is the positive class of f1, roc_auc and average_precision")
    return {**metrics, **{name: _later(name, case) for name in ("roc_auc", "average_precision")}}


def _regression(case: Case, found: Measurement) -> dict[str, Metric]:
    names = ("r2", "mean_absolute_error", "root_mean_squared_error", "max_error")
    metrics = {name: metric_named(name, case) for name in names}
    if _is_of_chances(case):
        from sklearn.metrics import roc_auc_score

        metrics["roc_auc"] = lambda: float(roc_auc_score(case.y, case.predicted()))
        found.meanings.append("the truth is 0 and 1, the answers lie between: measured as numbers, and roc_auc by them")
    return metrics


def _is_of_chances(case: Case) -> bool:
    """Whether a model that does not call itself a regressor answers how likely a 1 is."""
    import numpy

    if estimator_kind(case.answers.model) == "regressor" or case.y.ndim != 1:
        return False
    answer = case.predicted()
    return set(numpy.unique(case.y).tolist()) == {0, 1} and bool(((answer >= 0) & (answer <= 1)).all())


def _clustering(case: Case, found: Measurement) -> dict[str, Metric]:
    from sklearn import metrics

    X, answer = case.answers.X, case.answers.of("predict")
    rows = min(_SILHOUETTE_ROWS, len(answer))
    if case.y is None:
        found.meanings.append("without a truth only the shape of the clusters is measured")
    return {
        "silhouette_score": lambda: metrics.silhouette_score(X, answer, sample_size=rows, random_state=0),
        "calinski_harabasz_score": lambda: metrics.calinski_harabasz_score(X, answer),
        "davies_bouldin_score": lambda: metrics.davies_bouldin_score(X, answer),
        **_groups(case, answer),
    }


def _groups(case: Case, answer: Any) -> dict[str, Metric]:
    """How the groups of a model agree with those of the truth."""
    if case.y is None or not len(case.y):
        return {}
    import numpy
    from sklearn import metrics

    there = case.truth.there
    groups = numpy.asarray(answer) if there is None else numpy.asarray(answer)[there]
    truth = as_texts(case.y) if case.y.dtype.kind == "O" else case.y
    if truth.ndim != 1:
        raise Refusal("bad-input", f"the truth of clusters is one column, not {truth.shape[1]}")
    return {
        "adjusted_rand_score": lambda: metrics.adjusted_rand_score(truth, groups),
        "normalized_mutual_info_score": lambda: metrics.normalized_mutual_info_score(truth, groups),
    }


def _density(case: Case, found: Measurement) -> dict[str, Metric]:
    """How likely the model holds the rows; and how its groups agree with the truth, where it has both."""
    import numpy

    likely = case.answers.of("score_samples")
    found.meanings.append("mean_log_likelihood is the mean of score_samples; without a truth nothing else is measured")
    metrics: dict[str, Metric] = {"mean_log_likelihood": lambda: float(numpy.mean(likely))}
    return {**metrics, **(_groups(case, case.answers.of("predict")) if case.answers.has("predict") else {})}


def _ranking(case: Case, found: Measurement) -> dict[str, Metric]:
    error = ValueError("a ranker is right or wrong within groups of rows, and a data file does not say which those are")
    return {"ndcg_score": _failing(error)}


def _transformation(case: Case, found: Measurement) -> dict[str, Metric]:
    """How far rows are from themselves once transformed there and back, where there is a way back."""
    import numpy
    from sklearn import metrics

    there = case.answers.of("transform")
    back = attribute(case.answers.model, "inverse_transform")
    if not callable(back):
        kind = type(case.answers.model).__name__
        return {"mean_squared_error": _failing(ValueError(f"{kind} has no inverse_transform to compare rows by"))}
    rows = case.answers.X
    rows = rows.toarray() if hasattr(rows, "toarray") else numpy.asarray(rows)
    found.meanings.append("mean_squared_error is between the rows and themselves, transformed there and back")
    return {"mean_squared_error": lambda: metrics.mean_squared_error(rows, numpy.asarray(back(own(there))))}


_MEASURES: dict[str, Callable[[Case, Measurement], dict[str, Metric]]] = {
    CLASSIFICATION: _classification,
    REGRESSION: _regression,
    OUTLIERS: _outliers,
    CLUSTERING: _clustering,
    DENSITY: _density,
    RANKING: _ranking,
    TRANSFORMATION: _transformation,
}
