"""Splits of the trees in fitted objects: where an answer may turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.core.attributes import attribute


def splits_of(model: Any) -> Iterator[tuple[Any, Any]]:
    """Feature and threshold arrays of every tree in a model of scikit-learn's that splits its own inputs."""
    tree = attribute(model, "tree_")
    if tree is not None:
        yield tree.feature, tree.threshold
    for grown in attribute(model, "_predictors") or ():
        for one in grown:
            yield one.nodes["feature_idx"], one.nodes["num_threshold"]
    for below in _flat(attribute(model, "estimators_")):
        yield from splits_of(below)


def _flat(estimators: Any) -> Iterator[Any]:
    if isinstance(estimators, (list, tuple)) or hasattr(estimators, "ravel"):
        for one in estimators.ravel() if hasattr(estimators, "ravel") else estimators:
            yield one[1] if isinstance(one, tuple) else one
