"""Static inspection of a TensorFlow Lite model: what it is made of, what goes in and out, and what is remarkable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from backends.core.counted import counted
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, Json, Signature, TensorSpec
from backends.core.source import Source
from backends.core.table_signature import signature_of
from backends.core.tensorflow_operators import operator_findings
from backends.core.zip_inside import inspect_members
from backends.core.zip_rules import check_contents, check_members, open_zip
from backends.formats.tflite.flatbuffer import FlatBuffer
from backends.formats.tflite.graph import CUSTOM, DTYPES, Model, Subgraph, Tensor, read_model
from backends.formats.tflite.structure import faults

_LISTED = 10_000
_TOLD = 100
_FLEX = "Flex"
_STATEFUL = ("VAR_HANDLE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF", "HASHTABLE")
_PADDING = 15
_RUNTIME = "min_runtime_version"


def inspect(source: Source) -> Inspection:
    """Subgraphs, operators, tensors and their quantisation. Raises Damaged, OSError."""
    buffer = FlatBuffer(source)
    model = read_model(buffer)
    found = [*structure_findings(model), *_operator_findings(model)]
    behind = _behind(source, buffer)
    main = model.subgraphs[0]
    constants = [one for graph in model.subgraphs for one in graph.tensors if model.is_constant(one)]
    weights = sum(_elements(model, one) for one in constants)
    operators = sum(len(graph.operators) for graph in model.subgraphs)
    findings = (*found, *behind.findings)
    return Inspection(
        "tflite",
        names=behind.names,
        signature=signature_of_model(model),
        arrays=tuple(_array(model, one) for one in constants[:_LISTED]),
        n_weights=weights,
        complete=not findings and source.size % 4 == 0,
        findings=findings,
        details={**_versions(model, buffer), **_details(model, main, behind.details)},
        summary=f"TFLite · {operators} operator{'s' if operators != 1 else ''} · {counted(weights)}",
    )


def structure_findings(model: Model) -> list[Finding]:
    """The first places where the runtime would be led out of its memory."""
    found = []
    for words in faults(model):
        found.append(finding("tflite-structure", words, 0))
        if len(found) >= _TOLD:
            break
    return found


def signature_of_model(model: Model) -> Signature:
    """The tensors of the first subgraph, by the names that its signature gives them."""
    main = model.subgraphs[0]
    named: dict[int, str] = {}
    for entry in model.entries:
        if entry.subgraph == 0:
            named = {index: name for name, index in (*entry.inputs, *entry.outputs)}
            break
    takes = tuple(_spec(main, index, named) for index in main.inputs if 0 <= index < len(main.tensors))
    gives = tuple(_spec(main, index, named) for index in main.outputs if 0 <= index < len(main.tensors))
    known = signature_of([{"name": one.name, "shape": list(one.shape or ())} for one in takes])
    return Signature(known.n_features, known.feature_names, takes=takes, gives=gives)


def variables(model: Model) -> list[str]:
    """The things that a model keeps between calls: variables by name, and operators that have a state."""
    named = [one.name for graph in model.subgraphs for one in graph.tensors if one.variable]
    used = {model.codes[one.code].name for graph in model.subgraphs for one in graph.operators if _has(model, one.code)}
    return [*named, *(name for name in _STATEFUL if name in used)]


def _has(model: Model, code: int) -> bool:
    return code < len(model.codes)


def _spec(graph: Subgraph, index: int, named: dict[int, str]) -> TensorSpec:
    tensor = graph.tensors[index]
    told = tensor.told if len(tensor.told) == len(tensor.shape) else tensor.shape
    shape = tuple(None if side < 0 else side for side in told)
    return TensorSpec(named.get(index) or tensor.name, DTYPES.get(tensor.kind, ("", 0))[0], shape)


def _array(model: Model, tensor: Tensor) -> ArrayInfo:
    dtype = DTYPES.get(tensor.kind, ("unknown", 0))[0]
    return ArrayInfo(tensor.name, tensor.shape, dtype, model.buffers[tensor.buffer].size)


def _elements(model: Model, tensor: Tensor) -> int:
    """The numbers in a constant, by the bytes that are there; texts are none."""
    bits = DTYPES.get(tensor.kind, ("", 0))[1]
    return model.buffers[tensor.buffer].size * 8 // bits if bits else 0


def _versions(model: Model, buffer: FlatBuffer) -> dict[str, Json]:
    """The schema's, and the runtime that the writer asks for."""
    found: dict[str, Json] = {"schema": model.version}
    for name, number in model.metadata:
        held = model.buffers[number] if name == _RUNTIME and number < len(model.buffers) else None
        if held is not None and 0 < held.size <= 32:
            text = buffer.take(held.start, held.size).rstrip(b"\0 ").decode("ascii", "replace")
            found["runtime"] = f"{text} or newer"
    return found


