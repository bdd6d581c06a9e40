"""Tasks of fitted objects, by their own word where they say it, else by what fitting leaves in them."""

from __future__ import annotations

from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.tasks import CLASSIFICATION, CLUSTERING, DENSITY, OUTLIERS, RANKING, REGRESSION, TRANSFORMATION

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


def task_of(model: Any, *, has_truth: bool) -> Optional[str]:
    """The task of a model: by its own word, else by what it has; None where what it answers has to tell."""
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
    if attribute(model, "labels_") is not None or (not has_truth and callable(attribute(model, "fit_predict"))):
        return CLUSTERING
    return None


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


def outlier_label(model: Any) -> Optional[int]:
    """The model's answer for an outlier, -1 or 1; None for one of no known library."""
    if marks_outliers_with_one(model):
        return 1
    return -1 if str(type(last_part(model)).__module__).startswith("sklearn.") else None


def supervised(model: Any) -> bool:
    """Whether fitting takes a truth; outlier detectors and transformers do without."""
    try:
        return bool(model.__sklearn_tags__().target_tags.required)
    except Exception:
        return getattr(model, "_estimator_type", None) in ("classifier", "regressor")
