"""The head of a Core ML model: version of the specification, description, kind; the model itself is stepped over.

Messages: coremltools, mlmodel/format/Model.proto and FeatureTypes.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Optional

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding, Inspection, Json, Signature, TensorSpec
from backends.core.packed import beside
from backends.core.source import MemorySource, Source

_KINDS = {
    200: "PipelineClassifier", 201: "PipelineRegressor", 202: "Pipeline", 300: "GLMRegressor",
    301: "SupportVectorRegressor", 302: "TreeEnsembleRegressor", 303: "NeuralNetworkRegressor",
    304: "BayesianProbitRegressor", 400: "GLMClassifier", 401: "SupportVectorClassifier",
    402: "TreeEnsembleClassifier", 403: "NeuralNetworkClassifier", 404: "KNearestNeighborsClassifier",
    500: "NeuralNetwork", 501: "ItemSimilarityRecommender", 502: "MLProgram", 555: "CustomModel", 556: "LinkedModel",
    600: "OneHotEncoder", 601: "Imputer", 602: "FeatureVectorizer", 603: "DictVectorizer", 604: "Scaler",
    606: "CategoricalMapping", 607: "Normalizer", 609: "ArrayFeatureExtractor", 610: "NonMaximumSuppression",
    900: "Identity", 2000: "TextClassifier", 2001: "WordTagger", 2002: "VisionFeaturePrint",
    2003: "SoundAnalysisPreprocessing", 2004: "Gazetteer", 2005: "WordEmbedding", 2006: "AudioFeaturePrint",
    3000: "SerializedModel",
}  # fmt: skip
_TYPES = {1: "int64", 2: "float64", 3: "str", 4: "image", 6: "dictionary", 7: "sequence"}
_NUMBERS = {65552: "float16", 65568: "float32", 65600: "float64", 131104: "int32"}
_CODE = ("CustomModel", "LinkedModel")
_MAX_DESCRIPTION = 4 << 20
_MAX_FIELDS = 20_000
_TOLD = 100
_METADATA = {1: "description", 2: "model version", 3: "author", 4: "license"}

_Field = tuple[int, int, int, int]
"""Number of a field, its value where that is a number, and where its bytes start and end where it has some."""


def inspect(source: Source) -> Inspection:
    """Version, kind, inputs, outputs and what its author wrote. Raises Damaged, OSError."""
    kinds: list[str] = []
    version, description = 0, b""
    for number, value, start, end in _fields(source):
        if number == 1:
            version = value
        elif number == 2:
            if end - start > _MAX_DESCRIPTION:
                raise Damaged(f"a description of {end - start:,} bytes, which no model has", offset=start)
            description = source.read(start, end - start)
        elif number in _KINDS:
            kinds.append(_KINDS[number])
    if not kinds or not version:
        raise Damaged("a Core ML model without a model in it", offset=source.size)
    return _inspection(version, kinds[-1], MemorySource(description), len(kinds) > 1)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The facts of a package. Raises Damaged, OSError."""
    name = next(name for name in members if name.endswith(".mlmodel"))
    found = inspect(members[name])
    names, findings = beside(members, {name})
    details: dict[str, Json] = {**found.details, "files": len(members)}
    return Inspection(
        "coreml",
        model_class=found.model_class,
        names=tuple(names),
        signature=found.signature,
        complete=found.complete,
        loadable=False,
        findings=(*found.findings, *findings),
        details=details,
    )


def _inspection(version: int, kind: str, description: Source, several: bool) -> Inspection:
    takes: list[TensorSpec] = []
    gives: list[TensorSpec] = []
    details: dict[str, Json] = {"specification": version}
    for number, _value, start, end in _fields(description):
        if number in (1, 10):
            (takes if number == 1 else gives).append(_feature(_part(description, start, end)))
        elif number == 11:
            details["predicts"] = _text(description, start, end)
        elif number == 100:
            inner = _part(description, start, end)
            told = {
                _METADATA[at]: _text(inner, first, last) for at, _, first, last in _fields(inner) if at in _METADATA
            }
            details.update({key: value for key, value in told.items() if value})
    details["inputs"] = [_words(one) for one in takes[:_TOLD]]
    details["outputs"] = [_words(one) for one in gives[:_TOLD]]
    findings: list[Finding] = []
    if kind in _CODE:
        findings.append(finding("served-code", f"a {kind}: code of an application answers for it", 0))
    if several:
        findings.append(finding("polyglot", "several models in one file, of which readers take one or another", 0))
    return Inspection(
        "coreml",
        model_class=f"coreml.{kind}",
        signature=Signature(takes=tuple(takes), gives=tuple(gives)),
        complete=True,
        loadable=False,
        findings=tuple(findings),
        details=details,
    )


def _feature(source: Source) -> TensorSpec:
    name, dtype = "", ""
    shape: Optional[tuple[Optional[int], ...]] = ()
    for number, _value, start, end in _fields(source):
        if number == 1:
            name = _text(source, start, end)
        elif number == 3:
            inner = _part(source, start, end)
            for kind, _, first, last in _fields(inner):
                dtype = _TYPES.get(kind, dtype)
                if kind == 5:
                    dtype, shape = _array(_part(inner, first, last))
                elif kind in (4, 6, 7):
                    shape = None
    return TensorSpec(name, dtype, shape)


def _array(source: Source) -> tuple[str, tuple[Optional[int], ...]]:
    dtype, sides = "", list[Optional[int]]()
    for number, value, start, end in _fields(source):
        if number == 2:
            dtype = _NUMBERS.get(value, "")
        elif number == 1 and end == start:
            sides.append(value)
        elif number == 1:
            at = start
            while at < end and len(sides) < 64:
                side, at = _varint(source, at, end)
                sides.append(side)
    return dtype, tuple(sides)


def _words(spec: TensorSpec) -> str:
    sides = f" {list(spec.shape)}" if spec.shape else ""
    return f"{spec.name}: {spec.dtype or 'unknown'}{sides}"


def _part(source: Source, start: int, end: int) -> Source:
    return MemorySource(source.read(start, end - start))


def _text(source: Source, start: int, end: int) -> str:
    return source.read(start, min(end - start, 800)).decode("utf-8", "replace")[:200]


def _fields(source: Source) -> Iterator[_Field]:
    """The fields of a message that is all of a source, none read before it was held against the end. Raises Damaged."""
    at, count = 0, 0
    while at < source.size:
        count += 1
        tag, at = _varint(source, at, source.size)
        number, wire = tag >> 3, tag & 7
        value, start = 0, at
        if wire == 0:
            value, at = _varint(source, at, source.size)
            start = at
        elif wire == 2:
            length, start = _varint(source, at, source.size)
            at = start + length
        else:
            at += {1: 8, 5: 4}.get(wire, source.size + 1)
        if at > source.size or not number or count > _MAX_FIELDS:
            raise Damaged("a field reaches beyond the end, or is none of the format", offset=start)
        yield number, value, start, at if wire == 2 else start


def _varint(source: Source, at: int, end: int) -> tuple[int, int]:
    value = 0
    for number, byte in enumerate(source.read(at, min(10, end - at))):
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at + number + 1
    raise Damaged("a number is cut off or longer than 64 bits", offset=at)
