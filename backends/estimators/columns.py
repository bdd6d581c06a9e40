"""Inputs that a fitted model expects, as far as its own parts tell: names, count, kinds of columns, categories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

from backends.core.attributes import attribute
from backends.core.inputs import NUMBER, TEXT, Constant, Inputs, Kind, kind_of
from backends.estimators.libraries.base import Library, listed
from backends.estimators.libraries.parts import library_of, receivers

_UNKNOWN_MODULES = ("sklearn.compose", "sklearn.feature_extraction", "sklearn.pipeline", "sklearn.dummy")
_ANY_KIND = frozenset({"FunctionTransformer", "SimpleImputer", "OrdinalEncoder", "OneHotEncoder", "TargetEncoder"})
_TEXT_MODULE = "sklearn.feature_extraction.text"
_COUNTS = ("n_features_in_", "n_features_")


class Columns(Inputs):
    """Inputs of a fitted object: each is told by the library of the outermost part that knows it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    @property
    def names(self) -> Optional[list[str]]:
        """The names in the model's own order; None where it knows none, or only names that a library made up."""
        return _names_of(self._model)

    @property
    def placeholders(self) -> Optional[list[str]]:
        """Names that hold where the columns of a file are just these: those that a library made up for an array's
        columns, or those of a later step, whose input may be what the first made of the rows."""
        made_up = next((found for library, part in self._parts() if (found := library.placeholders(part))), None)
        steps = attribute(self._model, "steps")
        later = steps[1:] if isinstance(steps, list) else []
        return made_up or next((found for step in later if (found := _names_of(step[-1]))), None)

    @property
    def count(self) -> Optional[int]:
        """How many inputs the model takes; None where it does not say. Zero is not said."""
        for library, part in self._parts():
            found = library.count(part) or next((one for place in _COUNTS if (one := _number(part, place))), None)
            if found:
                return found
        return None

    @property
    def picks(self) -> bool:
        """Whether the model takes the columns that it needs, or a dictionary for each row."""
        return library_of(self._model).picks or any(library.records for library, _part in self._parts())

    @property
    def takes_array(self) -> bool:
        """Whether the model is known to want an array: its library, or an estimator of scikit-learn's that knows its
        count and no names. What somebody else wrote may count its columns and pick them by name all the same."""
        for library, part in self._parts():
            if library.wants_array:
                return True
            if str(type(part).__module__).startswith("sklearn.") and not attribute(part, "steps"):
                return bool(_number(part, "n_features_in_")) and _own_names(part) is None
        return False

    @property
    def by_name(self) -> bool:
        """Whether a part picks columns of a data frame by their names, which an array has not."""
        return any(_picks_by_name(attribute(part, "transformers_")) for part in receivers(self._model))

    @property
    def takes_texts(self) -> bool:
        """Whether the one input of the model is text: a vectorizer, or a pipeline that begins with one."""
        modules = (str(getattr(type(part), "__module__", "")) for part in receivers(self._model))
        return any(re.match(re.escape(_TEXT_MODULE), module) for module in modules)

    @property
    def constant(self) -> Optional[Constant]:
        """The constant column that files leave out; None where the model has none."""
        return next((found for library, part in self._parts() if (found := library.constant(part))), None)

    def kinds(self, names: list[str]) -> dict[str, Kind]:
        """Column name to what the model expects there; columns of which nothing is known are left out."""
        return _kinds(self._model, names)

    def spelled(self, name: str) -> str:
        """A column's name as the library of a part writes it down."""
        return next((other for library, _part in self._parts() if (other := library.spelled(name)) != name), name)

    def prepared(self, frame: Any, decided: list[str]) -> Any:
        """The frame with what the library of each part that is given it needs. Raises Refusal."""
        for library, part in self._parts() if hasattr(frame, "iloc") else ():
            frame = library.prepared(part, frame, decided)
        return frame

    def _parts(self) -> Iterator[tuple[Library, Any]]:
        return ((library_of(part), part) for part in receivers(self._model))


def _picks_by_name(transformers: Any) -> bool:
    """Whether the columns of a transformer of columns were chosen by name."""
    if not isinstance(transformers, list):
        return False
    for _name, part, chosen in transformers:
        first = chosen.start if isinstance(chosen, slice) else chosen
        several = () if isinstance(first, str) or not hasattr(first, "__len__") else first
        if part != "drop" and (isinstance(first, str) or any(isinstance(one, str) for one in several)):
            return True
    return False


