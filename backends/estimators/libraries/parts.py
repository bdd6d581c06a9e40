"""Parts of a composed model, and the library that each is of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.estimators.libraries import others, scikit_learn, statsmodels_models
from backends.estimators.libraries.base import Library
from backends.estimators.libraries.catboost_models import CatBoost
from backends.estimators.libraries.lightgbm_models import LightGBM
from backends.estimators.libraries.xgboost_models import XGBoost

_DEPTH_CAP = 8
_LIBRARIES: dict[str, Library] = {
    "lightgbm": LightGBM(),
    "xgboost": XGBoost(),
    "catboost": CatBoost(),
    "lifelines": others.Lifelines(),
    "interpret": others.Interpret(),
    "category_encoders": others.CategoryEncoders(),
    "pygam": others.PyGAM(),
    "ngboost": others.NGBoost(),
    "mlxtend": others.Mlxtend(),
    "prophet": others.Prophet(),
    "sktime.forecasting": others.Forecasters(),
    "sklearn.preprocessing": scikit_learn.Preprocessing(),
    "sklearn.feature_extraction._dict_vectorizer": scikit_learn.Dictionaries(),
    "sklearn.feature_extraction._hash": scikit_learn.Dictionaries(),
}
"""Module, or the beginning of one, to the entry of its library."""
_PLAIN = Library()
_ONE = ("best_estimator_", "estimator_", "regressor_")
_SEVERAL = ("calibrated_classifiers_", "estimators_", "clfs_", "regr_")
"""Where wrappers keep the fitted parts that are given the rows as they come."""


def library_of(part: Any) -> Library:
    """The entry of the library that a fitted object is of; one that knows nothing for any other."""
    for kind in type(part).__mro__[:-1]:
        module = str(getattr(kind, "__module__", ""))
        if module.startswith("statsmodels."):
            return statsmodels_models.of(part)
        found = _entry(module)
        if found is not None:
            return found
    return _PLAIN


@lru_cache(maxsize=1024)
def _entry(module: str) -> Optional[Library]:
    names = module.split(".")
    return _LIBRARIES.get(names[0]) or _LIBRARIES.get(".".join(names[:2])) or _LIBRARIES.get(module)


def receivers(model: Any, depth: int = 0) -> Iterator[Any]:
    """The model, then the parts of it that are given the rows unchanged, the outer ones first."""
    if model is None or isinstance(model, (str, bytes, dict)) or depth > _DEPTH_CAP:
        return
    yield model
    for part in _inner(model):
        yield from receivers(part, depth + 1)


def _inner(model: Any) -> list[Any]:
    steps = attribute(model, "steps")
    if isinstance(steps, list) and steps:
        first = (step[1] for step in steps if isinstance(step, tuple) and len(step) == 2)
        return [part for part in first if part is not None and part != "passthrough"][:1]
    several = attribute(model, "transformer_list")
    if isinstance(several, list):
        return [part[1] for part in several if isinstance(part, tuple) and part[1] not in ("drop", "passthrough")]
    found = [attribute(model, name) for name in _ONE]
    found = [part for part in found if part is not None]
    for name in _SEVERAL:
        parts = attribute(model, name)
        if not found and isinstance(parts, list) and parts and not isinstance(parts[0], tuple):
            found = [_unwrapped(part) for part in parts[: _DEPTH_CAP if name == "estimators_" else 1]]
    if not found and type(model).__name__ == "FrozenEstimator":
        found = [attribute(model, "estimator")]
    return found


def _unwrapped(part: Any) -> Any:
    """A calibrated classifier's own classifier, which some versions keep beside others."""
    inner = attribute(part, "estimator") if type(part).__name__ == "_CalibratedClassifier" else None
    return part if inner is None else inner
