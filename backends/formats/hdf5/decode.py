"""Build the object that a tree of nodes describes. Only names on the exact allow-list are imported; never pickle.

Runs in a sandboxed worker: an allow-listed class may still be given a state that it never had (a tree whose child
index is out of range), as with any format that holds fitted state.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

import numpy as np

from backends.core.errors import Damaged
from backends.core.source import Source
from backends.formats.hdf5.allowed import resolve_name
from backends.formats.hdf5.arrays import array_dtype, read_array
from backends.formats.hdf5.layout import NAMED_FIELDS
from backends.formats.hdf5.nodes import Node
from backends.formats.hdf5.tree import damage_as_errors, text_of

_BUILDING = object()


class Decoder:
    """Builds values from nodes, each path once: links give back the very object that stands at their target."""

    def __init__(self, model: Node, source: Source) -> None:
        self._model = model
        self._source = source
        self._built: dict[str, Any] = {}
        self._builders: dict[str, Callable[[Node], Any]] = {
            "plain": lambda node: node.value,
            "array": self._array,
            "scalar": lambda node: self._array(node)[()],
            "bytes": lambda node: self._array(node).tobytes(),
            "str": lambda node: self._array(node).tobytes().decode("utf-8", "surrogatepass"),
            "link": self._link,
            "object": self._object,
            "call": self._object,
            "list": self._list,
            "tuple": lambda node: tuple(self._items(node)),
            "set": lambda node: set(self._items(node)),
            "frozenset": lambda node: frozenset(self._items(node)),
            "named-list": self._named_list,
            "dict": self._dict,
            "pairs": self._pairs,
            "object-array": self._object_array,
            "masked-array": self._masked_array,
            "slice": lambda node: slice(*self._span(node)),
            "range": lambda node: range(*self._span(node)),
            "int": self._int,
            "global": lambda node: resolve_name("name", node.name),
            "dtype": self._dtype,
        }

    def build(self) -> Any:
        """The model itself. Raises Damaged, NotLoadable, and what the classes' own code raises."""
        return self._value(self._model)

    def _value(self, node: Node) -> Any:
        if node.kind == "plain":
            return node.value
        if node.path in self._built:
            found = self._built[node.path]
            if found is _BUILDING:
                raise Damaged(f"{node.path} is part of itself")
            return found
        builder = self._builders.get(node.kind)
        if builder is None:
            raise Damaged(f"{node.path} is a {node.kind} out of place")
        self._built[node.path] = _BUILDING
        self._built[node.path] = value = builder(node)
        return value

    def _member(self, node: Node, name: str) -> Any:
        if name not in node.members:
            raise Damaged(f"{node.path} has no '{name}'")
        return self._value(node.members[name])

    def _link(self, node: Node) -> Any:
        target = node.target(self._model)
        if target is node:
            raise Damaged(f"{node.path} points at {node.value}, where nothing of the model stands")
        if target.kind == "link":
            raise Damaged(f"{node.path} points at another link")
        return self._value(target)

    def _array(self, node: Node) -> Any:
        with damage_as_errors(node.path):
            dtype = array_dtype(node.dataset, text_of(node.markers.get("@dtype")))
            order = text_of(node.markers.get("@order"))
            return read_array(node.dataset, dtype, order, self._source)

    def _items(self, node: Node) -> list[Any]:
        if node.dataset is None:
            return [self._value(item) for item in node.items()]
        array = self._array(node)
        if array.ndim != 1:
            raise Damaged(f"{node.path} is no plain list")
        return list(array) if text_of(node.markers.get("@item")) == "scalar" else list(array.tolist())

    def _list(self, node: Node) -> list[Any]:
        found: list[Any] = []
        self._built[node.path] = found
        found.extend(self._items(node))
        return found

    def _named_list(self, node: Node) -> list[Any]:
        found: list[Any] = []
        self._built[node.path] = found
        for key in node.ordered_keys():
            member = node.members[key]
            if member.kind == "named-entry":
                found.append((key, *(self._member(member, name) for name in NAMED_FIELDS)))
            else:
                found.append((key, self._value(member)))
        return found

    def _dict(self, node: Node) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._built[node.path] = found
        for key in node.ordered_keys():
            found[key] = self._value(node.members[key])
        return found

    def _pairs(self, node: Node) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        self._built[node.path] = found
        keys, values = self._member(node, "keys"), self._member(node, "values")
        if not isinstance(keys, list) or not isinstance(values, list) or len(keys) != len(values):
            raise Damaged(f"{node.path}: its keys and values do not pair")
        found.update(zip(keys, values))
        return found

    def _object_array(self, node: Node) -> Any:
        items = self._member(node, "items")
        shape = tuple(int(size) for size in np.atleast_1d(node.markers.get("@shape", ())))
        if not isinstance(items, list) or any(size < 0 for size in shape) or int(np.prod(shape)) != len(items):
            raise Damaged(f"{node.path}: its items do not fill the shape {shape}")
        array = np.empty(len(items), dtype=object)
        for position, item in enumerate(items):
            array[position] = item
        return array.reshape(shape)

    def _masked_array(self, node: Node) -> Any:
        data, mask = self._member(node, "data"), self._member(node, "mask")
        return np.ma.MaskedArray(data, mask=mask, fill_value=self._member(node, "fill_value"))

    def _span(self, node: Node) -> list[Any]:
        return [self._member(node, part) for part in ("start", "stop", "step")]

    def _int(self, node: Node) -> int:
        try:
            return int(text_of(node.markers.get("@digits")) or "", 16)
        except ValueError as error:
            raise Damaged(f"{node.path} is no number") from error

    def _dtype(self, node: Node) -> Any:
        try:
            return np.dtype(node.name)
        except (TypeError, ValueError, SyntaxError) as error:
            raise Damaged(f"{node.path}: '{node.name}' is no dtype") from error

    def _object(self, node: Node) -> Any:
        args = self._value(node.members["@args"]) if "@args" in node.members else ()
        if not isinstance(args, tuple):
            raise Damaged(f"{node.path}: its arguments are no tuple")
        if node.kind == "object":
            made = resolve_name("new", node.name)
            instance = made.__new__(made, *args)
        else:
            instance = resolve_name("call", node.name)(*args)
        self._built[node.path] = instance
        self._restore(node, instance)
        if "@append" in node.members:
            instance.extend(self._member(node, "@append"))
        if "@update" in node.members:
            instance.update(self._member(node, "@update"))
        return instance

    def _restore(self, node: Node, instance: Any) -> None:
        """Apply the stored state the way pickle does."""
        state: Any = {sys.intern(name): self._value(member) for name, member in node.members.items() if name[0] != "@"}
        if "@state" in node.members:
            state = self._member(node, "@state")
        elif not state:
            return
        restore = getattr(instance, "__setstate__", None)
        if restore is not None:
            restore(state)
            return
        slots = None
        if isinstance(state, tuple) and len(state) == 2:
            state, slots = state
        if state:
            instance.__dict__.update(state)
        for name, value in (slots or {}).items():
            setattr(instance, name, value)
