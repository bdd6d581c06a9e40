"""Facts gathered while an ONNX file is walked: operators, tensors, graphs, functions and what goes in and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.core.inspection import Finding, Json
from backends.core.source import Source
from backends.formats.onnx.schema import DTYPES
from backends.formats.onnx.tensors import External, Tensor, read_tensor
from backends.formats.onnx.walk import ListField, Walker

Operator = tuple[str, str, str]
"""Domain, name and overload."""

_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
_LABELS_CAP = 10_000
_FINDINGS_CAP = 100


@dataclass(frozen=True)
class Graph:
    """One graph: its values by name, its initialisers, and the operators it calls, those inside subgraphs too."""

    inputs: tuple[dict[str, Json], ...]
    outputs: tuple[dict[str, Json], ...]
    initialisers: frozenset[str]
    calls: Counter[Operator]


@dataclass(frozen=True)
class _Attribute:
    name: str
    tensors: tuple[Tensor, ...]
    calls: Counter[Operator]
    labels: Optional[tuple[Json, ...]]


@dataclass
class Facts:
    """Facts of one walk; `model` holds the fields of the outermost message once it ended."""

    source: Source
    model: dict[str, Any] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    externals: list[External] = field(default_factory=list)
    labels: list[tuple[Json, ...]] = field(default_factory=list)
    functions: dict[Operator, Counter[Operator]] = field(default_factory=dict)
    graphs: int = 0

    def __post_init__(self) -> None:
        self.walker = Walker(self.source, self._fold)
        self._folds: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "Tensor": self._tensor,
            "Sparse": self._sparse,
            "Attribute": self._attribute,
            "Node": self._node,
            "Graph": self._graph,
            "Function": self._function,
            "Training": lambda found, offset: True,
            "Value": _value,
            "Type": _type,
            "TensorType": lambda found, offset: _tensor_type(found),
            "ElementType": lambda found, offset: found.get("elem_type", ({"type": "unknown"}))["type"],
            "MapType": _map_type,
            "Opaque": lambda found, offset: True,
            "Shape": lambda found, offset: [side if side != "" else None for side in found.get("dim", ())],
            "Dimension": lambda found, offset: found.get("dim_value", found.get("dim_param", "")),
        }

    def walk(self) -> None:
        """Walk the whole source. Raises Damaged, OSError."""
        self.model = self.walker.message("Model", 0, self.source.size)

    def _fold(self, kind: str, found: dict[str, Any], offset: int) -> Any:
        fold = self._folds.get(kind)
        return found if fold is None else fold(found, offset)

    def _tensor(self, found: dict[str, Any], offset: int) -> Tensor:
        tensor = read_tensor(found, offset)
        if len(self.findings) < _FINDINGS_CAP:
            self.findings.extend(tensor.findings)
        if tensor.external is not None:
            self.externals.append(tensor.external)
        return tensor

    def _sparse(self, found: dict[str, Any], offset: int) -> Optional[Tensor]:
        values = found.get("values")
        return values if isinstance(values, Tensor) else None

    def _attribute(self, found: dict[str, Any], offset: int) -> Optional[_Attribute]:
        tensors = (*_one(found, "t"), *found.get("tensors", ()), *_one(found, "sparse_tensor"))
        calls: Counter[Operator] = Counter()
        for graph in (*_one(found, "g"), *found.get("graphs", ())):
            calls.update(graph.calls)
        name = found.get("name", "")
        labels = self._labels_of(found) if name in _LABELS else None
        return _Attribute(name, tensors, calls, labels) if tensors or calls or labels else None

    def _labels_of(self, found: dict[str, Any]) -> Optional[tuple[Json, ...]]:
        texts, numbers = found.get("strings"), found.get("ints")
        if isinstance(texts, ListField):
            return tuple(self.walker.texts(texts, _LABELS_CAP))
        return tuple(self.walker.numbers(numbers, _LABELS_CAP)) if isinstance(numbers, ListField) else None

    def _node(self, found: dict[str, Any], offset: int) -> Counter[Operator]:
        operator = (plain_domain(found), found.get("op_type", ""), found.get("overload", ""))
        calls: Counter[Operator] = Counter((operator,))
        for attribute in found.get("attribute", ()):
            calls.update(attribute.calls)
            if attribute.labels is not None:
                self.labels.append(attribute.labels)
            if operator[:2] == ("", "Constant"):
                name = (found.get("output") or [""])[0]
                self.tensors.extend(one._replace(info=_renamed(one, name)) for one in attribute.tensors)
        return calls

    def _graph(self, found: dict[str, Any], offset: int) -> Graph:
        self.graphs += 1
        initialisers = [*found.get("initializer", ()), *found.get("sparse_initializer", ())]
        self.tensors.extend(initialisers)
        names = frozenset(tensor.info.name for tensor in initialisers)
        return Graph(tuple(found.get("input", ())), tuple(found.get("output", ())), names, _calls(found))

    def _function(self, found: dict[str, Any], offset: int) -> bool:
        self.functions[plain_domain(found), found.get("name", ""), found.get("overload", "")] = _calls(found)
        return True


def operator_words(operator: Operator) -> str:
    """An operator as it is told: `Conv`, `ai.onnx.ml.TreeEnsembleClassifier`."""
    domain, name, _overload = operator
    return f"{domain}.{name}" if domain else name


def plain_domain(found: dict[str, Any]) -> str:
    """The domain of a node, a function or an operator set; ONNX's own, which has two names, is empty."""
    domain = str(found.get("domain", ""))
    return "" if domain == "ai.onnx" else domain


def _one(found: dict[str, Any], name: str) -> tuple[Any, ...]:
    return (found[name],) if found.get(name) is not None else ()


def _calls(found: dict[str, Any]) -> Counter[Operator]:
    calls: Counter[Operator] = Counter()
    for node in found.get("node", ()):
        calls.update(node)
    return calls


def _renamed(tensor: Tensor, name: str) -> Any:
    info = tensor.info
    return type(info)(name or info.name, info.shape, info.dtype, info.bytes)


def _value(found: dict[str, Any], offset: int) -> dict[str, Json]:
    """A value that goes in or out: name, type and shape (None = not told)."""
    told = found.get("type") or {"type": "unknown", "shape": None}
    return {"name": found.get("name", ""), **told}


def _type(found: dict[str, Any], offset: int) -> dict[str, Json]:
    for kind, words in (("tensor_type", "{}"), ("sparse_tensor_type", "sparse {}")):
        if kind in found:
            return {"type": words.format(found[kind]["type"]), "shape": found[kind]["shape"]}
    for kind, words in (("sequence_type", "sequence of {}"), ("optional_type", "optional {}"), ("map_type", "{}")):
        if kind in found:
            return {"type": words.format(found[kind]), "shape": None}
    return {"type": "opaque" if "opaque_type" in found else "unknown", "shape": None}


def _tensor_type(found: dict[str, Any]) -> dict[str, Json]:
    dtype, _bits = DTYPES.get(found.get("elem_type", 0) & 0xFFFFFFFF, ("unknown", 0))
    return {"type": dtype, "shape": found.get("shape")}


def _map_type(found: dict[str, Any], offset: int) -> str:
    key, _bits = DTYPES.get(found.get("key_type", 0) & 0xFFFFFFFF, ("unknown", 0))
    return f"map of {key} to {found.get('value_type', {'type': 'unknown'})['type']}"
