"""Going over the abstract values of a pickle: each once, in order, with its place, and without recursion.

Places are spelled as `backends.core.places.resolve` reads them, so that what is listed can be loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Callable, NamedTuple, Optional

from backends.formats.pickle.arrays import read_array
from backends.formats.pickle.values import DictValue, Instance, RawArray, SetValue, Value

MAX_DEPTH = 10_000
_MAX_PLACE = 200
_MAX_ATTRIBUTES = 4000
_PLAIN_STEP = re.compile(r"[^\W\d][\w -]*\Z")
_CONTAINERS = frozenset((list, tuple, DictValue, SetValue, Instance, RawArray))
_OPEN_NAMES = (
    "base_estimator", "classifier", "estimator", "estimators", "final_estimator", "model", "regressor", "transformers"
)  # fmt: skip
_OPEN_KEYS = frozenset(
    ("steps", "transformer_list", "best_estimator_", "calibrated_classifiers_", "named_estimators_", *_OPEN_NAMES)
).union(f"{name}_" for name in _OPEN_NAMES)
"""Attributes that hold further models: what stands there is one even where its class is not known."""


class Node(NamedTuple):
    """A value and where it stands: the node it was reached from, the step that leads here, how deep.

    `open` is true where a model may be expected: at the root, in plain containers below it, among a pipeline's steps.
    """

    value: Value
    parent: Optional[Node]
    step: Value
    depth: int
    open: bool


def visit(roots: list[Value]) -> Iterator[Node]:
    """Every container, array and object below the roots, in the order of the file, each once.

    One root stands at the empty place, several at [0], [1], … Values deeper than MAX_DEPTH are yielded, not entered.
    """
    seen: set[int] = set()
    stack = [Node(root, None, index if len(roots) > 1 else None, 0, True) for index, root in enumerate(roots)][::-1]
    while stack:
        node = stack.pop()
        if type(node.value) not in _CONTAINERS or id(node.value) in seen:
            continue
        seen.add(id(node.value))
        yield node
        if node.depth < MAX_DEPTH:
            children = [child for child in _children(node) if type(child.value) in _CONTAINERS]
            stack.extend(reversed(children))


def _children(node: Node) -> Iterator[Node]:
    value, depth = node.value, node.depth + 1
    if type(value) in (list, tuple):
        for index, item in enumerate(value):
            if type(item) in _CONTAINERS:
                yield Node(item, node, index, depth, node.open)
    elif type(value) is DictValue:
        yield from _pairs(node, value.flat, node.open)
    elif type(value) is SetValue:
        for item in value.items:
            yield Node(item, node, None, depth, False)
    else:
        yield from _parts(node)


def _parts(node: Node) -> Iterator[Node]:
    """The parts of an object or array."""
    value, depth = node.value, node.depth + 1
    array = read_array(value)
    if array is not None:
        if array.dtype.objects and type(array.data) is list:
            for index, item in enumerate(array.data):
                if type(item) in _CONTAINERS:
                    yield Node(item, node, _unravel(index, array.shape, array.fortran), depth, node.open)
        return
    if type(value) is not Instance:
        return
    for index, item in enumerate(value.items or ()):
        yield Node(item, node, index, depth, node.open)
    if value.pairs:
        yield from _pairs(node, value.pairs, node.open)
    state = value.state
    if type(state) is DictValue:
        for at in range(0, len(state.flat) - 1, 2):
            if type(state.flat[at + 1]) in _CONTAINERS:
                key = state.flat[at]
                yield Node(state.flat[at + 1], node, key, depth, type(key) is str and key in _OPEN_KEYS)
    else:
        yield Node(state, node, None, depth, False)
    yield Node(value.args, node, None, depth, False)
    yield Node(value.kwargs, node, None, depth, False)


def _pairs(node: Node, flat: list[Value], inherited: bool) -> Iterator[Node]:
    for at in range(0, len(flat) - 1, 2):
        if type(flat[at + 1]) in _CONTAINERS:
            yield Node(flat[at + 1], node, flat[at], node.depth + 1, inherited)
        if type(flat[at]) in _CONTAINERS:
            yield Node(flat[at], node, None, node.depth + 1, False)


def _unravel(index: int, shape: tuple[int, ...], fortran: bool) -> tuple[int, ...]:
    steps = []
    for length in shape if fortran else shape[::-1]:
        steps.append(index % length if length else 0)
        index //= length or 1
    return tuple(steps if fortran else steps[::-1])


def unfolds(roots: list[Value], limit: int, held: Optional[Callable[[Value], list[Value]]] = None) -> bool:
    """Whether containers and objects share parts in so many ways that writing them out would take over `limit` items.

    Only what holds containers or objects counts: shared data of models is held by few, and then unfolds to little.
    `held` gives the parts directly in one, where these are no values of a pickle.
    """
    held = held or _held
    sizes: dict[int, int] = {}
    stack: list[tuple[Value, Optional[list[Value]]]] = [(root, None) for root in roots]
    while stack:
        value, parts = stack.pop()
        if parts is not None:
            total = 1 + sum(sizes.get(id(item), 0) for item in parts)
            if total > limit:
                return True
            sizes[id(value)] = total
        elif id(value) not in sizes:
            parts = held(value)
            sizes[id(value)] = 0 if parts else 1
            if parts:
                stack.append((value, parts))
                stack.extend((item, None) for item in parts if id(item) not in sizes)
    return False


def _held(value: Value) -> list[Value]:
    """The containers and objects directly in one."""
    if type(value) in (list, tuple):
        return [item for item in value if type(item) in _CONTAINERS]
    if type(value) is DictValue:
        return [item for item in value.flat if type(item) in _CONTAINERS]
    if type(value) is SetValue:
        return [item for item in value.items if type(item) in _CONTAINERS]
    if type(value) is Instance:
        parts = (value.args, value.state, value.kwargs, *(value.items or ()), *(value.pairs or ()))
        return [item for item in parts if type(item) in _CONTAINERS]
    return [value.objects] if type(value) is RawArray and type(value.objects) in _CONTAINERS else []


def place(node: Node) -> str:
    """The place of a node as `resolve` reads it; parts that cannot be addressed are spelled `<…>`."""
    if node.depth > _MAX_PLACE:
        return f"<{node.depth} levels deep>"
    steps = []
    here: Optional[Node] = node
    while here is not None:
        if here.parent is not None or here.step is not None:
            steps.append(_spell(here))
        here = here.parent
    return "".join(reversed(steps)).lstrip(".")


def _spell(node: Node) -> str:
    step = node.step
    if type(step) is tuple and all(type(part) is int for part in step):
        return "".join(f"[{part}]" for part in step)
    if type(step) is int:
        return f"[{step}]"
    if type(step) is not str:
        return "<…>"
    if _PLAIN_STEP.match(step):
        return f".{step}"
    escaped = step[:200].replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def attributes(value: Instance) -> dict[str, Value]:
    """The attributes that an object's state sets (the dict of a pair of dict and slots included)."""
    state = value.state
    if type(state) is tuple and len(state) == 2 and all(part is None or type(part) is DictValue for part in state):
        merged: dict[str, Value] = {}
        for part in state:
            merged.update(part.text_items(_MAX_ATTRIBUTES) if part is not None else {})
        return merged
    return state.text_items(_MAX_ATTRIBUTES) if type(state) is DictValue else {}
