"""A plain list of weights in HDF5, as textbooks write it: datasets `weight_0`, `weight_1`, … (or `0`, `1`, …) in the
group `model/weights`, and the dotted `class` that rebuilds the model in an attribute of `/model` or of the root.

`parameters` (JSON) beside `class` are the constructor's arguments. Which weight is which fitted attribute follows from
the class alone (`rebuild`); a classifier's labels are `classes`, a dataset or attribute beside the weights, else
0, 1, 2 and so on.
"""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any, NamedTuple, Optional

import h5py
import numpy as np

from backends.core.errors import Damaged, NotLoadable
from backends.core.format import LoadedModel
from backends.core.inspection import ArrayInfo, GlobalRef, Inspection, Json, ModelEntry, Signature
from backends.core.places import resolve
from backends.core.source import Source
from backends.formats.hdf5.arrays import array_dtype, read_numbers, write_array
from backends.formats.hdf5.frame import surrounded
from backends.formats.hdf5.rebuild import is_known, parameters_of, rebuild, weights_of
from backends.formats.hdf5.tree import Tree, damage_as_errors, holds, open_tree, text_of
from backends.formats.hdf5.write import create, write_versions

_NUMBERED = re.compile(r"(?:weights?|w|param|arr|layer)?_?(\d+)")
_CLASS_KEYS = ("class", "model_class", "class_name")
_MAX_TEXT = 1 << 20
_MAX_WEIGHTS = 10_000
_MAX_LABELS = 100_000


def sniff(head: bytes, source: Source) -> bool:
    """Whether there is a group `model/weights` that holds numbered arrays."""
    return holds(source, lambda tree: _is_weights(_inside(tree.file, "model", "weights")))


def inspect(source: Source) -> Inspection:
    """The class, its parameters and the arrays' shapes. Raises Damaged, OSError."""
    with open_tree(source) as tree, damage_as_errors():
        stored = _read(tree, source)
        list(tree.walk(tree.file))
        tree.search()
        dotted = stored.class_name
        known = dotted is not None and is_known(dotted)
        if dotted is not None and not known:
            tree.report("hdf5-unlisted-name", f"/model is of the class {dotted}, which is not rebuilt from weights")
        arrays = tuple(tree.array_info(each, each.name) for each in stored.weights)
        module, _, name = (dotted or "").rpartition(".")
        named = [GlobalRef(module, name, tree.address(stored.weights[0].parent), True)] if dotted else []
        inspection = Inspection(
            format="hdf5-weights",
            model_class=dotted,
            names=(*named, *tree.names),
            library_versions=stored.versions,
            parameters=stored.parameters,
            signature=_signature(dotted, arrays, stored.classes),
            models=(ModelEntry("", dotted, stored.parameters, stored.versions.get("scikit-learn")),) if dotted else (),
            arrays=arrays,
            n_weights=sum(math.prod(info.shape) for info in arrays),
            complete=tree.complete,
            loadable=known and all(each.code == "hdf5-link" for each in tree.findings),
            findings=tuple(tree.findings),
        )
    return surrounded(source, inspection)


def load(source: Source, at: str = "") -> LoadedModel:
    """Rebuild the model from its class and weights. Raises Damaged, NotLoadable, and what its class raises."""
    started = time.perf_counter()
    with open_tree(source) as tree, damage_as_errors():
        stored = _read(tree, source)
        if tree.findings:
            raise Damaged(f"not loaded, because {tree.findings[0].detail}")
        weights = [_array(each, source) for each in stored.weights]
    if stored.class_name is None:
        raise NotLoadable(
            "the weights do not say which class they belong to: add an attribute 'class' to the group /model, "
            "for example sklearn.linear_model.LogisticRegression"
        )
    model = rebuild(stored.class_name, stored.parameters, weights, stored.classes)
    return LoadedModel(resolve(model, at), "hdf5-weights", at, {"build": time.perf_counter() - started})


