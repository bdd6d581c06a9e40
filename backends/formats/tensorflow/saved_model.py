"""Inspection of a SavedModel: its graphs, signatures and functions, and the variables beside it where it is whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import replace

from backends.core.counted import counted
from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, Json, Signature, TensorSpec
from backends.core.protobuf import WireReader
from backends.core.source import Source
from backends.core.table_signature import signature_of
from backends.core.tensorflow_operators import operator_findings
from backends.formats.keras.config import KerasModel, find_code
from backends.formats.tensorflow.checkpoint import Variable, read_index
from backends.formats.tensorflow.frozen import details_of
from backends.formats.tensorflow.graphs import MetaGraph, read_meta_graph
from backends.formats.tensorflow.messages import BUDGET, fields, text

_MODEL, _INDEX, _KERAS = "saved_model.pb", "variables/variables.index", "keras_metadata.pb"
_DEFAULT = "serving_default"
_TOLD = 100
_LISTED = 10_000
_MOST_TEXT = 1 << 20
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")


def inspect(source: Source) -> Inspection:
    """The facts that `saved_model.pb` alone tells. Raises Damaged, OSError."""
    return _inspection(_read(source), [])


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The same with the variables in the directory, and what Keras wrote beside. Raises Damaged, OSError."""
    metas = _read(members[_MODEL])
    texts = _keras_texts(members[_KERAS]) if _KERAS in members else []
    found = _inspection(metas, texts)
    if _INDEX not in members:
        count = sum(meta.graph.operators[name] for meta in metas for name in _VARIABLES)
        return replace(found, findings=(*found.findings, *_missing(count)), complete=found.complete and not count)
    try:
        shards, variables = read_index(members[_INDEX])
    except Damaged as error:
        raise Damaged(f"{_INDEX}: {error}", offset=error.offset) from None
    weights = sum(math.prod(one.info.shape) for one in variables if one.info.dtype != "str")
    lost = tuple(_lost(variables, shards, members))
    arrays: tuple[ArrayInfo, ...] = tuple(one.info for one in variables[:_LISTED])
    return replace(
        found,
        arrays=arrays,
        n_weights=weights,
        findings=(*found.findings, *lost),
        complete=found.complete and not lost,
        summary=f"{found.summary} · {counted(weights)}",
    )


def _read(source: Source) -> list[MetaGraph]:
    reader = WireReader(source, BUDGET)
    metas = [read_meta_graph(reader, one) for one in fields(reader, 0, source.size) if one.number == 2]
    if not metas:
        raise Damaged("a SavedModel without a graph")
    return metas


def _inspection(metas: list[MetaGraph], texts: list[str]) -> Inspection:
    main = metas[0]
    keras = _keras([*texts, *(one for meta in metas for one in meta.metadata)])
    findings: list[Finding] = [*keras.findings]
    for meta in metas:
        findings += operator_findings(meta.graph.operators)
        findings += [finding("unsafe-path", f"the asset {one[:200]!r} leads out", 0) for one in _leading_out(meta)]
    name = _DEFAULT if _DEFAULT in main.signatures else next(iter(main.signatures), "")
    takes, gives = main.signatures.get(name, ((), ()))
    known = signature_of([{"name": one.name, "shape": list(one.shape) if one.shape else None} for one in takes])
    operators = sum(main.graph.operators.values())
    names: tuple[GlobalRef, ...] = tuple(keras.names)
    return Inspection(
        "saved-model",
        names=names,
        library_versions={"tensorflow": main.version} if main.version else {},
        signature=Signature(known.n_features, known.feature_names, takes=takes, gives=gives),
        arrays=tuple(main.graph.constants),
        n_weights=None,
        complete=True,
        loadable=False,
        findings=tuple(findings),
        details=_details(main, metas),
        summary=f"SavedModel · {operators} operators",
    )


def _details(main: MetaGraph, metas: list[MetaGraph]) -> dict[str, Json]:
    told: dict[str, Json] = {
        "tags": [", ".join(meta.tags) for meta in metas[:_TOLD]],
        "signatures": {name: _words(*sides) for name, sides in list(main.signatures.items())[:_TOLD]},
        **details_of(main.graph),
        "assets": [name[:200] for name in main.assets[:_TOLD]],
    }
    return {key: value for key, value in told.items() if value not in ([], {})}


def _words(takes: tuple[TensorSpec, ...], gives: tuple[TensorSpec, ...]) -> str:
    return f"{', '.join(one.name for one in takes)} -> {', '.join(one.name for one in gives)}"


def _leading_out(meta: MetaGraph) -> list[str]:
    return [one for one in meta.assets if os.path.isabs(one) or ".." in one.split("/")]


def _keras_texts(source: Source) -> list[str]:
    """Texts that Keras kept of its objects: SavedMetadata of saved_metadata.proto. Raises Damaged."""
    reader = WireReader(source, BUDGET)
    found = []
    for node in fields(reader, 0, source.size):
        if node.number == 1:
            found += [text(reader, one) for one in fields(reader, node.start, node.end) if one.number == 5]
    return found


def _keras(texts: list[str]) -> KerasModel:
    """Code that Keras would bring in as it loads the model by what is kept of its objects."""
    model = KerasModel("keras")
    for one in texts:
        try:
            held = json.loads(one)
        except (ValueError, RecursionError):
            continue
        if isinstance(held, dict) and isinstance(held.get("class_name"), str):
            find_code(model, {"class_name": held["class_name"], "config": held.get("config"), "module": None})
    return model


def _missing(count: int) -> tuple[Finding, ...]:
    if not count:
        return ()
    return (finding("tensorflow-variables", f"the graph has {count:,} variables, and {_INDEX} is not there", 0),)


def _lost(variables: list[Variable], shards: int, members: Mapping[str, Source]) -> list[Finding]:
    """Files of data that are missing or too small for what the index says is in them."""
    found = []
    for number in range(min(shards, _TOLD)):
        name = f"variables/variables.data-{number:05d}-of-{shards:05d}"
        ends = max((one.offset + one.size for one in variables if one.shard == number), default=0)
        size = members[name].size if name in members else 0
        if size < ends:
            what = f"has {size:,} bytes" if name in members else "is not there"
            found.append(finding("tensorflow-variables", f"{name} {what}, and the index puts {ends:,} in it", 0))
    if any(one.shard >= shards for one in variables):
        found.append(finding("tensorflow-variables", "the index names a file of data that there is none of", 0))
    return found
