"""Fitted objects whose answer for a row does not depend on the other rows of a call."""

from __future__ import annotations

from typing import Any

from backends.core.attributes import attribute

_METHODS = ("predict", "predict_proba", "decision_function", "transform")
_ACROSS_ROWS = frozenset(
    {"DummyClassifier", "FunctionTransformer", "NMF", "MiniBatchNMF", "SparsePCA", "MiniBatchSparsePCA"}
)
"""Estimators of scikit-learn whose answer for a row depends on the call: drawn at random, by a function of somebody's,
iterated until all rows of the call have converged, or of another shape for a single row."""
_BOOSTERS = frozenset(("xgboost", "lightgbm", "catboost"))


def row_wise(model: Any) -> frozenset[str]:
    """The methods whose answer for a row does not depend on the other rows of the call.

    It is known of scikit-learn's own estimators only, composed of nothing else. The last bits of a number may still
    differ with the number of rows, since a BLAS sums in another order then.
    """
    if not _all_row_wise(model):
        return frozenset()
    return frozenset(name for name in _METHODS if callable(attribute(model, name)))


def answers_by_row(model: Any) -> bool:
    """Whether all answers are known to be so: of boosters too, and of pipelines of such parts."""
    if type(model).__module__.partition(".")[0] in _BOOSTERS:
        return True
    steps = attribute(model, "steps")
    if type(model).__module__ == "sklearn.pipeline" and isinstance(steps, list):
        return all(step in (None, "passthrough") or answers_by_row(step) for _name, step in steps)
    return bool(row_wise(model))


def _all_row_wise(part: Any, depth: int = 0) -> bool:
    """Whether an estimator and all it was made of answer row by row, and no function of somebody else's is in it."""
    kind = type(part)
    if depth > 8 or not kind.__module__.startswith("sklearn.") or kind.__name__ in _ACROSS_ROWS:
        return False
    try:
        parameters = part.get_params(deep=False).values()
    except Exception:
        return False
    return all(_harmless(value, depth + 1) for value in parameters)


def _harmless(value: Any, depth: int) -> bool:
    if isinstance(value, (list, tuple)) and depth <= 8:
        return all(_harmless(one, depth + 1) for one in value)
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _all_row_wise(value, depth)
    return not callable(value) or _names_a_kind(value)


def _names_a_kind(value: Any) -> bool:
    """Whether what could be called only names a kind of numbers, or chose columns while the model was fitted."""
    if isinstance(value, type):
        return value.__module__ in ("numpy", "builtins")
    return type(value).__name__ == "make_column_selector" and type(value).__module__.startswith("sklearn.compose")
