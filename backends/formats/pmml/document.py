"""A PMML document, read once from start to end by expat: no entities, no document type, a bounded amount of it.

Elements: PMML 4.4, https://dmg.org/pmml/v4-4-1/GeneralStructure.html; older versions are alike in what is read here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Inspection, Json, Signature
from backends.core.source import Source

_MAX_BYTES = 64 << 20
"""Text that is read at most; of a longer document the end is not accounted for."""
_PIECE = 1 << 16
_MAX_DEPTH = 256
_MAX_FIELDS = 10_000
_TOLD = 100
_NO_MODELS = ("Header", "MiningBuildTask", "DataDictionary", "TransformationDictionary", "Extension")
_COUNTED = ("TreeModel", "RegressionModel", "Segment", "Node", "NeuralLayer", "SupportVector")
_OUTPUTS = ("target", "predicted")


class _Stop(Exception):
    """A document that declares a type or entities: nothing of it is read any further."""


@dataclass
class _Document:
    """Facts of a document, which grow as its elements begin; `path` are the elements that are open."""

    version: str = ""
    application: str = ""
    models: list[str] = field(default_factory=list)
    name: str = ""
    function: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    classes: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        tag = name.rpartition(":")[2]
        self.path.append(tag)
        if len(self.path) > _MAX_DEPTH:
            raise Damaged(f"elements are nested deeper than {_MAX_DEPTH}, which no model is")
        if tag in _COUNTED:
            self.counts[tag] = self.counts.get(tag, 0) + 1
        if len(self.path) == 1:
            self.version = attributes.get("version", "")[:40]
        elif len(self.path) == 2 and tag not in _NO_MODELS:
            self._model(tag, attributes)
        elif tag == "Application" and len(self.path) == 3:
            self.application = f"{attributes.get('name', '')} {attributes.get('version', '')}".strip()[:200]
        elif tag in ("DataField", "Value", "MiningField"):
            self._field(tag, attributes)

    def _model(self, tag: str, attributes: dict[str, str]) -> None:
        self.models.append(tag[:60])
        if len(self.models) == 1:
            self.name = attributes.get("modelName", "")[:200]
            self.function = attributes.get("functionName", "")[:60]

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        """A field of the data, a value it may have, or a use of it by the first model."""
        name = attributes.get("name", "")[:200]
        if tag == "DataField" and len(self.fields) < _MAX_FIELDS:
            self.fields[name] = attributes.get("dataType", "")[:40]
        elif tag == "Value" and self.path[-2:-1] == ["DataField"] and len(self.classes) < _MAX_FIELDS:
            self.classes.append((next(reversed(self.fields), ""), attributes.get("value", "")[:200]))
        elif tag == "MiningField" and len(self.path) == 4 and len(self.models) == 1 and len(self.inputs) < _MAX_FIELDS:
            wanted = attributes.get("usageType", "active")
            if wanted in (*_OUTPUTS, "active"):
                (self.targets if wanted in _OUTPUTS else self.inputs).append(name)

    def end(self, name: str) -> None:
        """The innermost element ends."""
        self.path.pop()


def inspect(source: Source) -> Inspection:
    """Version, kind of model, fields and who wrote it. Raises Damaged, OSError."""
    document = _Document()
    try:
        whole = _read(source, document)
    except _Stop as stop:
        code = finding("xml-entities", str(stop), 0)
        return Inspection("pmml", loadable=False, findings=(code,), details={"version": document.version})
    if not document.models:
        raise Damaged("a PMML document without a model in it", offset=source.size)
    return _inspection(document, whole)


def _read(source: Source, document: _Document) -> bool:
    """Let expat read the document; whether all of it was. Raises Damaged, _Stop, OSError."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.StartElementHandler = document.begin
    parser.EndElementHandler = document.end
    at = 0
    try:
        while at < min(source.size, _MAX_BYTES):
            piece = source.read(at, _PIECE)
            at += len(piece)
            parser.Parse(piece, at >= source.size)
    except expat.ExpatError as error:
        why = expat.ErrorString(error.code)
        raise Damaged(f"not valid XML at line {error.lineno}: {why}", offset=parser.ErrorByteIndex) from None
    except (LookupError, ValueError) as error:
        raise Damaged(f"not valid XML: {error}", offset=0) from None
    return at >= source.size


def _refuse(*_: object) -> NoReturn:
    raise _Stop("it declares a document type or entities, by which XML reads other files or grows without bound")


def _inspection(document: _Document, whole: bool) -> Inspection:
    classes = [value for name, value in document.classes if name in document.targets]
    told: list[Json] = [f"{name}: {kind or 'unknown'}" for name, kind in list(document.fields.items())[:_TOLD]]
    counts: dict[str, Json] = dict(document.counts)
    details: dict[str, Json] = {
        "version": document.version,
        "written by": document.application,
        "model": document.name,
        "function": document.function,
        "models": len(document.models),
        "fields": told,
        "target": ", ".join(document.targets[:5]),
        "elements": counts,
    }
    inputs = tuple(document.inputs)
    return Inspection(
        "pmml",
        model_class=f"pmml.{document.models[0]}",
        signature=Signature(
            n_features=len(inputs) or None,
            feature_names=inputs or None,
            classes=tuple(classes) or None,
            texts=tuple(name for name in inputs if document.fields.get(name) == "string"),
        ),
        complete=whole,
        loadable=False,
        details={key: value for key, value in details.items() if value not in ("", [], {})},
    )
