"""A decoded XGBoost model, checked from its parameters to its last tree; facts, or what is wrong with it.

Layout: doc/model.schema and `LearnerIO::LoadModel` of XGBoost 3.2, src/learner.cc.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.core.errors import Damaged
from backends.formats.xgboost import fields
from backends.formats.xgboost.trees import Tree, read_tree

MOST_FEATURES = 1 << 24
_MOST_CLASSES = 1 << 20
_MOST_TREES = 1 << 20
_ROOT = frozenset(("learner", "version", "Config", "Model"))
_LEARNER = frozenset(
    ("attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective", "cats")
)


@dataclass
class Walked:
    """Facts of a model. `unknown` are fields that this reader does not know."""

    version: str
    objective: str
    kind: str
    features: int
    classes: int
    targets: int
    base_score: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    attributes: dict[str, str]
    parallel: int = 1
    trees: list[Tree] = field(default_factory=list)
    weights: int = 0
    unknown: list[str] = field(default_factory=list)

    @property
    def groups(self) -> int:
        """Numbers in an answer."""
        return max(self.classes, self.targets, 1)

    def used(self) -> tuple[Counter[int], dict[int, float]]:
        """How often each feature is split at, and what that gained in all."""
        counts: Counter[int] = Counter()
        gains: dict[int, float] = {}
        for tree in self.trees:
            counts.update(tree.features)
            for feature, gain in zip(tree.features, tree.gains):
                gains[feature] = gains.get(feature, 0.0) + gain
        return counts, gains


def walk(root: Any) -> Walked:
    """The facts of a decoded file. Raises Damaged."""
    if not isinstance(root, dict):
        raise Damaged("the file holds no object")
    learner = fields.member(root, "learner")
    found = _learner(learner, _version(root))
    found.unknown += [*sorted(root.keys() - _ROOT), *sorted(learner.keys() - _LEARNER)]
    _booster(found, fields.member(learner, "gradient_booster"))
    return found


def _version(root: dict[str, Any]) -> str:
    numbers = fields.wholes(root, "version") if "version" in root else ()
    if len(numbers) > 3:
        raise Damaged("its version is none")
    return ".".join(map(str, numbers))


def _learner(learner: dict[str, Any], version: str) -> Walked:
    told = fields.member(learner, "learner_model_param")
    features = fields.count(told, "num_feature", 0, MOST_FEATURES)
    names, types = _texts(learner, "feature_names", features), _texts(learner, "feature_types", features)
    attributes = learner.get("attributes", {})
    if not isinstance(attributes, dict) or any(not isinstance(one, str) for one in attributes.values()):
        raise Damaged("the attributes of the model are no texts")
    objective = fields.text(fields.member(learner, "objective"), "name")
    classes = fields.count(told, "num_class", 0, _MOST_CLASSES, "0")
    _check_objective(learner, objective, classes)
    return Walked(
        version,
        objective,
        fields.text(fields.member(learner, "gradient_booster"), "name"),
        features,
        classes,
        fields.count(told, "num_target", 0, _MOST_CLASSES, "1"),
        fields.text(told, "base_score", "0.5"),
        names,
        types,
        attributes,
    )


def _check_objective(learner: dict[str, Any], objective: str, classes: int) -> None:
    """Raise Damaged where an objective of several classes has another number of them than the model."""
    told = fields.member(learner, "objective").get("softmax_multiclass_param")
    if objective.startswith("multi:") and isinstance(told, dict):
        expected = fields.count(told, "num_class", 0, _MOST_CLASSES, "0")
        if expected != classes:
            raise Damaged(f"the objective has {expected} classes, and the model {classes}")


def _texts(learner: dict[str, Any], name: str, features: int) -> tuple[str, ...]:
    values = fields.entries(learner, name) if name in learner else []
    if any(not isinstance(one, str) for one in values) or len(values) not in (0, features):
        raise Damaged(f"the field '{name}' has {len(values):,} texts, and there are {features:,} features")
    return tuple(values)


def _booster(found: Walked, booster: dict[str, Any]) -> None:
    if found.kind == "gblinear":
        weights = fields.reals(fields.member(booster, "model"), "weights", (found.features + 1) * found.groups)
        found.weights = len(weights)
    elif found.kind == "gbtree":
        _trees(found, fields.member(booster, "model"))
    elif found.kind == "dart":
        _trees(found, fields.member(fields.member(booster, "gbtree"), "model"))
        fields.reals(booster, "weight_drop", len(found.trees))
    else:
        raise Damaged(f"a booster of the kind '{found.kind[:40]}' is none")


def _trees(found: Walked, model: dict[str, Any]) -> None:
    told = fields.member(model, "gbtree_model_param")
    count = fields.count(told, "num_trees", 0, _MOST_TREES)
    found.parallel = fields.count(told, "num_parallel_tree", 1, _MOST_TREES, "1")
    trees = fields.entries(model, "trees")
    if len(trees) != count:
        raise Damaged(f"{len(trees):,} trees stand there, and {count:,} are announced")
    groups = fields.wholes(model, "tree_info", count)
    if any(not 0 <= group < found.groups for group in groups):
        raise Damaged("a tree belongs to a class that is not there")
    _check_iterations(model, count)
    if "cats" in model:
        _check_stored(fields.member(model, "cats"), found.features)
    vector = _vector(trees)
    if vector not in (1, found.groups):
        raise Damaged(f"the leaves of its trees hold {vector} numbers, and an answer has {found.groups}")
    for number, tree in enumerate(trees):
        if not isinstance(tree, dict) or tree.get("id") != number or type(tree["id"]) is not int:
            raise Damaged(f"tree {number} is none, or has the number of another")
        found.trees.append(read_tree(tree, found.features, vector))


def _check_stored(cats: dict[str, Any], features: int) -> None:
    """The categories that the model was fitted on: names by offsets into their bytes, or numbers. Raises Damaged."""
    columns = fields.entries(cats, "enc")
    segments, order = fields.wholes(cats, "feature_segments"), fields.wholes(cats, "sorted_idx")
    if not len(columns) and not len(segments) and not len(order):
        return
    if len(columns) != features or len(segments) != features + 1:
        raise Damaged("the stored categories are those of another number of features")
    _check_offsets(segments, len(order), "'feature_segments'")
    for at, column in enumerate(columns):
        size = segments[at + 1] - segments[at]
        if any(not 0 <= one < size for one in order[segments[at] : segments[at + 1]]):
            raise Damaged("'sorted_idx' leads out of the categories of its feature")
        _check_column(column, size)


def _check_column(column: Any, size: int) -> None:
    if not isinstance(column, dict):
        raise Damaged("the stored categories of a feature are no object")
    if "offsets" not in column:
        fields.reals(column, "values", size)
    elif size or len(fields.wholes(column, "offsets")):
        offsets, values = fields.wholes(column, "offsets", size + 1), fields.wholes(column, "values")
        _check_offsets(offsets, len(values), "the names of categories")


def _check_offsets(offsets: Sequence[int], end: int, words: str) -> None:
    """Raise Damaged where offsets do not begin at 0, go back, or do not end where what they divide ends."""
    back = any(one > after for one, after in zip(offsets, offsets[1:]))
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != end or back:
        raise Damaged(f"the offsets of {words} do not divide {end:,} elements")


def _vector(trees: Sequence[Any]) -> int:
    first: Optional[Any] = trees[0] if trees else None
    if not isinstance(first, dict):
        return 1
    return max(1, fields.count(fields.member(first, "tree_param"), "size_leaf_vector", 0, _MOST_CLASSES, "1"))


def _check_iterations(model: dict[str, Any], trees: int) -> None:
    """Raise Damaged where iterations do not divide up the trees."""
    if "iteration_indptr" not in model:
        return
    bounds = fields.wholes(model, "iteration_indptr")
    grows = all(one < after for one, after in zip(bounds, bounds[1:]))
    if not bounds or bounds[0] != 0 or bounds[-1] != trees or not grows:
        raise Damaged("the iterations do not divide up the trees")
