"""Inputs that a fitted model expects, as far as its own parts tell: names, count, kinds of columns, categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from console.worker.child.data.options import Knowledge
from console.worker.child.live import attribute

NUMBER, TEXT = "number", "text"

_UNKNOWN_MODULES = ("sklearn.compose", "sklearn.feature_extraction", "sklearn.pipeline", "sklearn.dummy")
_ANY_KIND = frozenset({"FunctionTransformer", "SimpleImputer", "OrdinalEncoder", "OneHotEncoder", "TargetEncoder"})
_TEXT_MODULE = "sklearn.feature_extraction.text"
PLACES_CAP = 100_000
"""Of so many columns without names it is asked what the model knows."""
_NAMES = ("feature_names_in_", "feature_name_", "feature_names_", "feature_name", "feature_names")
"""Where models keep their inputs' names: scikit-learn, LightGBM's estimators, CatBoost, LightGBM's and XGBoost's
boosters."""
_COUNTS = ("n_features_in_", "n_features_", "num_feature", "num_features")
_MADE_UP = (r"Column_{}", r"f{}", r"{}", r"x{}", r"feature_{}")
"""Names that libraries give to columns of arrays, which had none."""


@dataclass(frozen=True)
class Kind:
    """One column's kind; `categories` are the texts it was fitted with, `gaps` whether some were missing."""

    kind: str
    categories: frozenset[str] = frozenset()
    gaps: bool = False


def names_of(model: Any, depth: int = 0) -> Optional[list[str]]:
    """The names of the model's inputs in its own order; None where it knows none."""
    if model is None or isinstance(model, str) or depth > 8:
        return None
    for place in _NAMES:
        found = _listed(attribute(model, place))
        if found:
            return None if _made_up(found) and not _is_own(model, place, found) else found
    inner = _inner(model)
    return names_of(inner, depth + 1) if inner is not None else _of_statsmodels(model)


def _listed(found: Any) -> Optional[list[str]]:
    if callable(found):
        try:
            found = found()
        except Exception:
            return None
    if found is None or isinstance(found, (str, bytes)):
        return None
    try:
        return [str(name) for name in found]
    except TypeError:
        return None


def _made_up(names: Sequence[str]) -> bool:
    return any(list(names) == [form.format(at) for at in range(len(names))] for form in _MADE_UP)


def _is_own(model: Any, place: str, names: Sequence[str]) -> bool:
    """Whether names that read as if they were made up are a data frame's: scikit-learn itself makes none up."""
    own = str(getattr(type(model), "__module__", "")).startswith("sklearn.") and place == "feature_names_in_"
    return own and list(names[:1]) != [_MADE_UP[0].format(0)]


def _inner(model: Any) -> Any:
    """The part of a composed model that its input goes to first."""
    steps = attribute(model, "steps")
    if isinstance(steps, list) and steps and isinstance(steps[0], tuple):
        return steps[0][1]
    return next(iter(_parts(model)), None)


def _parts(model: Any) -> list[Any]:
    """The parts that each get the whole input of a model of scikit-learn's that is made of others."""
    if not str(getattr(type(model), "__module__", "")).startswith("sklearn."):
        return []
    for name in ("best_estimator_", "estimator_", "regressor_"):
        if attribute(model, name) is not None:
            return [attribute(model, name)]
    calibrated = attribute(model, "calibrated_classifiers_")
    if isinstance(calibrated, list):
        return [attribute(one, "estimator") for one in calibrated]
    union = attribute(model, "transformer_list")
    several = [one[1] for one in union] if isinstance(union, list) else attribute(model, "estimators_")
    return [one for one in several if not isinstance(one, str)] if isinstance(several, list) else []


def _of_statsmodels(model: Any) -> Optional[list[str]]:
    """The columns of a result of statsmodels; one made by a formula takes its data by name itself."""
    design = attribute(model, "model")
    names = _listed(attribute(design, "exog_names")) if design is not None else None
    formula = attribute(attribute(design, "data"), "design_info") or attribute(design, "formula")
    if not names or formula is not None:
        return None
    plain = [name for name in names if name != "const"]
    return None if plain == [f"x{at}" for at in range(1, len(plain) + 1)] else names


def count_of(model: Any) -> Optional[int]:
    """How many inputs the model takes; None where it does not say. Zero is not said."""
    for place in _COUNTS:
        found = attribute(model, place)
        try:
            number = int(found() if callable(found) else found)
        except Exception:
            continue
        if number > 0:
            return number
    return None


def takes_array(model: Any) -> bool:
    """Whether the model was fitted on an array: by scikit-learn's rule it knows its count of inputs and no names."""
    return attribute(model, "n_features_in_") not in (None, 0) and attribute(model, "feature_names_in_") is None


