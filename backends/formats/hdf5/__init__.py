"""HDF5 files: the project's own layout of a fitted estimator, plain lists of weights, and whatever else they hold."""

from __future__ import annotations

from functools import partial

from backends.core.footprint import MB, Footprint
from backends.core.format import Format
from backends.core.inspection import Inspection

_MAGIC = b"\x89HDF\r\n\x1a\n"


def _starts(head: bytes) -> bool:
    """Whether a superblock stands where one may: at the start, or behind a user block."""
    return _MAGIC in (head[:8], head[512:520], head[1024:1032], head[2048:2056])


def _footprint(found: Inspection, size: int) -> Footprint:
    """The memory of fitted estimators, and of what the library keeps of each group and array that it has read."""
    from backends.estimators.footprint import of_estimators

    compressed = sum(one.bytes for one in found.arrays) > size
    arrays = 1.4 if compressed else 1.05
    return of_estimators(found, size, fresh=3 * MB, forked=4 * MB, arrays=arrays, each=47_000, rest=2.0)


hdf5_format = partial(
    Format,
    suffix=".h5",
    suffixes=(".h5", ".hdf5", ".he5", ".keras"),
    starts=_starts,
    compressed=True,
    content="hdf5",
)
"""Descriptor of a format whose files are HDF5."""

FORMATS = (
    hdf5_format(
        name="hdf5",
        implementation="backends.formats.hdf5.own",
        title="an HDF5 file",
        promises=(".h5", ".hdf5", ".he5", ".hd5"),
        magic=(_MAGIC,),
        order=10,
        convertible=True,
        portability="this console; the numbers by any HDF5 reader",
        adapter="backends.estimators.estimator:Estimator",
        footprint=_footprint,
        imports=("backends.formats.hdf5.own", "h5py"),
    ),
    hdf5_format(
        name="hdf5-weights",
        implementation="backends.formats.hdf5.weights",
        title="a list of weights in HDF5",
        order=13,
        adapter="backends.estimators.estimator:Estimator",
        footprint=_footprint,
    ),
    hdf5_format(
        name="hdf5-data",
        implementation="backends.formats.hdf5.data",
        title="arrays in HDF5",
        order=14,
        not_loadable="this HDF5 file holds arrays but no model: name it as data (--data) instead",
    ),
)
