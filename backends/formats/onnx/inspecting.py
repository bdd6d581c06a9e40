"""Static inspection of an ONNX model: what it is made of, what goes in and out, and what is remarkable about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Optional

from backends.core.counted import counted
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding, Inspection, Json, Signature, TensorSpec
from backends.core.source import Source
from backends.core.table_signature import NAMES, signature_of
from backends.formats.onnx.facts import Facts, Graph, Operator, operator_words, plain_domain

_LARGEST = 1 << 31
_LISTED = 200
_ARRAYS = 10_000
_MOST_NODES = 10_000_000
_SPECS = 1000
_DEPTH = 100
"""Functions inside functions that are followed."""
_STANDARD = frozenset(
    ("", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft")
)
"""Domains whose operators are part of ONNX Runtime."""
_NUMPY = {
    "string": "str",
    **{name: name for name in ("bool", "float16", "float32", "float64", "complex64", "complex128")},
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""numpy's names of the element types that it has."""
_HOSTS = frozenset(("PythonOp", "PythonOpGrad", "ATen", "EPContext", "ExternalOp", "TritonOp"))
"""Operators of com.microsoft that hand on to code outside of ONNX Runtime."""


def inspect(source: Source) -> Inspection:
    """The facts of one file, walked to its last byte. Raises Damaged, OSError."""
    if source.size >= _LARGEST:
        raise Damaged("larger than 2 GiB, which no reader opens: its weights belong in a file beside it")
    facts = Facts(source)
    facts.walk()
    graph = _graph_of(facts)
    calls = graph.calls + sum(facts.functions.values(), Counter())
    remarkable = [
        *facts.findings,
        *_unknown(facts),
        *_external(facts),
        *_custom(calls, facts),
        *_unfolding(graph, facts),
    ]
    data = [tensor for tensor in facts.tensors if tensor.info.name or tensor.elements]
    return Inspection(
        "onnx",
        model_class=_class_of(calls),
        signature=_signature(facts, graph),
        arrays=tuple(tensor.info for tensor in data[:_ARRAYS]),
        n_weights=sum(tensor.elements for tensor in data),
        complete=not facts.findings and not facts.walker.unknown,
        loadable=not facts.externals,
        findings=tuple(remarkable),
        details=_details(facts, graph, calls),
        summary=_summary(calls, sum(tensor.elements for tensor in data)),
    )


def _graph_of(facts: Facts) -> Graph:
    """The main graph. Raises Damaged for a file that ends before it is a model."""
    graph = facts.model.get("graph")
    if not isinstance(graph, Graph):
        raise Damaged("cut off: the graph of the model is missing", offset=facts.source.size)
    opsets = {plain_domain(entry) for entry in facts.model.get("opset_import", ())}
    if facts.model.get("ir_version", 0) >= 3:
        missing = sorted({domain for domain, _name, _overload in graph.calls} - opsets)
        if missing or not opsets:
            domain = missing[0][:100] if missing and missing[0] else "ai.onnx"
            raise Damaged(f"cut off: the version of the operators of {domain!r} is missing", offset=facts.source.size)
    return graph


def _signature(facts: Facts, graph: Graph) -> Signature:
    """Values that go in and out: the tensors by name, and the columns where all of it is a table."""
    known = signature_of(_fed(graph), _classes(facts), _metadata(facts).get(NAMES))
    return replace(known, takes=_specs(_fed(graph)), gives=_specs(graph.outputs))


def _specs(values: Iterable[dict[str, Json]]) -> tuple[TensorSpec, ...]:
    """Values of a graph as tensors; one that is no tensor (a sequence, a map) is of an unknown dtype."""
    return tuple(
        TensorSpec(str(one["name"]), _NUMPY.get(str(one["type"]), ""), _sides(one["shape"]))
        for one in list(values)[:_SPECS]
    )


def _sides(shape: Json) -> Optional[tuple[Optional[int], ...]]:
    """The sides of a shape: a name, a formula and 0 stand for any length."""
    if not isinstance(shape, list):
        return None
    return tuple(side if isinstance(side, int) and 0 < side < 1 << 63 else None for side in shape)


def _fed(graph: Graph) -> list[dict[str, Json]]:
    """The inputs a caller gives: before IR version 4 every initialiser was listed among them."""
    return [value for value in graph.inputs if value["name"] not in graph.initialisers]


def _classes(facts: Facts) -> Optional[tuple[Json, ...]]:
    """The labels that all classifiers of the model agree on."""
    return facts.labels[0] if facts.labels and len(set(facts.labels)) == 1 else None


