"""What kind of column a fitted model expects: `number` or `text`, where its own parts tell."""

from __future__ import annotations

from typing import Any, Optional

from console.worker.child.live import attribute

NUMBER, TEXT = "number", "text"

_UNKNOWN_MODULES = ("sklearn.compose", "sklearn.feature_extraction", "sklearn.pipeline", "sklearn.dummy")
_ANY_KIND = frozenset({"FunctionTransformer", "SimpleImputer", "OrdinalEncoder", "OneHotEncoder", "TargetEncoder"})


def kinds(model: Any, names: list[str]) -> dict[str, str]:
    """Column name to the kind it must have; columns of which nothing is known are left out."""
    if isinstance(model, str) or model is None:
        return {}
    kind = type(model).__name__
    module = str(getattr(type(model), "__module__", ""))
    for wrapped in ("best_estimator_", "estimator_"):
        if attribute(model, wrapped) is not None and module.startswith("sklearn.model_selection"):
            return kinds(attribute(model, wrapped), names)
    steps = attribute(model, "steps")
    if isinstance(steps, list) and steps:
        return _first_that_tells([step[1] for step in steps if isinstance(step, tuple)], names)
    transformers = attribute(model, "transformers_")
    if isinstance(transformers, list):
        return _of_transformers(transformers, names)
    categories = attribute(model, "categories_")
    if isinstance(categories, list) and len(categories) == len(names):
        told = {name: _kind_of(values) for name, values in zip(names, categories)}
        return {name: found for name, found in told.items() if found is not None}
    statistics = attribute(model, "statistics_")
    if kind == "SimpleImputer" and statistics is not None:
        return dict.fromkeys(names, NUMBER) if _kind_of(statistics) == NUMBER else {}
    if not module.startswith("sklearn.") or module.startswith(_UNKNOWN_MODULES) or kind in _ANY_KIND:
        return {}
    if attribute(model, "is_categorical_") is not None:
        return {}
    return dict.fromkeys(names, NUMBER)


def _first_that_tells(parts: list[Any], names: list[str]) -> dict[str, str]:
    for part in parts:
        if part in (None, "passthrough"):
            continue
        found = kinds(part, names)
        if found or type(part).__name__ not in ("SimpleImputer", "FunctionTransformer"):
            return found
    return {}


def _of_transformers(transformers: list[Any], names: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for _name, part, columns in transformers:
        chosen = [columns] if isinstance(columns, str) else columns
        if not isinstance(chosen, list) or not all(isinstance(one, str) and one in names for one in chosen):
            continue
        if str(getattr(type(part), "__module__", "")).startswith("sklearn.feature_extraction.text"):
            found.update(dict.fromkeys(chosen, TEXT))
        else:
            found.update(kinds(part, list(chosen)))
    return found


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
