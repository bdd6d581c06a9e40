"""The project's own HDF5 layout read into a tree of nodes: the one parser that inspecting and loading share.

Reading a node takes its header and attributes, never the values of an array. What breaks the layout is Damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

import h5py
import numpy as np

from backends.core.errors import Damaged
from backends.formats.hdf5.layout import ITEM_KINDS, LAYOUT, MODEL
from backends.formats.hdf5.tree import Tree, damage_as_errors, text_of

_CONTAINERS = frozenset(
    (*ITEM_KINDS, "dict", "pairs", "named-list", "named-entry", "object-array", "masked-array", "slice", "range", "int")
)
_NAMES = frozenset(("global", "dtype"))
_DATASETS = frozenset((*ITEM_KINDS, "scalar", "str", "bytes"))


@dataclass
class Node:
    """One stored value. `kind` is plain, array, link, object, call, or a `@kind` of the layout.

    `name` is what an object, call, global or dtype names; `value` a plain value or a link's target; `markers` holds
    the attributes that start with `@`; `members` the values inside a group; `dataset` the open dataset of an array.
    """

    path: str
    kind: str
    name: str = ""
    value: Any = None
    address: int = 0
    markers: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Node] = field(default_factory=dict)
    dataset: Any = None

    def below(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(list(node.members.values())))

    def ordered_keys(self) -> list[str]:
        """The names of a dict's or named list's members, in their order."""
        found = self.markers.get("@keys", ())
        names = [text_of(name) or "" for name in found] if isinstance(found, np.ndarray) else []
        if sorted(names) != sorted(self.members):
            raise Damaged(f"{self.path}: its list of keys and its members differ")
        return names

    def target(self, root: Node) -> Node:
        """The node that a link leads to; the node itself where it is none, or leads nowhere."""
        parts = str(self.value).split("/")
        if self.kind != "link" or parts[:2] != MODEL.split("/"):
            return self
        here: Optional[Node] = root
        for part in parts[2:]:
            here = here and here.members.get(part)
        return here or self

    def items(self) -> list[Node]:
        """The items of a list, tuple or set group, in their order."""
        try:
            return [self.members[str(position)] for position in range(len(self.members))]
        except KeyError as error:
            raise Damaged(f"{self.path}: item {error} is missing") from error


def read_model(tree: Tree) -> Node:
    """The node of `/model`. Raises Damaged for a broken file or a layout this code does not know."""
    with damage_as_errors():
        layout = tree.attribute(tree.file, "layout")
        if not isinstance(layout, np.integer) or int(layout) != LAYOUT:
            raise Damaged(f"the file announces layout {layout}; this version reads layout {LAYOUT}")
        for member in tree.members(tree.file):
            if f"/{member.name}" == MODEL and member.kind in ("group", "dataset"):
                return _node(tree, member.target, MODEL, 0)
    raise Damaged(f"the file announces a model, but has no {MODEL}")


def _node(tree: Tree, obj: Any, path: str, depth: int) -> Node:
    markers, plain = _attributes(tree, obj)
    if isinstance(obj, h5py.Dataset):
        kind = text_of(markers.get("@kind", "array")) or ""
        if (kind != "array" and kind not in _DATASETS) or plain:
            raise Damaged(f"{path}: no dataset of the layout is of the kind '{kind}'")
        return Node(path, kind, markers=markers, dataset=obj, address=tree.address(obj))
    kind, name = _kind(markers, path)
    node = Node(path, kind, name, address=tree.address(obj), markers=markers)
    if depth > tree.limits.depth:
        raise Damaged(f"{path} lies deeper than {tree.limits.depth} levels")
    for key, value in plain.items():
        node.members[key] = Node(f"{path}/{key}", "plain", value=_plain(value, f"{path}/{key}"))
    for member in tree.members(obj):
        place = f"{path}/{member.name}"
        if member.name in node.members:
            raise Damaged(f"{place} is there twice, as an attribute and as an object")
        if member.kind == "soft":
            node.members[member.name] = Node(place, "link", value=member.target)
        elif member.kind in ("group", "dataset"):
            node.members[member.name] = _node(tree, member.target, place, depth + 1)
    return node


def _attributes(tree: Tree, obj: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    markers: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for name, value in tree.attributes(obj).items():
        (markers if name.startswith("@") else plain)[name] = value
    return markers, plain


def _kind(markers: dict[str, Any], path: str) -> tuple[str, str]:
    said = [key for key in ("@class", "@call", "@kind") if key in markers]
    if len(said) != 1:
        raise Damaged(f"{path} does not say what it is: it needs one of @class, @call and @kind")
    text = text_of(markers[said[0]]) or ""
    if said[0] != "@kind":
        return ("object" if said[0] == "@class" else "call"), text
    if text in _NAMES:
        return text, text_of(markers.get("@name")) or ""
    if text not in _CONTAINERS:
        raise Damaged(f"{path} is of the unknown kind '{text}'")
    return text, ""


def _plain(value: Any, path: str) -> Any:
    """The Python value of an attribute, by its HDF5 type alone."""
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, (str, bytes)):
        return text_of(value)
    if isinstance(value, (np.bool_, np.integer, np.floating, np.complexfloating)):
        return value.item()
    raise Damaged(f"{path} is an attribute of a type that the layout does not use")