def _summary(calls: Counter[Operator], weights: int) -> str:
    """A graph in a few words; of a predictor its class says it."""
    if _class_of(calls) != "onnx.Graph":
        return ""
    number = sum(calls.values())
    return f"ONNX · {number} operator{'s' if number != 1 else ''} · {counted(weights)}"


def _class_of(calls: Counter[Operator]) -> str:
    """The one predictor of ai.onnx.ml that the graph is built around, else the graph itself."""
    ends = ("Classifier", "Regressor", "TreeEnsemble")
    predictors = {name for domain, name, _overload in calls if domain == "ai.onnx.ml" and name.endswith(ends)}
    return f"onnx.{predictors.pop()}" if len(predictors) == 1 else "onnx.Graph"


def _unknown(facts: Facts) -> list[Finding]:
    positions = facts.walker.unknown
    if not positions:
        return []
    more = f" and {len(positions) - 1} more" if len(positions) > 1 else ""
    return [finding("onnx-unknown-field", f"a field that ONNX does not define{more}", positions[0])]


def _external(facts: Facts) -> list[Finding]:
    """Weights outside the file, by the file they are said to lie in."""
    outside = sorted({one.location for one in facts.externals if one.leads_outside})
    beside = sorted({one.location for one in facts.externals} - set(outside))
    found = [finding("onnx-external-path", f"weights are read from {location!r}") for location in outside[:20]]
    return found + [
        finding("onnx-external-data", f"weights lie in the file {name!r} beside it") for name in beside[:20]
    ]


def _custom(calls: Counter[Operator], facts: Facts) -> list[Finding]:
    """Operators that neither ONNX Runtime nor the file itself defines."""
    own = set(facts.functions)
    names = sorted({operator_words(one) for one in calls if one not in own and _needs_code(one)})
    return [
        finding("onnx-custom-operator", f"{name} is run by native code outside of ONNX Runtime") for name in names[:20]
    ]


def _needs_code(operator: Operator) -> bool:
    domain, name, _overload = operator
    return domain not in _STANDARD or (domain == "com.microsoft" and name in _HOSTS)


def _unfolding(graph: Graph, facts: Facts) -> list[Finding]:
    """Functions that never end, or unfold to more nodes than any model has."""
    known: dict[Operator, int] = {}

    def size(called: Counter[Operator], depth: int) -> int:
        if depth > _DEPTH:
            raise RecursionError
        return sum(number * size_of(operator, depth) for operator, number in called.items())

    def size_of(operator: Operator, depth: int) -> int:
        if operator not in facts.functions:
            return 1
        if operator not in known:
            known[operator] = size(facts.functions[operator], depth + 1)
        return known[operator]

    try:
        total = size(graph.calls, 0)
    except RecursionError:
        problem = f"its functions call themselves, or one another more than {_DEPTH} levels deep"
        return [finding("exponential", problem)]
    return [finding("exponential", f"its functions unfold to {total:.3g} nodes")] if total > _MOST_NODES else []


def _metadata(facts: Facts) -> dict[str, str]:
    return {one.get("key", ""): one.get("value", "") for one in facts.model.get("metadata_props", ())}


def _details(facts: Facts, graph: Graph, calls: Counter[Operator]) -> dict[str, Json]:
    model = facts.model
    producer = f"{model.get('producer_name', '')} {model.get('producer_version', '')}".strip()
    operators = sorted(calls.items(), key=lambda pair: (-pair[1], pair[0]))[:_LISTED]
    opsets = {plain_domain(one) or "ai.onnx": one.get("version") for one in model.get("opset_import", ())}
    found: dict[str, Json] = {
        "ir_version": model.get("ir_version"),
        "opsets": dict(list(opsets.items())[:_LISTED]),
        "producer": producer or None,
        "domain": model.get("domain") or None,
        "model_version": model.get("model_version"),
        "description": model.get("doc_string") or None,
        "inputs": list(_fed(graph)[:_LISTED]),
        "outputs": list(graph.outputs[:_LISTED]),
        "nodes": sum(calls.values()),
        "operators": {_short(operator_words(operator)): number for operator, number in operators},
        "functions": _listed(operator_words(operator) for operator in facts.functions),
        "subgraphs": facts.graphs - 1,
        "training": bool(model.get("training_info")),
        "metadata": {_short(key): _short(value, 4000) for key, value in list(_metadata(facts).items())[:_LISTED]},
        "external_files": _listed(sorted({one.location for one in facts.externals})),
    }
    return {name: value for name, value in found.items() if value not in (None, [], {}, 0, False)}


def _listed(texts: Iterable[str]) -> list[Json]:
    found: list[Json] = [_short(text) for text in texts]
    return found[:_LISTED]


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else text[:most] + "…"
