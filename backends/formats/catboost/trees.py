"""Trees of a CatBoost model, checked before CatBoost follows them: it believes every index and size in the file.

A symmetric tree splits each level at one place. In any other tree a node has steps forward to its children, 0 where a
child is missing and the node itself has a value.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

from backends.core.errors import Damaged
from backends.formats.catboost.core import Table

_MOST_SPLITS = 750_000
_MOST_DEPTH = 16
_SPLITS, _SIZES, _STARTS, _VALUES, _WEIGHTS, _STEPS, _LEAVES, _BIAS, _PACKED = 1, 2, 3, 8, 9, 10, 11, 16, 17
_FIELDS = ((_SPLITS, "i"), (_SIZES, "i"), (_STARTS, "i"), (_STEPS, "I"), (_LEAVES, "I"))


class Trees(NamedTuple):
    """Facts of all trees; `splits` are the places that are split at, each as often as it is."""

    size: int
    leaves: int
    depth: int
    symmetric: bool
    splits: Sequence[int]


class _Arrays(NamedTuple):
    splits: array[int]
    sizes: array[int]
    starts: array[int]
    steps: array[int]
    leaves: array[int]


def read_trees(table: Table, packed: list[bytes], width: int) -> Trees:
    """The trees of a model whose answers have so many numbers. Raises Damaged, UncheckedError, OSError."""
    found = _Arrays(*(table.numbers(field, form, _MOST_SPLITS) for field, form in _FIELDS))
    _check_starts(found)
    symmetric = not len(found.steps) and not len(found.leaves)
    leaves, depth, splits = _symmetric(found) if symmetric else _others(found, width)
    values, weights, bias = (table.length(field, 8) for field in (_VALUES, _WEIGHTS, _BIAS))
    if values != leaves * width:
        raise Damaged(f"{values:,} values for {leaves:,} leaves of {width}", offset=table.position)
    if weights not in (0, leaves, leaves * width) or bias not in (0, width):
        raise Damaged("weights or a bias for another number of leaves or classes", offset=table.position)
    _check_splits(table, found.splits, splits, packed)
    return Trees(len(found.sizes), leaves, depth, symmetric, splits)


def _check_starts(found: _Arrays) -> None:
    """Each tree begins where the one before it ends. Raises Damaged."""
    at = 0
    if len(found.starts) != len(found.sizes):
        raise Damaged(f"{len(found.starts):,} places of {len(found.sizes):,} trees")
    for start, size in zip(found.starts, found.sizes):
        if start != at or size < 0:
            raise Damaged(f"a tree of {size} splits at {start}, where the one before it ends at {at}")
        at += size
    if at != len(found.splits):
        raise Damaged(f"trees of {at:,} splits in all, and {len(found.splits):,} splits")


def _symmetric(found: _Arrays) -> tuple[int, int, Sequence[int]]:
    """Leaves, depth and splits. Raises Damaged."""
    depth = max(found.sizes, default=0)
    if depth > _MOST_DEPTH:
        raise Damaged(f"a tree of {depth} levels, where CatBoost has at most {_MOST_DEPTH}")
    return sum(1 << size for size in found.sizes), depth, found.splits


def _others(found: _Arrays, width: int) -> tuple[int, int, Sequence[int]]:
    """The same of trees whose nodes have steps. Raises Damaged."""
    if not len(found.steps) == len(found.leaves) == len(found.splits):
        raise Damaged("splits, steps and leaves of the trees are not as many")
    leaves, deepest = 0, 0
    splits = array("i")
    for start, size in zip(found.starts, found.sizes):
        steps = found.steps[start : start + size]
        nodes, depth = _walk(steps, start)
        own = [found.leaves[start + node] for node in nodes]
        if sorted(own) != list(range(leaves * width, (leaves + len(own)) * width, width)):
            raise Damaged("the leaves of a tree have other values than its own")
        leaves += len(own)
        deepest = max(deepest, depth)
        splits.extend(compress(found.splits[start : start + size], steps))
    return leaves, deepest, splits


def _walk(steps: Sequence[int], start: int) -> tuple[list[int], int]:
    """The nodes with values and the depth. Raises Damaged unless each node is reached once, from one before it."""
    levels = [1] + [0] * (len(steps) - 1)
    own = []
    for node, pair in enumerate(steps):
        level = levels[node]
        left, right = pair & 0xFFFF, pair >> 16
        if not level:
            raise Damaged(f"no other node leads to node {start + node}")
        if not (left and right):
            own.append(node)
        for step in (left, right):
            if not step:
                continue
            if node + step >= len(levels) or levels[node + step]:
                raise Damaged(f"the step {step} of node {start + node} leads nowhere, or where another does")
            levels[node + step] = level + 1
    if not own:
        raise Damaged("a tree without nodes")
    return own, max(levels) - 1


def _check_splits(table: Table, every: Sequence[int], splits: Sequence[int], packed: list[bytes]) -> None:
    """Each split is at a place that there is, and what is stored of it for speed is the same. Raises Damaged."""
    most = max(len(packed), 1 if not len(splits) else 0)
    if every and not 0 <= min(every) <= max(every) < most:
        raise Damaged(f"a tree splits at a place beyond the {len(packed):,} that there are", offset=table.position)
    stored = table.bytes_of(_PACKED, 4, _MOST_SPLITS)
    expected = b"".join(packed[split] for split in every) if packed else bytes(4 * len(every))
    if stored and stored != expected:
        raise Damaged("the splits as they are stored for speed are not those of the trees", offset=table.position)
