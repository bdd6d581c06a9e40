"""HDF5 files that hold no model: their arrays are listed, nothing more. Also whatever HDF5 nobody else claims."""

from __future__ import annotations

import math

import h5py

from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.hdf5.frame import surrounded
from backends.formats.hdf5.tree import damage_as_errors, open_tree

_LISTED_ARRAYS = 10_000


def inspect(source: Source) -> Inspection:
    """Every array's place, shape and dtype. Raises Damaged, OSError."""
    with open_tree(source) as tree, damage_as_errors():
        found = [(path, obj) for path, obj in tree.walk(tree.file) if isinstance(obj, h5py.Dataset)]
        arrays = [tree.array_info(dataset, path) for path, dataset in found]
        tree.search()
    inspection = Inspection(
        format="hdf5-data",
        names=tuple(tree.names),
        arrays=tuple(arrays[:_LISTED_ARRAYS]),
        n_weights=sum(math.prod(info.shape) for info in arrays),
        complete=tree.complete,
        loadable=False,
        findings=tuple(tree.findings),
        details={"arrays_left_out": len(arrays) - _LISTED_ARRAYS} if len(arrays) > _LISTED_ARRAYS else {},
    )
    return surrounded(source, inspection)
