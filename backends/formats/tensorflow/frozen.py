"""Inspection of a frozen graph: a GraphDef whose variables have become constants."""

from __future__ import annotations

from backends.core.counted import counted
from backends.core.inspection import Inspection, Json, Signature, TensorSpec
from backends.core.protobuf import WireReader
from backends.core.source import Source
from backends.core.table_signature import signature_of
from backends.core.tensorflow_operators import operator_findings
from backends.formats.tensorflow.graphs import Graph, read_graph
from backends.formats.tensorflow.messages import BUDGET

_TOLD = 100


def inspect(source: Source) -> Inspection:
    """Operators, constants, placeholders and the nodes that nothing takes from. Raises Damaged, OSError."""
    graph = read_graph(WireReader(source, BUDGET), 0, source.size)
    findings = tuple(operator_findings(graph.operators))
    ends = [name for name in graph.names if name not in graph.used][:_TOLD]
    takes = tuple(graph.placeholders[:_TOLD])
    known = signature_of([{"name": one.name, "shape": list(one.shape) if one.shape else None} for one in takes])
    signature = Signature(
        known.n_features, known.feature_names, takes=takes, gives=tuple(TensorSpec(name) for name in ends)
    )
    return Inspection(
        "tf-graph",
        signature=signature,
        arrays=tuple(graph.constants),
        n_weights=graph.weights,
        complete=graph.ends_well,
        loadable=False,
        findings=findings,
        details=details_of(graph),
        summary=f"GraphDef · {sum(graph.operators.values())} operators · {counted(graph.weights)}",
    )


def details_of(graph: Graph) -> dict[str, Json]:
    """Operators with how often they are called, and how many functions there are."""
    found: dict[str, Json] = {"operators": dict(graph.operators.most_common(_TOLD))}
    if graph.functions:
        found["functions"] = graph.functions
    return found