def _operator_findings(model: Model) -> list[Finding]:
    """Operators that native code from elsewhere answers, or that TensorFlow itself would."""
    found: list[Finding] = []
    for name in dict.fromkeys(code.custom for code in model.codes if code.builtin == CUSTOM):
        if name.startswith(_FLEX):
            found += operator_findings({name[len(_FLEX) :]: 1})
        if len(found) < _TOLD:
            detail = f"the operator {name or 'without a name'} is none of the runtime's: native code answers it"
            found.append(finding("tflite-custom-operator", detail, 0))
    if model.external:
        found.append(finding("tflite-external-data", "weights lie in other files beside the model", 0))
    return found


def _details(model: Model, main: Subgraph, behind: dict[str, Json]) -> dict[str, Json]:
    counts = Counter(
        model.codes[one.code].name for graph in model.subgraphs for one in graph.operators if _has(model, one.code)
    )
    told: dict[str, Json] = {
        "description": model.description[:1000],
        "operators": dict(counts.most_common(_TOLD)),
        "subgraphs": [graph.name or f"subgraph {number}" for number, graph in enumerate(model.subgraphs[:_TOLD])],
        "buffers": f"{len(model.buffers)}, {sum(one.size for one in model.buffers):,} bytes",
        "quantisation": dict(_quantisation(main)),
        "signatures": [entry.key[:200] for entry in model.entries[:_TOLD]],
        "keeps between calls": [name[:200] for name in variables(model)[:_TOLD]],
        "metadata": [name[:200] for name, _number in model.metadata[:_TOLD]],
        **behind,
    }
    return {key: value for key, value in told.items() if value not in ("", [], {})}


def _quantisation(main: Subgraph) -> Iterator[tuple[str, Json]]:
    """How numbers that go in and come out stand for others."""
    for index in (*main.inputs, *main.outputs):
        tensor = main.tensors[index] if 0 <= index < len(main.tensors) else None
        if tensor is not None and len(tensor.quantization.scales) == 1:
            zero = tensor.quantization.zero_points[0] if tensor.quantization.zero_points else 0
            yield tensor.name[:100], f"(value - {zero}) x {tensor.quantization.scales[0]:.6g}"


class _Behind(NamedTuple):
    """The bytes behind the tables: padding, or an archive of files that belong to the model."""

    names: tuple[GlobalRef, ...] = ()
    findings: tuple[Finding, ...] = ()
    details: dict[str, Json] = {}


def _behind(source: Source, buffer: FlatBuffer) -> _Behind:
    rest = source.size - buffer.end
    if rest <= _PADDING and not source.read(buffer.end, rest).strip(b"\0"):
        return _Behind()
    try:
        archive = open_zip(source)
    except Damaged:
        return _Behind(findings=(finding("trailing-bytes", f"{rest:,} bytes follow the model", buffer.end),))
    with archive:
        infos = archive.infolist()
        inside = inspect_members(source, archive, infos)
        rules = [one for one in check_members(source, archive) if one.code != "prefix-data"]
        first = min((info.header_offset for info in infos), default=source.size)
        if not buffer.end <= first <= buffer.end + _PADDING:
            rules.append(finding("trailing-bytes", f"{first - buffer.end:,} bytes follow the model", buffer.end))
        listed: list[Json] = [info.filename[:200] for info in infos[:_TOLD]]
        return _Behind(inside.names, (*rules, *check_contents(archive), *inside.findings), {"associated files": listed})
