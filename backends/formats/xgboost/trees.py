"""Trees of a model, checked before XGBoost reads them: that believes every index in the file.

Layout: `RegTree::LoadModel` of XGBoost 3.2, src/tree/tree_model.cc, and its schema in doc/model.schema. A leaf has -1
for both children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from backends.core.errors import Damaged
from backends.formats.xgboost import fields

MOST_NODES = 1 << 24
_CATEGORICAL = 1
_LEAF = -1
_ROOT_PARENT = 2147483647


class Tree(NamedTuple):
    """Facts of one tree: leaves, depth, and its splits as (feature, gain)."""

    leaves: int
    depth: int
    features: Sequence[int]
    gains: Sequence[float]


def read_tree(found: dict[str, Any], features: int, vector: int) -> Tree:
    """The tree of a model with so many features, whose leaves hold `vector` numbers.

    Raises Damaged where an index leads nowhere or a count is wrong.
    """
    told = fields.member(found, "tree_param")
    nodes = fields.count(told, "num_nodes", 1, MOST_NODES)
    if fields.count(told, "num_feature", 0, 1 << 31, "0") > features:
        raise Damaged("a tree has more features than the model")
    width = fields.count(told, "size_leaf_vector", 0, 1 << 20, "1")
    if max(width, 1) != max(vector, 1):
        raise Damaged(f"the leaves of a tree hold {width} numbers, and the model has {vector}")
    left, right = fields.wholes(found, "left_children", nodes), fields.wholes(found, "right_children", nodes)
    parents = fields.wholes(found, "parents", nodes)
    splits, kinds = fields.wholes(found, "split_indices", nodes), fields.wholes(found, "split_type", nodes)
    fields.reals(found, "split_conditions", nodes)
    fields.wholes(found, "default_left", nodes)
    gains = fields.reals(found, "loss_changes", nodes)
    fields.reals(found, "sum_hessian", nodes)
    fields.reals(found, "base_weights", nodes * max(width, 1))
    if "leaf_weights" in found:
        right = _with_plain_leaves(found, left, right, width)
    reached, depth = _walked(left, right, parents, nodes)
    inner = [node for node in reached if left[node] != _LEAF]
    _check_splits(inner, splits, kinds, features)
    _check_categories(found, inner, kinds, nodes)
    return Tree(len(reached) - len(inner), depth, [splits[node] for node in inner], [gains[node] for node in inner])


def _with_plain_leaves(found: dict[str, Any], left: Sequence[int], right: Sequence[int], width: int) -> Sequence[int]:
    """The right children of a tree whose leaves say there which of the vectors in `leaf_weights` they hold, with -1
    for them. Raises Damaged where a vector is missing."""
    places = [one for child, one in zip(left, right) if child == _LEAF]
    if sorted(places) != list(range(len(places))):
        raise Damaged("the leaves of a tree name vectors that are not there")
    fields.reals(found, "leaf_weights", len(places) * width)
    return [_LEAF if child == _LEAF else one for child, one in zip(left, right)]


def _walked(left: Sequence[int], right: Sequence[int], parents: Sequence[int], nodes: int) -> tuple[list[int], int]:
    """The nodes that the root leads to, and the longest way. Raises Damaged where a child leads nowhere, or back."""
    seen = bytearray(nodes)
    seen[0] = 1
    reached, deepest, waiting = [], 0, [(0, 0)]
    while waiting:
        node, depth = waiting.pop()
        reached.append(node)
        deepest = max(deepest, depth)
        pair = (left[node], right[node])
        if pair == (_LEAF, _LEAF):
            continue
        for child in pair:
            if not 0 < child < nodes or seen[child] or parents[child] != node:
                raise Damaged(f"the child {child} of node {node} leads nowhere, or back")
            seen[child] = 1
            waiting.append((child, depth + 1))
    if parents[0] not in (_ROOT_PARENT, -1):
        raise Damaged("the root of a tree has a parent")
    if any(left[node] != _LEAF or right[node] != _LEAF for node in range(nodes) if not seen[node]):
        raise Damaged("there are nodes that no other leads to")
    return reached, deepest


def _check_splits(inner: Sequence[int], splits: Sequence[int], kinds: Sequence[int], features: int) -> None:
    for node in inner:
        if not 0 <= splits[node] < features:
            raise Damaged(f"node {node} splits at feature {splits[node]}, and there are {features}")
        if kinds[node] not in (0, _CATEGORICAL):
            raise Damaged(f"node {node} splits in a way that is none")


def _check_categories(found: dict[str, Any], inner: Sequence[int], kinds: Sequence[int], nodes: int) -> None:
    """Raise Damaged where sets of categories do not lie one behind the other, in the order of their nodes."""
    owners = fields.wholes(found, "categories_nodes")
    begins = fields.wholes(found, "categories_segments", len(owners))
    sizes = fields.wholes(found, "categories_sizes", len(owners))
    values = fields.wholes(found, "categories")
    here = 0
    for owner, begin, size in zip(owners, begins, sizes):
        if begin != here or size < 1 or not 0 <= owner < nodes:
            raise Damaged("the sets of categories do not lie one behind the other")
        here += size
    if here != len(values) or any(not 0 <= one < 1 << 24 for one in values):
        raise Damaged("the sets of categories are not those that stand there")
    if any(one >= after for one, after in zip(owners, owners[1:])):
        raise Damaged("the sets of categories are not in the order of their nodes")
    named = set(owners)
    if any((kinds[node] == _CATEGORICAL) != (node in named) for node in range(nodes)):
        raise Damaged("a split by categories has no set of them")
