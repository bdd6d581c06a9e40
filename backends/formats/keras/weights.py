"""The weights in Keras files, by layer: legacy groups with `layer_names`, and the `layers/<name>/vars` of Keras 3."""

from __future__ import annotations

import math
import re
from typing import Any

import h5py

from backends.core.inspection import ArrayInfo, Json
from backends.formats.hdf5.tree import Tree, text_of

_MAX_CHUNKS = 10_000
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
_NOT_LAYERS = ("optimizer", "optimizer_weights", "vars", "seed_generators", "_loss_tracker", "_metrics")


def has_weights(tree: Tree) -> bool:
    """Whether the root group lists layer names, or has the groups of a Keras 3 weights file."""
    names = tree.file.attrs
    if "layer_names" in names or "layer_names0" in names:
        return True
    holder = next((name for name in _CONTAINERS if isinstance(tree.file.get(name, getlink=True), h5py.HardLink)), None)
    group = tree.file[holder] if holder is not None else None
    if not isinstance(group, h5py.Group):
        return False
    for name in group:
        inner = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
        return isinstance(inner, h5py.Group)
    return False


def read_weights(tree: Tree, root: str) -> tuple[list[ArrayInfo], dict[str, list[ArrayInfo]]]:
    """All arrays of the file, and those of the model by layer; `root` is the group of the model's weights."""
    arrays: list[ArrayInfo] = []
    by_layer: dict[str, list[ArrayInfo]] = {name: [] for name in _layer_names(tree, root)}
    inside = f"/{root}/" if root else "/"
    for path, obj in tree.walk(tree.file):
        if isinstance(obj, h5py.Dataset):
            info = tree.array_info(obj, path)
            arrays.append(info)
            layer = layer_of(path[len(inside) :]) if path.startswith(inside) else ""
            if layer:
                by_layer.setdefault(layer, []).append(info)
    return arrays, by_layer


def _layer_names(tree: Tree, root: str) -> list[str]:
    """The attribute `layer_names` of the weights group, re-joined where it was split over numbered attributes."""
    group = tree.file
    if root:
        group = tree.file[root] if isinstance(tree.file.get(root, getlink=True), h5py.HardLink) else None
    if group is None:
        return []
    parts = ["layer_names"]
    if "layer_names" not in group.attrs:
        parts = []
        while f"layer_names{len(parts)}" in group.attrs and len(parts) < _MAX_CHUNKS:
            parts.append(f"layer_names{len(parts)}")
    found: list[str] = []
    for part in parts:
        values: Any = tree.attribute(group, part)
        found.extend(text_of(value) or "" for value in (values if hasattr(values, "shape") and values.shape else ()))
    return found


def layer_of(path: str) -> str:
    """The layer that a dataset's path belongs to, in any of the layouts; empty for an optimizer's and the like."""
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and parts[0] in _CONTAINERS:
        return parts[1]
    return parts[0] if parts and parts[0] not in _NOT_LAYERS else ""


def weights_row(name: str, arrays: list[ArrayInfo]) -> dict[str, Json]:
    """One layer: its name, the shapes of its weights and how many numbers they are."""
    return {
        "name": name,
        "weights": [list(info.shape) for info in arrays[:64]],
        "parameters": sum(math.prod(info.shape) for info in arrays),
    }


def snake_case(name: str) -> str:
    """A class name as Keras 3 spells it in weights files: `Conv2DTranspose` becomes `conv2d_transpose`."""
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
