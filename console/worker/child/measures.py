"""The metrics that every model of a task has, and how they come to a measurement."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any, Callable

from backends.core.errors import Refusal
from backends.core.tasks import CLASSIFICATION, CLUSTERING, DENSITY, OUTLIERS, RANKING, REGRESSION, TRANSFORMATION
from console.worker.child.answers import Answers, Case
from console.worker.child.asking import own
from console.worker.child.lazy import metrics, numpy
from console.worker.child.scoring import Metric, metric_named
from console.worker.child.truth import as_texts

_SILHOUETTE_ROWS = 2000


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


def compute(metrics: dict[str, Metric], found: Measurement) -> None:
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
    told = {
        str(one.message).partition("\n")[0][:300] for one in warned if one.category.__name__ == "UndefinedMetricWarning"
    }
    found.notes += sorted(told)


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
    several = isinstance(case.labels, list)
    classes = numpy.unique(case.y) if case.labels is None else case.labels
    two = not several and case.y.ndim == 1 and len(classes) == 2
    two = two and (case.labels is not None or set(classes.tolist()) == {0, 1})
    names = ["accuracy", "balanced_accuracy", "f1" if two else "f1_weighted"]
    metrics = {name: metric_named(name, case) for name in names}
    ranked = "roc_auc" if two or case.indicator else "roc_auc_ovr"
    if case.labels is None:
        error = ValueError(f"{case.answers.model.name} does not say which classes its scores are of")
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
    if case.answers.model.is_regressor or case.y.ndim != 1:
        return False
    answer = case.predicted()
    return set(numpy.unique(case.y).tolist()) == {0, 1} and bool(((answer >= 0) & (answer <= 1)).all())


def _clustering(case: Case, found: Measurement) -> dict[str, Metric]:
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
    likely = case.answers.of("score_samples")
    found.meanings.append("mean_log_likelihood is the mean of score_samples; without a truth nothing else is measured")
    metrics: dict[str, Metric] = {"mean_log_likelihood": lambda: float(numpy.mean(likely))}
    return {**metrics, **(_groups(case, case.answers.of("predict")) if case.answers.has("predict") else {})}


def _ranking(case: Case, found: Measurement) -> dict[str, Metric]:
    error = ValueError("a ranker is right or wrong within groups of rows, and a data file does not say which those are")
    return {"ndcg_score": _failing(error)}


def _transformation(case: Case, found: Measurement) -> dict[str, Metric]:
    """How far rows are from themselves once transformed there and back, where there is a way back."""
    there = case.answers.of("transform")
    back = case.answers.model.inverse_transform
    if back is None:
        kind = case.answers.model.name
        return {"mean_squared_error": _failing(ValueError(f"{kind} has no inverse_transform to compare rows by"))}
    rows = case.answers.X
    rows = rows.toarray() if hasattr(rows, "toarray") else numpy.asarray(rows)
    found.meanings.append("mean_squared_error is between the rows and themselves, transformed there and back")
    return {"mean_squared_error": lambda: metrics.mean_squared_error(rows, numpy.asarray(back(own(there))))}


MEASURES: dict[str, Callable[[Case, Measurement], dict[str, Metric]]] = {
    CLASSIFICATION: _classification,
    REGRESSION: _regression,
    OUTLIERS: _outliers,
    CLUSTERING: _clustering,
    DENSITY: _density,
    RANKING: _ranking,
    TRANSFORMATION: _transformation,
}
"""By task, the metrics of a case; what they are of is noted in the measurement."""