def knowledge(model: Any, names: Sequence[str], targets: Sequence[str] = ()) -> Knowledge:
    """What the model tells about columns of these names, or of its own places where it has none; a target is text where
    the model's classes are."""
    places = tuple(names) or tuple(f"\0{at}" for at in range(min(count_of(model) or 0, PLACES_CAP)))
    kinds = columns(model, list(places))
    texts = {name for name, kind in kinds.items() if kind.kind == TEXT}
    categories = {name: kind.categories for name, kind in kinds.items() if kind.categories}
    gaps = {name for name, kind in kinds.items() if kind.gaps}.union(targets)
    classes = attribute(model, "classes_")
    several = classes if isinstance(classes, list) else [classes] * len(targets)
    for target, labels in zip(targets, several):
        if _kind_of(labels) == TEXT:
            texts.add(target)
            categories[target] = frozenset(str(label) for label in labels)
    known = (tuple(names), frozenset(texts), categories, frozenset(gaps), takes_texts(model), tuple(targets), places)
    return Knowledge(*known)


def columns(model: Any, names: list[str]) -> dict[str, Kind]:
    """Column name to what the model expects there; columns of which nothing is known are left out."""
    if isinstance(model, str) or model is None:
        return {}
    kind = type(model).__name__
    module = str(getattr(type(model), "__module__", ""))
    if module.startswith(_TEXT_MODULE):
        return dict.fromkeys(names, Kind(TEXT)) if len(names) == 1 else {}
    parts = _parts(model)
    if parts:
        return next((found for part in parts if (found := columns(part, names))), {})
    steps = attribute(model, "steps")
    if isinstance(steps, list) and steps:
        return _first_that_tells([step[1] for step in steps if isinstance(step, tuple)], names)
    if isinstance(attribute(model, "transformers_"), list):
        return _of_transformers(model, names)
    categories = attribute(model, "categories_")
    if isinstance(categories, list) and len(categories) == len(names):
        told = {name: _of_categories(values) for name, values in zip(names, categories)}
        return {name: found for name, found in told.items() if found is not None}
    statistics = attribute(model, "statistics_")
    if kind == "SimpleImputer" and statistics is not None:
        filled = _kind_of(statistics)
        gaps = filled == TEXT and not isinstance(attribute(model, "missing_values"), str)
        return {} if filled is None else dict.fromkeys(names, Kind(filled, gaps=gaps))
    if not module.startswith("sklearn.") or module.startswith(_UNKNOWN_MODULES) or kind in _ANY_KIND:
        return {}
    if attribute(model, "is_categorical_") is not None:
        return columns(attribute(model, "_preprocessor"), names)
    return dict.fromkeys(names, Kind(NUMBER))


def _first_that_tells(parts: list[Any], names: list[str]) -> dict[str, Kind]:
    """What the first step that knows tells. Gaps that an imputer before it fills are gaps of the input."""
    imputed: dict[str, Kind] = {}
    for part in parts:
        if part in (None, "passthrough"):
            continue
        found = columns(part, names)
        if type(part).__name__ == "SimpleImputer":
            imputed = imputed or found
        elif found or type(part).__name__ != "FunctionTransformer":
            gaps = {name for name, one in imputed.items() if one.gaps}
            return imputed | {name: replace(one, gaps=one.gaps or name in gaps) for name, one in found.items()}
    return imputed


def _of_transformers(model: Any, names: list[str]) -> dict[str, Kind]:
    """What each transformer tells of the columns it was fitted on, however they were chosen."""
    found: dict[str, Kind] = {}
    places = attribute(model, "_transformer_to_input_indices")
    for name, part, _chosen in attribute(model, "transformers_"):
        chosen = places.get(name) if isinstance(places, dict) else None
        if chosen is not None and all(0 <= int(at) < len(names) for at in chosen):
            found.update(columns(part, [names[int(at)] for at in chosen]))
    return found


def _of_categories(values: Any) -> Optional[Kind]:
    kind = _kind_of(values)
    if kind != TEXT:
        return None if kind is None else Kind(kind)
    texts = frozenset(value for value in values if isinstance(value, str))
    return Kind(TEXT, texts, len(texts) < len(values))


def _kind_of(values: Any) -> Optional[str]:
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in "biuf" and kind:
        return NUMBER
    if kind in "US" and kind:
        return TEXT
    if kind == "O":
        some = [value for value in list(values)[:100] if value is not None and value == value]
        return TEXT if some and all(isinstance(value, str) for value in some) else None
    return None


def takes_texts(model: Any, depth: int = 0) -> bool:
    """Whether the one input of the model is text: a vectorizer, or a pipeline that begins with one."""
    if model is None or depth > 8:
        return False
    if re.match(re.escape(_TEXT_MODULE), str(getattr(type(model), "__module__", ""))):
        return True
    return takes_texts(_inner(model), depth + 1)
