"""Calls that the project's own HDF5 layout may hold, with their arguments: those of its writer, and no others.

A name on the list is no harm, but numpy and Cython believe what they are told: how long an array is, that bytes are the
addresses of objects, how many outputs a tree has. What is written differently is told, and not loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Callable, Optional

import h5py

from backends.formats.hdf5.nodes import Node
from backends.formats.hdf5.tree import text_of
from backends.formats.pickle.dtypes import DType, literal_dtype
from backends.formats.pickle.value_graph import unfolds

_MAX_UNFOLDED = 10_000_000
_MAX_NUMBER = 1 << 31


def odd_nodes(root: Node) -> Iterator[tuple[str, Node]]:
    """Odd calls and dtypes, in words, and where. Reads headers alone. Raises Damaged for a tuple that lacks an item."""
    for node in root.below():
        odd = _odd(node)
        if odd:
            yield odd, node
    if unfolds([root], _MAX_UNFOLDED, partial(_held, root)):
        yield f"shares its parts in so many ways that it unfolds to over {_MAX_UNFOLDED}", root


def _odd(node: Node) -> str:
    if node.kind == "call" and not _CALLS.get(node.name.rpartition(":")[2], _numbers)(_Call(node)):
        return f"calls {node.name.replace(':', '.', 1)} with arguments that no writer gives it"
    if node.kind == "object" and "@args" in node.members and not node.name.endswith(":_ImputerTriplet"):
        return f"makes {node.name.replace(':', '.', 1)} with arguments, as no writer does"
    told = node.name if node.kind == "dtype" else text_of(node.markers.get("@dtype"))
    if told is None or (node.kind == "dtype" and not _is_plain(told)):
        return "" if told is None else f"is the dtype {told[:80]!r}, which no writer writes"
    if node.dataset is not None and not (_is_plain(told) and _fits(told, node.dataset)):
        return f"would take its bytes for {told[:80]!r}"
    return ""


def _is_plain(text: str) -> bool:
    try:
        _dtype(text)
    except ValueError:
        return False
    return True


def _fits(text: str, dataset: Any) -> bool:
    """Only text is stored for objects; no other bytes become addresses."""
    return h5py.check_string_dtype(dataset.dtype) is not None or not _dtype(text).objects


def _dtype(text: str) -> DType:
    """The dtype of a literal, whose unit is left out. Raises ValueError."""
    return literal_dtype(text.partition("[")[0])


class _Call:
    """The arguments of a call as nodes; `numbers` is how many there are where they are stored as one array."""

    def __init__(self, node: Node) -> None:
        held = node.members.get("@args")
        self.node = node
        self.args: Optional[list[Node]] = []
        self.numbers = 0
        if held is not None and held.dataset is not None:
            self.args = None
            numeric = held.kind == "tuple" and held.dataset.ndim == 1 and held.dataset.dtype.kind in "bif"
            self.numbers = held.dataset.shape[0] if numeric else _MAX_NUMBER
        elif held is not None:
            self.args = held.items() if held.kind == "tuple" else None
            self.numbers = 0 if held.kind == "tuple" else _MAX_NUMBER

    def are(self, *tests: Callable[[Node], bool]) -> bool:
        """Whether there are just so many arguments, each of which passes its test."""
        return (
            self.args is not None
            and len(self.args) == len(tests)
            and all(test(self.args[position]) for position, test in enumerate(tests))
        )


def _is_global(node: Node) -> bool:
    return node.kind == "global"


def _is_none(node: Node) -> bool:
    return node.kind == "plain" and node.value is None


def _is_number(node: Node) -> bool:
    plain = node.kind == "plain" and type(node.value) in (int, float, bool)
    return plain and (type(node.value) is not int or abs(node.value) < _MAX_NUMBER)


def _of_random(node: Node) -> bool:
    return (node.kind == "plain" and type(node.value) is str) or (
        node.kind in ("global", "call") and node.name.startswith("numpy.random.")
    )


def _numbers(call: _Call) -> bool:
    if call.args is None:
        return call.numbers <= 2
    return len(call.args) <= 2 and all(map(_is_number, call.args))


def _tree(call: _Call) -> bool:
    """How many features, how many classes each output has, how many outputs: as many as it has classes for."""
    if call.args is None or not call.are(_is_number, lambda node: node.kind == "array", _is_number):
        return False
    shape = call.args[1].dataset.shape
    return bool(len(shape) == 1 and shape[0] == call.args[2].value)


def _blank_array(call: _Call) -> bool:
    """numpy's `_reconstruct`: a class and an empty shape, and a state of as many bytes as its shape needs."""
    state = call.node.members.get("@state")
    if call.args is None or len(call.args) != 3 or state is None or state.kind != "tuple" or len(state.members) != 5:
        return False
    if not _is_global(call.args[0]) or not _holds(call.args[1], 0) or call.args[2].kind != "bytes":
        return False
    shape, kind, content = (state.members.get(key) for key in ("1", "2", "4"))
    if shape is None or kind is None or content is None or kind.kind != "dtype" or content.kind != "bytes":
        return False
    lengths = _lengths(shape)
    if lengths is None or not _is_plain(kind.name) or _dtype(kind.name).objects:
        return False
    need = math.prod(lengths) * _dtype(kind.name).itemsize
    return bool(need == content.dataset.shape[0])


def _holds(node: Node, number: int) -> bool:
    return _lengths(node) == [number]


def _lengths(node: Node) -> Optional[list[int]]:
    """The plain integers of a short tuple; None for anything else."""
    if node.kind != "tuple":
        return None
    if node.dataset is None:
        return None if node.members else []
    if node.dataset.ndim != 1 or node.dataset.shape[0] > 64 or node.dataset.dtype.kind != "i":
        return None
    found = [int(item) for item in node.dataset[()]]
    return found if all(item >= 0 for item in found) else None


_CALLS: dict[str, Callable[[_Call], bool]] = {
    "Tree": _tree,
    "_reconstruct": _blank_array,
    "_reconstructor": lambda call: call.are(_is_global, _is_global, _is_none),
    "newObj": lambda call: call.are(_is_global),
    "__pyx_unpickle_SeedSequence": lambda call: call.are(
        _is_global, lambda node: type(node.value) is int, lambda node: _is_none(node) or node.kind in ("tuple", "link")
    ),
    **dict.fromkeys(
        ("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"),
        lambda call: call.args is not None and len(call.args) <= 2 and all(map(_of_random, call.args)),
    ),
}


def _held(root: Node, node: Node) -> list[Node]:
    """The nodes directly in one, those that its links lead to among them."""
    return [member.target(root) for member in node.members.values() if member.kind != "plain"]
