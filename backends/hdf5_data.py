"""HDF5 files that hold no model: their arrays are listed, nothing more. Also whatever HDF5 nobody else claims."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import h5py

from backends.base import Backend, Inspection, LoadedModel, NotLoadable, Source
from backends.hdf5_tree import damage_as_errors, open_tree

__all__ = ["BACKENDS", "Hdf5Data"]

_LISTED_ARRAYS = 10_000


class Hdf5Data:
    """Backend of HDF5 files without a model."""

    name = "hdf5-data"
    suffix = ".h5"

    def sniff(self, head: bytes, source: Source) -> bool:
        """Any HDF5 file: the last to be asked, so that a broken one is told to be damaged."""
        return True

    def inspect(self, source: Source) -> Inspection:
        """Every array's place, shape and dtype. Raises Damaged, OSError."""
        with open_tree(source) as tree, damage_as_errors():
            found = [(path, obj) for path, obj in tree.walk(tree.file) if isinstance(obj, h5py.Dataset)]
            arrays = [tree.array_info(dataset, path) for path, dataset in found]
            tree.search()
        return Inspection(
            format=self.name,
            names=tuple(tree.names),
            arrays=tuple(arrays[:_LISTED_ARRAYS]),
            n_weights=sum(math.prod(info.shape) for info in arrays),
            complete=tree.complete,
            loadable=False,
            findings=tuple(tree.findings),
            details={"arrays_left_out": len(arrays) - _LISTED_ARRAYS} if len(arrays) > _LISTED_ARRAYS else {},
        )

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Refuse: there is no model inside."""
        self._refuse()

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Refuse: a model is saved as hdf5 or hdf5-weights."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NotLoadable("this HDF5 file holds arrays but no model: name it as data (--data) instead")


BACKENDS: tuple[Backend, ...] = (Hdf5Data(),)
