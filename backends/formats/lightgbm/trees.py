"""One tree of a model, checked before LightGBM reads it: that believes every index and count in the file.

Layout: `Tree::Tree(const char*, size_t*)` and `Tree::ToString` of LightGBM 4.6, src/io/tree.cpp. A child at or above 0
is a node, one below is the leaf `~child`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backends.core.errors import Damaged
from backends.formats.lightgbm.lines import Block

MOST_LEAVES = 1 << 22
_MOST_CATEGORIES = 1 << 22
_CATEGORICAL = 1
_NODES = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_OF_NODES = ("internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_CATEGORIES = ("cat_boundaries", "cat_threshold")
_LINEAR = ("leaf_const", "num_features", "leaf_features", "leaf_coeff")
KEYS = frozenset(
    (
        *_NODES,
        *_OF_NODES,
        *_OF_LEAVES,
        *_CATEGORIES,
        *_LINEAR,
        "Tree",
        "num_leaves",
        "num_cat",
        "is_linear",
        "shrinkage",
    )
)


class Tree(NamedTuple):
    """Facts of one tree: its leaves, its depth, whether it is linear, and its splits as (feature, gain)."""

    leaves: int
    depth: int
    linear: bool
    features: Sequence[int]
    gains: Sequence[str]


def read_tree(found: Block, features: int) -> Tree:
    """The tree of a model with so many features. Raises Damaged where an index leads nowhere or a count is wrong."""
    leaves = found.whole("num_leaves", 1, MOST_LEAVES)
    categories = found.whole("num_cat", 0, _MOST_CATEGORIES)
    found.reals("leaf_value", leaves)
    linear = "is_linear" in found.values and found.whole("is_linear", 0, 1) == 1
    if "shrinkage" in found.values:
        found.reals("shrinkage", 1)
    if linear:
        _check_linear(found, leaves, features)
    if leaves == 1:
        return Tree(1, 0, linear, (), ())
    nodes = leaves - 1
    for key in _OF_LEAVES[1:]:
        if key in found.values:
            found.reals(key, leaves)
    splits = found.ones("split_feature", nodes)
    _within(found, "split_feature", splits, 0, features - 1)
    for key in ("split_gain", "threshold", *(key for key in _OF_NODES if key in found.values)):
        found.reals(key, nodes)
    decisions = found.ones("decision_type", nodes)
    _within(found, "decision_type", decisions, -128, 127)
    _check_categories(found, categories, decisions)
    left, right = found.ones("left_child", nodes), found.ones("right_child", nodes)
    return Tree(leaves, _depth(found, left, right), linear, splits, found.text("split_gain").split())


def _within(found: Block, key: str, values: Sequence[int], least: int, most: int) -> None:
    if values and not (least <= min(values) and max(values) <= most):
        raise Damaged(f"'{key}' holds a number that leads outside {least} to {most}", offset=found.offset)


def _depth(found: Block, left: Sequence[int], right: Sequence[int]) -> int:
    """The longest way down. Raises Damaged unless each node and each leaf is reached once."""
    nodes = len(left)
    seen = bytearray(2 * nodes + 1)
    deepest, waiting = 0, [(0, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        for child in (left[node], right[node]):
            place = child if child >= 0 else nodes + ~child
            if (child >= nodes if child >= 0 else ~child > nodes) or place == 0 or seen[place]:
                raise Damaged(f"the child {child} of node {node} leads nowhere, or back", offset=found.offset)
            seen[place] = 1
            if child >= 0:
                waiting.append((child, depth + 1))
    if sum(seen) != 2 * nodes:
        raise Damaged("there are nodes that no other leads to", offset=found.offset)
    return deepest


def _check_categories(found: Block, count: int, decisions: Sequence[int]) -> None:
    """Raise Damaged where a split by categories has no set of them."""
    by_category = [node for node, kind in enumerate(decisions) if kind & _CATEGORICAL]
    if by_category and not count:
        raise Damaged("a split by categories, and 'num_cat' is 0", offset=found.offset)
    if not count:
        return
    bounds = found.ones("cat_boundaries", count + 1)
    if bounds[0] != 0 or any(one >= after for one, after in zip(bounds, bounds[1:])) or bounds[-1] > _MOST_CATEGORIES:
        raise Damaged("'cat_boundaries' do not grow from 0", offset=found.offset)
    _within(found, "cat_threshold", found.ones("cat_threshold", bounds[-1]), 0, (1 << 32) - 1)
    thresholds = found.text("threshold").split()
    for node in by_category:
        place = thresholds[node]
        if not (place.isdigit() and int(place) < count):
            raise Damaged(f"the split of node {node} names a set of categories that is not there", offset=found.offset)


def _check_linear(found: Block, leaves: int, features: int) -> None:
    """Raise Damaged where the sums in the leaves name features or numbers that are not there."""
    found.reals("leaf_const", leaves)
    counts = found.ones("num_features", leaves)
    _within(found, "num_features", counts, 0, features)
    _within(found, "leaf_features", found.ones("leaf_features", sum(counts)), 0, features - 1)
    found.reals("leaf_coeff", sum(counts))
