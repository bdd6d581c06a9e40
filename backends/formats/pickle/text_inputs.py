"""Inputs that hold texts, as the fitted parts of a model in a pickle tell: vectorizers, and encoders of texts."""

from __future__ import annotations

from backends.core.inspection import ONE_TEXT
from backends.formats.pickle.value_graph import attributes
from backends.formats.pickle.value_json import class_of, labels
from backends.formats.pickle.values import Instance, Value

_TEXT_MODULE = "sklearn.feature_extraction.text"
_TRANSFORMERS_CAP = 100
_DEPTH_CAP = 4


def text_inputs(model: Instance, values: dict[str, Value]) -> tuple[str, ...]:
    """The inputs of one part that are known to hold texts, by name; nothing of what its own parts are given."""
    kind = class_of(model)
    if kind is not None and kind.module.startswith(_TEXT_MODULE):
        return (ONE_TEXT,)
    transformers = values.get("transformers_")
    if type(transformers) is not list:
        return ()
    return tuple(name for one in transformers[:_TRANSFORMERS_CAP] for name in _texts_of(one))


def _texts_of(transformer: Value) -> tuple[str, ...]:
    """The named columns of one transformer that were fitted on texts."""
    if type(transformer) is not tuple or len(transformer) != 3:
        return ()
    chosen = [transformer[2]] if type(transformer[2]) is str else transformer[2]
    if type(chosen) is not list or not all(type(name) is str for name in chosen):
        return ()
    categories = _categories(transformer[1])
    if len(categories) != len(chosen):
        return ()
    return tuple(str(name) for name, known in zip(chosen, categories) if _are_texts(known))


def _categories(part: Value, depth: int = 0) -> list[Value]:
    """The categories of an encoder, or of the first one in a pipeline."""
    if type(part) is not Instance or depth > _DEPTH_CAP:
        return []
    values = attributes(part)
    found, steps = values.get("categories_"), values.get("steps")
    if type(found) is list:
        return found
    inner = [step[1] for step in steps if type(step) is tuple and len(step) == 2] if type(steps) is list else []
    return next((found for step in inner if (found := _categories(step, depth + 1))), [])


def _are_texts(categories: Value) -> bool:
    known = labels(categories)
    return bool(known) and all(isinstance(one, str) for one in known or () if one is not None)