def _names_of(model: Any) -> Optional[list[str]]:
    """The names of a model's inputs: its own, else those of the parts that are given the same rows."""
    for part in receivers(model):
        library = library_of(part)
        found = library.names(part) or (None if library.placeholders(part) else _own_names(part))
        if found:
            return found
    return None


def _own_names(part: Any) -> Optional[list[str]]:
    return listed(attribute(part, "feature_names_in_"))


def _number(part: Any, place: str) -> int:
    try:
        return max(0, int(attribute(part, place)))
    except (TypeError, ValueError):
        return 0


def _kinds(model: Any, names: list[str]) -> dict[str, Kind]:
    told: dict[str, Kind] = {}
    for part in receivers(model):
        told = {**library_of(part).kinds(part, names), **told}
    return told or _of_scikit_learn(model, names)


def _of_scikit_learn(model: Any, names: list[str]) -> dict[str, Kind]:
    if isinstance(model, str) or model is None:
        return {}
    kind = type(model).__name__
    module = str(getattr(type(model), "__module__", ""))
    if module.startswith(_TEXT_MODULE):
        return dict.fromkeys(names, Kind(TEXT)) if len(names) == 1 else {}
    parts = _parts(model)
    if parts:
        return next((found for part in parts if (found := _kinds(part, names))), {})
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
        filled = kind_of(statistics)
        gaps = filled == TEXT and not isinstance(attribute(model, "missing_values"), str)
        return {} if filled is None else dict.fromkeys(names, Kind(filled, gaps=gaps))
    if not module.startswith("sklearn.") or module.startswith(_UNKNOWN_MODULES) or kind in _ANY_KIND:
        return {}
    if attribute(model, "is_categorical_") is not None:
        return _of_histograms(model, names)
    return dict.fromkeys(names, Kind(NUMBER)) if _all_numeric(model) else {}


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


def _all_numeric(model: Any) -> bool:
    """Whether nothing of another library is given the rows, which might take texts."""
    return all(str(type(part).__module__).startswith("sklearn.") for part in receivers(model))


def _of_histograms(model: Any, names: list[str]) -> dict[str, Kind]:
    """Of boosting by histograms, whose own encoder holds the categories of those columns that have some."""
    encoders = attribute(attribute(model, "_preprocessor"), "named_transformers_") or {}
    categories = attribute(encoders.get("encoder"), "categories_") or []
    marked = [name for name, is_category in zip(names, attribute(model, "is_categorical_")) if is_category]
    found = {name: _of_categories(values) for name, values in zip(marked, categories)}
    numbers = {name: Kind(NUMBER) for name in names if name not in marked}
    return {**numbers, **{name: kind for name, kind in found.items() if kind is not None}}


def _first_that_tells(parts: list[Any], names: list[str]) -> dict[str, Kind]:
    """Kinds by the first step that knows them. Gaps that an imputer before it fills are gaps of the input."""
    imputed: dict[str, Kind] = {}
    for part in parts:
        if part in (None, "passthrough"):
            continue
        found = _kinds(part, names)
        if type(part).__name__ == "SimpleImputer":
            imputed = imputed or found
        elif found or type(part).__name__ != "FunctionTransformer":
            gaps = {name for name, one in imputed.items() if one.gaps}
            return imputed | {name: replace(one, gaps=one.gaps or name in gaps) for name, one in found.items()}
    return imputed


def _of_transformers(model: Any, names: list[str]) -> dict[str, Kind]:
    """The kinds that each transformer tells of the columns it was fitted on, however they were chosen."""
    found: dict[str, Kind] = {}
    places = attribute(model, "_transformer_to_input_indices")
    for name, part, _chosen in attribute(model, "transformers_"):
        chosen = places.get(name) if isinstance(places, dict) else None
        if chosen is not None and all(0 <= int(at) < len(names) for at in chosen):
            found.update(_kinds(part, [names[int(at)] for at in chosen]))
    return found


def _of_categories(values: Any) -> Optional[Kind]:
    kind = kind_of(values)
    if kind != TEXT:
        return None if kind is None else Kind(kind)
    texts = frozenset(value for value in values if isinstance(value, str))
    return Kind(TEXT, texts, len(texts) < len(values))