def save(model: Any, fd: int, **options: Any) -> None:
    """Write the weights of one of the classes that `rebuild` knows. Raises NotLoadable, OSError."""
    dotted, weights = weights_of(model)
    parameters = json.dumps(parameters_of(model))
    labels = getattr(model, "classes_", None)
    with create(fd) as file:
        group = file.create_group("model/weights")
        for position, weight in enumerate(weights):
            write_array(group, f"weight_{position}", weight, options.get("compression"))
        file["model"].attrs["class"], file["model"].attrs["parameters"] = dotted, parameters
        if labels is not None:
            write_array(file["model"], "classes", np.asarray(labels), None)
        write_versions(file)


def _array(dataset: Any, source: Source) -> Any:
    array = np.asarray(read_numbers(dataset, source))
    return np.asfortranarray(array) if text_of(dataset.attrs.get("@order")) == "F" else array


class _Stored(NamedTuple):
    """Content of a file: the weights' datasets in order, and what stands beside them."""

    weights: list[Any]
    class_name: Optional[str]
    parameters: dict[str, Json]
    classes: Any
    versions: dict[str, str]


def _inside(group: Any, *path: str) -> Any:
    """The group or dataset at a path of hard links, or None."""
    for name in path:
        if not isinstance(group, h5py.Group) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return None
        group = group[name]
    return group


def _is_weights(group: Any) -> bool:
    return isinstance(group, h5py.Group) and any(_NUMBERED.fullmatch(name) for name in group)


def _read(tree: Tree, source: Source) -> _Stored:
    group, model = _inside(tree.file, "model", "weights"), _inside(tree.file, "model")
    if not _is_weights(group):
        raise Damaged("the group /model/weights holds no numbered arrays")
    numbered = sorted((int(match.group(1)), name) for name in group if (match := _NUMBERED.fullmatch(name)))
    weights = [_inside(group, name) for _, name in numbered[:_MAX_WEIGHTS]]
    if not all(isinstance(each, h5py.Dataset) for each in weights):
        raise Damaged("a weight in /model/weights is a link or a group instead of an array")
    for weight in weights:
        tree.check_dataset(weight)
    texts = [(holder, key) for holder in (model, group, tree.file) for key in _CLASS_KEYS if key in holder.attrs]
    named = text_of(tree.attribute(*texts[0])) if texts else None
    return _Stored(weights, named, _parameters(tree, model), _classes(tree, source, model, group), tree.versions())


def _parameters(tree: Tree, model: Any) -> dict[str, Json]:
    for holder in (model, tree.file):
        text = text_of(tree.attribute(holder, "parameters")) if "parameters" in holder.attrs else None
        if text is not None:
            try:
                found = json.loads(text[:_MAX_TEXT])
            except (ValueError, RecursionError) as error:
                raise Damaged(f"the attribute parameters is not valid JSON: {error}") from error
            if not isinstance(found, dict):
                raise Damaged("the attribute parameters is no mapping")
            return found
    return {}


def _classes(tree: Tree, source: Source, model: Any, group: Any) -> Any:
    """The labels beside the weights as an array, or None."""
    for holder in (model, group, tree.file):
        for name in ("classes", "classes_"):
            dataset = _inside(holder, name)
            small = isinstance(dataset, h5py.Dataset) and dataset.ndim == 1 and dataset.size <= _MAX_LABELS
            if small and tree.check_dataset(dataset):
                texts = tree.texts(dataset)
                if texts is None:
                    return np.asarray(read_numbers(dataset, source))
                dtype = array_dtype(dataset, text_of(tree.attribute(dataset, "@dtype")))
                return np.array(texts, dtype if dtype.kind == "U" else object)
            value = tree.attribute(holder, name) if name in holder.attrs else None
            if isinstance(value, np.ndarray) and value.ndim == 1 and value.size <= _MAX_LABELS:
                return value
    return None


def _signature(dotted: Optional[str], arrays: tuple[ArrayInfo, ...], classes: Any) -> Signature:
    first = arrays[0].shape if arrays else ()
    width = None
    if dotted is not None and is_known(dotted) and first:
        width = first[0] if ".MLP" in f".{dotted}" else first[-1]
    labels = (
        tuple(each if isinstance(each, (bool, int, float, str)) else str(each) for each in classes.tolist())
        if classes is not None
        else None
    )
    return Signature(n_features=width, classes=labels)
