"""Graphs of TensorFlow: nodes and functions with their operators, constants, placeholders and signatures.

Sources of the format: graph.proto, node_def.proto, function.proto, attr_value.proto and meta_graph.proto below
tensorflow/core.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Optional

from backends.core.errors import Damaged
from backends.core.inspection import ArrayInfo, TensorSpec
from backends.core.protobuf import WireReader
from backends.formats.tensorflow.messages import DTYPES, Field, dtype, entry, fields, shape, text

_MOST_ARRAYS = 10_000
_MOST_NAMES = 100_000
_MOST_SIGNATURES = 1000
_LARGEST = 1 << 48
_INIT = "__saved_model_init_op"


@dataclass
class Graph:
    """The nodes of a graph and of its functions, counted; `used` are names that other nodes take. `ends_well` says
    that something follows the nodes, so that none of them was cut off."""

    operators: Counter[str] = field(default_factory=Counter)
    functions: int = 0
    constants: list[ArrayInfo] = field(default_factory=list)
    weights: int = 0
    placeholders: list[TensorSpec] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    ends_well: bool = False


@dataclass
class MetaGraph:
    """One graph with what it is asked by."""

    tags: list[str] = field(default_factory=list)
    version: str = ""
    graph: Graph = field(default_factory=Graph)
    signatures: dict[str, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]] = field(default_factory=dict)
    assets: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)


def read_meta_graph(reader: WireReader, whole: Field) -> MetaGraph:
    """One MetaGraphDef. Raises Damaged."""
    found = MetaGraph()
    for one in fields(reader, whole.start, whole.end):
        if one.number == 1:
            _read_info(reader, one, found)
        elif one.number == 2:
            found.graph = read_graph(reader, one.start, one.end)
        elif one.number == 5 and len(found.signatures) < _MOST_SIGNATURES:
            name, held = entry(reader, one)
            if held is not None and name != _INIT:
                found.signatures[name[:200]] = _signature(reader, held)
        elif one.number == 6 and len(found.assets) < _MOST_SIGNATURES:
            found.assets += [text(reader, part) for part in fields(reader, one.start, one.end) if part.number == 2]
        elif one.number == 7:
            _read_objects(reader, one, found)
    return found


def read_graph(reader: WireReader, start: int, end: int) -> Graph:
    """One GraphDef. Raises Damaged."""
    found = Graph()
    for one in fields(reader, start, end):
        found.ends_well = one.number in (2, 3, 4)
        if one.number == 1:
            _read_node(reader, one, found, top=True)
        elif one.number == 2:
            for part in fields(reader, one.start, one.end):
                if part.number == 1:
                    found.functions += 1
                    for node in fields(reader, part.start, part.end):
                        if node.number == 3:
                            _read_node(reader, node, found, top=False)
    return found


def _read_info(reader: WireReader, whole: Field, found: MetaGraph) -> None:
    for one in fields(reader, whole.start, whole.end):
        if one.number == 4 and len(found.tags) < _MOST_SIGNATURES:
            found.tags.append(text(reader, one)[:200])
        elif one.number == 5:
            found.version = text(reader, one)[:100]


def _read_objects(reader: WireReader, whole: Field, found: MetaGraph) -> None:
    """Texts that Keras keeps with its objects, as far as they stand in the model itself."""
    for node in fields(reader, whole.start, whole.end):
        if node.number != 1:
            continue
        for one in fields(reader, node.start, node.end):
            if one.number == 4:
                parts = fields(reader, one.start, one.end)
                found.metadata += [text(reader, part) for part in parts if part.number == 3 and part.end > part.start]


def _read_node(reader: WireReader, whole: Field, found: Graph, *, top: bool) -> None:
    name, operator = "", ""
    attributes: list[Field] = []
    for one in fields(reader, whole.start, whole.end):
        if one.number == 1 and top:
            name = text(reader, one)[:200]
        elif one.number == 2:
            operator = text(reader, one)[:100]
        elif one.number == 3 and top and len(found.used) < _MOST_NAMES:
            found.used.add(text(reader, one)[:200].lstrip("^").partition(":")[0])
        elif one.number == 5 and operator in ("Const", "Placeholder", ""):
            attributes.append(one)
    found.operators[operator] += 1
    if top and len(found.names) < _MOST_NAMES and operator not in ("Const", "NoOp", "Assert"):
        found.names.append(name)
    if operator == "Const":
        _read_constant(reader, attributes, name, found)
    elif operator == "Placeholder" and top:
        found.placeholders.append(_placeholder(reader, attributes, name))


def _read_constant(reader: WireReader, attributes: list[Field], name: str, found: Graph) -> None:
    for one in attributes:
        key, value = entry(reader, one)
        if key != "value" or value is None:
            continue
        for part in fields(reader, value.start, value.end):
            if part.number == 8:
                kind, sides = _tensor(reader, part)
                count = math.prod(side or 0 for side in sides)
                if count > _LARGEST:
                    raise Damaged(f"the constant '{name[:100]}' is larger than any file", offset=part.start)
                found.weights += count
                if name and count > 1 and len(found.constants) < _MOST_ARRAYS:
                    size = count * DTYPES.get(kind, ("", 0))[1]
                    found.constants.append(ArrayInfo(name, tuple(side or 0 for side in sides), dtype(kind), size))


def _tensor(reader: WireReader, whole: Field) -> tuple[int, tuple[Optional[int], ...]]:
    """Element type and shape of a TensorProto."""
    kind = 0
    sides: tuple[Optional[int], ...] = ()
    for one in fields(reader, whole.start, whole.end):
        if one.number == 1:
            kind = one.value
        elif one.number == 2:
            sides = shape(reader, one) or ()
    return kind, sides


def _placeholder(reader: WireReader, attributes: list[Field], name: str) -> TensorSpec:
    kind, sides = "", None
    for one in attributes:
        key, value = entry(reader, one)
        for part in fields(reader, value.start, value.end) if value is not None else ():
            if key == "dtype" and part.number == 6:
                kind = dtype(part.value)
            elif key == "shape" and part.number == 7:
                sides = shape(reader, part)
    return TensorSpec(name, kind, sides)


def _signature(reader: WireReader, whole: Field) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    sides: dict[int, list[TensorSpec]] = {1: [], 2: []}
    for one in fields(reader, whole.start, whole.end):
        if one.number in sides and len(sides[one.number]) < _MOST_SIGNATURES:
            name, held = entry(reader, one)
            if held is not None:
                sides[one.number].append(_info(reader, held, name[:200]))
    return tuple(sides[1]), tuple(sides[2])


def _info(reader: WireReader, whole: Field, name: str) -> TensorSpec:
    kind, sides = "", None
    for one in fields(reader, whole.start, whole.end):
        if one.number == 2:
            kind = dtype(one.value)
        elif one.number == 3:
            sides = shape(reader, one)
    return TensorSpec(name, kind, sides)
