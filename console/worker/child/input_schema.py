"""Knowledge of a model that helps to read a table for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from backends.core.inputs import TEXT, Inputs, kind_of
from backends.core.model import Model
from console.worker.child.data.options import Knowledge

PLACES_CAP = 100_000
"""Of so many columns without names it is asked what the model knows."""


def inputs_of(model: Optional[Model]) -> Inputs:
    """The inputs of the model; nothing is known of no model."""
    return Inputs() if model is None else model.inputs


def knowledge(model: Optional[Model], names: Sequence[str], targets: Sequence[str] = ()) -> Knowledge:
    """The model's knowledge of columns of these names, or of its own places where it has none; a target is text where
    the model's classes are."""
    inputs = inputs_of(model)
    places = tuple(names) or tuple(f"\0{at}" for at in range(min(inputs.count or 0, PLACES_CAP)))
    kinds = inputs.kinds(list(places))
    texts = {name for name, kind in kinds.items() if kind.kind == TEXT}
    categories = {name: kind.categories for name, kind in kinds.items() if kind.categories}
    gaps = {name for name, kind in kinds.items() if kind.gaps}.union(targets)
    classes = None if model is None else model.classes
    several = classes if isinstance(classes, list) else [classes] * len(targets)
    for target, labels in zip(targets, several):
        if kind_of(labels) == TEXT:
            texts.add(target)
            categories[target] = frozenset(str(label) for label in labels)
    known = (tuple(names), frozenset(texts), categories, frozenset(gaps), inputs.takes_texts, tuple(targets), places)
    return Knowledge(*known)
