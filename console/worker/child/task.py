"""Task of a model, by its own word where it says it: that decides what its answers are held against and how."""

from __future__ import annotations

from typing import Any, Callable, Optional

from console.worker.child.introspection import attribute
from console.worker.child.lazy import numpy

CLASSIFICATION, REGRESSION, CLUSTERING = "classification", "regression", "clustering"
TRANSFORMATION = "transformation"
OUTLIERS = "outlier detection"
DENSITY = "density estimation"
RANKING = "ranking"

_OF_KIND = {
    "classifier": CLASSIFICATION,
    "regressor": REGRESSION,
    "clusterer": CLUSTERING,
    "outlier_detector": OUTLIERS,
    "density_estimator": DENSITY,
    "DensityEstimator": DENSITY,
    "ranker": RANKING,
}
"""Kinds of estimators as scikit-learn and those that follow it name them."""
_FEW_LABELS = 20
"""Models that say nothing of themselves and answer more whole numbers than this are taken for regressors."""


def task_of(model: Any, y: Any = None, answer: Optional[Callable[[], Any]] = None) -> str:
    """The task of a model: by its own word, else by what it has, else by what it answers (`answer` asks it) and `y`.

    Without `answer` a model that says nothing is judged by the truth alone.
    """
    kind = estimator_kind(model)
    if kind in _OF_KIND:
        return _OF_KIND[kind]
    if "ranker" in type(model).__name__.lower():
        return RANKING
    if is_outlier_detector(model):
        return OUTLIERS
    if not callable(attribute(model, "predict")):
        dense = callable(attribute(model, "score_samples")) and not callable(attribute(model, "transform"))
        return DENSITY if dense else TRANSFORMATION
    if attribute(model, "classes_") is not None or callable(attribute(model, "predict_proba")):
        return CLASSIFICATION
    if attribute(model, "labels_") is not None or (y is None and callable(attribute(model, "fit_predict"))):
        return CLUSTERING
    if y is None:
        return REGRESSION
    return _by_answer(y, None if answer is None else answer())


def estimator_kind(model: Any) -> Optional[str]:
    """The kind of estimator as scikit-learn's conventions, old and new, name it; None where the model does not say."""
    kind = attribute(model, "_estimator_type")
    if kind is None and hasattr(model, "__sklearn_tags__"):
        try:
            kind = model.__sklearn_tags__().estimator_type
        except Exception:
            return None
    return kind if isinstance(kind, str) else None


def last_part(model: Any, depth: int = 0) -> Any:
    """The estimator that answers in a composed model: the last step, the best one that a search found."""
    steps = attribute(model, "steps")
    inner = steps[-1][1] if isinstance(steps, list) and steps and isinstance(steps[-1], tuple) else None
    inner = attribute(model, "best_estimator_") if inner is None else inner
    return model if inner is None or depth > 8 else last_part(inner, depth + 1)


def marks_outliers_with_one(model: Any) -> bool:
    """Whether a detector is made like those of PyOD: 1 is an outlier, and a higher score is one more likely."""
    part = last_part(model)
    if str(type(part).__module__).partition(".")[0] in ("pyod", "suod"):
        return True
    return attribute(part, "decision_scores_") is not None and attribute(part, "threshold_") is not None


def is_outlier_detector(model: Any) -> bool:
    """Whether a model that does not say so is an outlier detector, by what fitting leaves in it."""
    if not callable(attribute(model, "predict")):
        return False
    if marks_outliers_with_one(model):
        return True
    part = last_part(model)
    fitted = attribute(part, "offset_") is not None and callable(attribute(part, "score_samples"))
    return fitted and attribute(part, "classes_") is None


def _by_answer(y: Any, answer: Any) -> str:
    truth = numpy.asarray(y)
    if answer is None:
        return REGRESSION if truth.dtype.kind == "f" else CLASSIFICATION
    found = numpy.asarray(answer)
    if found.dtype.kind not in "iuf" or truth.dtype.kind not in "iufb":
        return REGRESSION if found.dtype.kind == "f" else CLASSIFICATION
    labels = set(numpy.unique(truth).tolist())
    told = set(numpy.unique(found).tolist())
    return CLASSIFICATION if len(labels) <= _FEW_LABELS and told <= labels else REGRESSION
