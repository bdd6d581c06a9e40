"""Pickles inside HDF5 files: PyTables and pandas keep Python objects so and load them; h5py users keep whole models so.

Nothing here loads them, but whoever reads the file with those libraries does: they are walked, however they are
spelled. PyTables: tables/attributeset.py (`__getattr__` unpickles byte strings), tables/atom.py (`ObjectAtom`, pseudo
atom "object").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from backends.formats.pickle.heads import STARTS, may_hold_pickle

_HEAD = 512
_LEAST = 3
_MAX_CHUNK = 64 << 20
_MAX_ROWS = 100_000
_BLOCK = 1024
_KINDS = frozenset((h5py.h5t.STRING, h5py.h5t.OPAQUE, h5py.h5t.VLEN, h5py.h5t.COMPOUND, h5py.h5t.ARRAY))


def is_object_atom(name: str, value: Any) -> bool:
    """Whether an attribute says that the rows of its dataset are pickles."""
    return name == "PSEUDOATOM" and value in (b"object", "object")


def bytes_in_value(value: Any) -> Iterator[bytes]:
    """Bytes in the value of an attribute or in the rows of a dataset that could be a pickle."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        if len(value) >= _LEAST and value[0] in STARTS and may_hold_pickle(value[:_HEAD], len(value)):
            yield bytes(value)
    elif isinstance(value, (np.void, np.ndarray)):
        if value.dtype.names:
            for name in value.dtype.names:
                yield from bytes_in_value(value[name])
        elif value.dtype.kind in "SOU" and isinstance(value, np.ndarray):
            for item in value.flat:
                yield from bytes_in_value(item)
        elif value.dtype.hasobject and value.size:
            yield from bytes_in_value(value.flat[0])
        elif not value.dtype.hasobject and value.dtype.kind in "iuV":
            yield from bytes_in_value(value.tobytes())


def bytes_in_dataset(dataset: Any) -> Iterator[bytes]:
    """Possible pickles in a dataset: all of it together, where it is bytes, and each of its first rows, where
    they are text or bytes of their own."""
    kind, itemsize = dataset.id.get_type().get_class(), dataset.id.get_type().get_size()
    if (kind == h5py.h5t.INTEGER and itemsize > 1) or (kind not in _KINDS and kind != h5py.h5t.INTEGER):
        return
    chunk = int(np.prod(dataset.chunks)) * itemsize if dataset.chunks else itemsize
    if not dataset.size or chunk > _MAX_CHUNK:
        return
    if dataset.ndim == 0:
        yield from bytes_in_value(dataset[()])
    elif kind == h5py.h5t.INTEGER:
        yield from _numbers(dataset)
    else:
        width = max(1, dataset.size // dataset.shape[0])
        block = max(1, _BLOCK // width)
        for start in range(0, min(dataset.shape[0], _MAX_ROWS // width + 1), block):
            yield from bytes_in_value(dataset[start : start + block])


def _numbers(dataset: Any) -> Iterator[bytes]:
    """All of an array of single bytes, where its first ones could start a pickle."""
    first = (0,) * (dataset.ndim - 1)
    head = dataset[(*first, slice(0, _HEAD))].tobytes()
    if may_hold_pickle(head, dataset.size) and dataset.size <= _MAX_CHUNK:
        yield dataset[()].tobytes()
