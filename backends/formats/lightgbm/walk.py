"""A LightGBM text file, walked from its first byte to its last; facts, or what is wrong with it.

Layout: `GBDT::SaveModelToString` and `LoadModelFromString` of LightGBM 4.6, src/boosting/gbdt_model_text.cpp.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Optional

from backends.core.errors import Damaged
from backends.formats.lightgbm.lines import Block, block
from backends.formats.lightgbm.trees import KEYS, Tree, read_tree

MOST_FEATURES = 1 << 22
_MOST_CLASSES = 100_000
_MOST_TREES = 1_000_000
_END = "end of trees"
_HEADER = frozenset(
    ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective", "feature_names")
).union(("feature_infos", "tree_sizes", "monotone_constraints"))
_IMPORTANCES = ("feature_importances:", "feature importances:")
_PARTS = frozenset((*_IMPORTANCES, "parameters:"))
_PARAMETER = re.compile(r"\[([a-z][a-z0-9_]*): (.*)\]")
_IMPORTANCE = re.compile(r"=-?\d+(?:\.\d*)?(?:e[-+]?\d+)?$")
_CLASSES = re.compile(r"(?:^| )num_class:(\d{1,9})(?= |$)")


@dataclass
class Walked:
    """Facts of a file. `unknown` are keys of the header or of trees that this reader does not know."""

    version: str
    objective: str
    classes: int
    per_iteration: int
    averaged: bool
    names: tuple[str, ...]
    infos: tuple[str, ...]
    monotone: tuple[int, ...] = ()
    trees: list[Tree] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    categories: Optional[list[object]] = None
    unknown: list[str] = field(default_factory=list)

    def used(self) -> tuple[Counter[int], dict[int, float]]:
        """How often each feature is split at, and what that gained in all."""
        counts: Counter[int] = Counter()
        gains: dict[int, float] = {}
        for tree in self.trees:
            counts.update(tree.features)
            for feature, gain in zip(tree.features, tree.gains):
                gains[feature] = gains.get(feature, 0.0) + float(gain)
        return counts, gains


def walk(data: bytes) -> Walked:
    """The facts of a whole file. Raises Damaged."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged("it is not valid UTF-8", offset=error.start) from None
    if "\0" in text:
        raise Damaged("a zero byte in its text", offset=data.index(b"\0"))
    if data.count(b"\r") != data.count(b"\r\n"):
        raise Damaged("the end of a line that only some readers take for one", offset=data.index(b"\r"))
    begin = data.find(b"\nTree=")
    end = data.rfind(b"\nend of trees")
    if end < 0:
        raise Damaged("cut off: 'end of trees' is missing", offset=len(data))
    head = block(data[: begin if 0 <= begin < end else end].decode(), 0)
    found = _header(head)
    _read_trees(found, head, data, end + 1)
    _read_rest(found, data[end + 1 :].decode(), end + 1)
    return found


def _header(head: Block) -> Walked:
    features = head.whole("max_feature_idx", 0, MOST_FEATURES - 1) + 1
    names = tuple(head.text("feature_names").split(" "))
    infos = tuple(head.text("feature_infos").split(" "))
    for what, values in (("feature_names", names), ("feature_infos", infos)):
        if len(values) != features:
            raise Damaged(f"'{what}' are {len(values):,}, and there are {features:,} features", offset=0)
    classes = head.whole("num_class", 1, _MOST_CLASSES)
    each = head.whole("num_tree_per_iteration", 1, _MOST_CLASSES)
    objective = head.values.get("objective", "")
    _check_classes(objective, classes, each)
    found = Walked(head.text("version"), objective, classes, each, "average_output" in head.words, names, infos)
    strange = [word for word in head.words if word not in ("tree", "average_output")]
    if strange:
        raise Damaged(f"{strange[0][:60]!r} is no line of its head", offset=0)
    found.unknown += sorted(head.values.keys() - _HEADER)
    if "monotone_constraints" in head.values:
        signs = head.ones("monotone_constraints", features)
        if not {-1, 0, 1}.issuperset(signs):
            raise Damaged("'monotone_constraints' holds something else than -1, 0 and 1", offset=0)
        found.monotone = tuple(signs)
    return found


def _check_classes(objective: str, classes: int, each: int) -> None:
    """Raise Damaged where an answer would have fewer numbers than its objective writes to."""
    told = _CLASSES.search(objective)
    if told is not None and int(told[1]) != classes:
        raise Damaged(f"the objective has {told[1]} classes, and 'num_class' is {classes}", offset=0)
    if each != classes:
        raise Damaged(f"{each} trees an iteration, and {classes} classes", offset=0)


def _read_trees(found: Walked, head: Block, data: bytes, end: int) -> None:
    """Each tree where `tree_sizes` says that it is. Raises Damaged where they do not fill the file up to their end."""
    sizes = head.text("tree_sizes").split()
    if len(sizes) > _MOST_TREES or not all(size.isdigit() and len(size) < 12 for size in sizes):
        raise Damaged("'tree_sizes' are no sizes", offset=0)
    if len(sizes) % found.per_iteration:
        raise Damaged(f"{len(sizes)} trees, of which {found.per_iteration} make an iteration", offset=0)
    here = data.find(b"\nTree=") + 1 if sizes else end
    for number, size in enumerate(map(int, sizes)):
        if here + size > end or not data.startswith(b"Tree=%d\n" % number, here):
            raise Damaged(f"tree {number} is not where 'tree_sizes' say that it is", offset=here)
        found_block = _tree_block(data[here : here + size].decode(), here)
        found.trees.append(read_tree(found_block, len(found.names)))
        if found_block.words:
            raise Damaged(f"{found_block.words[0][:60]!r} in tree {number} is no line of one", offset=here)
        found.unknown += sorted(found_block.values.keys() - KEYS)
        here += size
    if data[here:end].strip():
        raise Damaged("bytes between the trees and their end that belong to none", offset=here)


def _tree_block(text: str, offset: int) -> Block:
    """The lines of a tree, which ends for LightGBM at its first empty one. Raises Damaged."""
    lines = text.replace("\r\n", "\n").rstrip("\n")
    if "\n\n" in lines:
        raise Damaged("an empty line in a tree, where LightGBM stops reading it", offset=offset)
    return block(lines, offset)


def _read_rest(found: Walked, text: str, offset: int) -> None:
    """Importances, parameters and the categories of a data frame; all but the parameters may be missing. Raises
    Damaged."""
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    if next(lines) != _END:
        raise Damaged("the end of its trees is not told as LightGBM does", offset=offset)
    part = ""
    for line in lines:
        if line in _PARTS:
            part = line
        elif part == "parameters:" and line:
            if line == "end of parameters":
                part = ""
                continue
            told = _PARAMETER.fullmatch(line)
            if told is None:
                raise Damaged(f"{line[:60]!r} among its parameters is none", offset=offset)
            found.parameters[told[1]] = told[2][:200]
        elif line.startswith("pandas_categorical:"):
            found.categories, part = _categories(line, offset), ""
        elif line and not (part in _IMPORTANCES and _IMPORTANCE.search(line)):
            found.unknown.append(line[:100])
    if "\nend of parameters" not in text:
        raise Damaged("cut off: its parameters have no end", offset=offset + len(text))


def _categories(line: str, offset: int) -> Optional[list[object]]:
    try:
        found = json.loads(line.partition(":")[2])
    except (ValueError, RecursionError):
        raise Damaged("the categories of its data frame cannot be read", offset=offset) from None
    if found is not None and not isinstance(found, list):
        raise Damaged("the categories of its data frame are no list", offset=offset)
    return found
