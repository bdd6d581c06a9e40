"""Keras files, read without Keras: legacy `.h5` models, weights (`.weights.h5`, older ones too) and `.keras` zips.

They are inspected in full; `running` loads models. Layouts as written by
`keras/src/legacy/saving/legacy_h5_format.py` and `keras/src/saving/saving_lib.py`: lists too long for one attribute are
split into `name0`, `name1`, …
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Optional

from backends.core.counted import counted
from backends.core.format import LoadedModel
from backends.core.inspection import ArrayInfo, Inspection, Json, Signature
from backends.core.source import Source
from backends.core.table_signature import signature_of
from backends.formats.hdf5.frame import surrounded
from backends.formats.hdf5.tree import Tree, damage_as_errors, holds, open_tree, text_of
from backends.formats.keras.config import KerasModel, find_code, read_config, read_training
from backends.formats.keras.graph import Graph, read_graph
from backends.formats.keras.json_text import parsed
from backends.formats.keras.weights import has_weights, layer_of, read_weights, snake_case, weights_row

_LISTED_LAYERS = 2000
_LISTED_ARRAYS = 10_000


class _KerasH5:
    """Whole models in HDF5: `model_config` at the root, weights below `model_weights`."""

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether the root group has a model configuration."""
        return holds(source, lambda tree: "model_config" in tree.file.attrs)

    def inspect(self, source: Source) -> Inspection:
        """Layers, shapes, training configuration and weights. Raises Damaged, OSError."""
        with open_tree(source) as tree, damage_as_errors():
            text = text_of(tree.attribute(tree.file, "model_config"))
            whole = parsed(text, "the attribute model_config")
            model, graph = read_config(whole), read_graph(whole)
            training = text_of(tree.attribute(tree.file, "training_config"))
            arrays, by_layer = read_weights(tree, "model_weights")
            details = _layer_details(model, by_layer, graph)
            if training is not None:
                trained = parsed(training, "the attribute training_config")
                find_code(model, trained)
                details["training"] = read_training(trained)
            found = _inspection("keras-h5", tree, model, arrays, details)
        return surrounded(source, _whole(found, model, graph, _count(by_layer)))

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """The model, built by Keras. Raises Damaged, NotLoadable, and what Keras raises."""
        from backends.formats.keras.running import load_h5

        return load_h5(source, self.inspect(source), at)


class _KerasWeights:
    """Weights without a model: Keras 3's `.weights.h5` and the older `save_weights`."""

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether the root group lists layer names, or has the groups of a Keras 3 weights file."""
        return holds(source, has_weights)

    def inspect(self, source: Source) -> Inspection:
        """The layers by name, with their arrays. Raises Damaged, OSError."""
        with open_tree(source) as tree, damage_as_errors():
            arrays, by_layer = read_weights(tree, "")
            rows: list[Json] = [weights_row(name, by_layer[name]) for name in list(by_layer)[:_LISTED_LAYERS]]
            found = _inspection("keras-weights", tree, None, arrays, {"layers": rows, "n_layers": len(by_layer)})
        return surrounded(source, replace(found, n_weights=_count(by_layer)))


def inspect_archive(config: str, metadata: str, weights: Inspection) -> Inspection:
    """The facts of a `.keras` zip: `metadata.json`, `config.json` and `model.weights.h5` or `.npz`. Raises Damaged."""
    whole = parsed(config, "config.json")
    model, graph = read_config(whole), read_graph(whole)
    told = parsed(metadata, "metadata.json")
    by_layer: dict[str, list[ArrayInfo]] = {}
    for info in weights.arrays:
        if layer_of(info.name):
            by_layer.setdefault(layer_of(info.name), []).append(info)
    details = _layer_details(model, by_layer, graph)
    if isinstance(whole, dict) and isinstance(whole.get("compile_config"), dict):
        details["training"] = read_training(whole["compile_config"])
    if isinstance(told, dict):
        details["saved"] = str(told.get("date_saved"))
    version = told.get("keras_version") if isinstance(told, dict) else None
    merged = _with_model(replace(weights, details=details), model, version if isinstance(version, str) else None)
    return _whole(merged, model, graph, _count(by_layer))


def _layer_details(model: KerasModel, by_layer: dict[str, list[ArrayInfo]], graph: Graph) -> dict[str, Json]:
    """A row for each layer: name, class, settings, shapes of its weights and their count."""
    rows: list[Json] = []
    used: dict[str, int] = {}
    for layer in model.layers[:_LISTED_LAYERS]:
        base = snake_case(layer.class_name)
        counted = base if base not in used else f"{base}_{used[base]}"
        used[base] = used.get(base, 0) + 1
        found = by_layer.get(layer.name) or by_layer.get(counted) or []
        row: dict[str, Json] = {**weights_row(layer.name, found), "class": layer.class_name, **layer.settings}
        if layer.inner:
            row["wraps"] = layer.inner
        if layer.input_shape:
            row["input_shape"] = layer.input_shape
        if shape := graph.shapes.get(layer.name):
            row["output_shape"] = list(shape)
        rows.append(row)
    return {"layers": rows, "n_layers": len(model.layers), "input_shapes": model.input_shapes, "model_name": model.name}


def _inspection(
    name: str, tree: Tree, model: Optional[KerasModel], arrays: list[ArrayInfo], details: dict[str, Json]
) -> Inspection:
    tree.search()
    version, engine = (text_of(tree.attribute(tree.file, key)) for key in ("keras_version", "backend"))
    if engine:
        details["backend"] = engine
    found = Inspection(
        format=name,
        names=tuple(tree.names),
        arrays=tuple(arrays[:_LISTED_ARRAYS]),
        complete=tree.complete,
        findings=tuple(tree.findings),
        details=details,
    )
    return _with_model(found, model, version)


def _with_model(inspection: Inspection, model: Optional[KerasModel], version: Optional[str]) -> Inspection:
    inspection = replace(inspection, library_versions={"keras": version} if version else {}, loadable=False)
    if model is None:
        return inspection
    return replace(
        inspection,
        model_class=model.class_name,
        names=(*model.names, *inspection.names),
        findings=inspection.findings + tuple(model.findings),
    )


def _whole(found: Inspection, model: KerasModel, graph: Graph, weights: int) -> Inspection:
    """The inspection of a model with its tensors, and what it is in a few words."""
    given = [{"name": one.name, "shape": list(one.shape) if one.shape else None} for one in graph.takes]
    known = signature_of(given)
    signature = Signature(known.n_features, known.feature_names, takes=graph.takes, gives=graph.gives)
    kind, layers = model.class_name.rpartition(".")[2], len(model.layers)
    summary = f"{kind} · {layers} layer{'s' if layers != 1 else ''} · {counted(weights)}"
    return replace(found, n_weights=weights, signature=signature, summary=summary, loadable=True)


def _count(by_layer: dict[str, list[ArrayInfo]]) -> int:
    return sum(math.prod(info.shape) for arrays in by_layer.values() for info in arrays)


KERAS_H5, KERAS_WEIGHTS = _KerasH5(), _KerasWeights()
