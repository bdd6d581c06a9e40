"""Pickles inside HDF5 files: PyTables and pandas keep Python objects so and load them; h5py users keep whole models so.

Nothing here loads them, but whoever reads the file with those libraries does: what looks like one is told. PyTables:
tables/attributeset.py (`__getattr__` unpickles byte strings), tables/atom.py (`ObjectAtom`, pseudo atom "object").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from backends.pickle_opcodes import looks_like_nested_pickle, looks_like_pickle

__all__ = ["pickles_in"]

_LOOK = 4096
_MAX_ATTRIBUTE = 1 << 20
_MAX_ATTRIBUTES = 1000
_MAX_CHUNK = 64 << 20
_NAMES = re.compile(rb"[ci][A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n")


def pickles_in(obj: Any, readable: bool) -> Iterator[str]:
    """What of a group or dataset is a pickle, in words. Values are looked at only where they are `readable`."""
    for name in _attribute_names(obj):
        value = _attribute(obj, name)
        if name == "PSEUDOATOM" and value == b"object":
            yield "holds pickled Python objects, which PyTables and pandas load"
        elif _is_pickle(value):
            yield f"has an attribute {name!r} that is a pickle"
    if readable and isinstance(obj, h5py.Dataset) and _is_pickle(_head(obj)):
        yield "holds bytes that are a pickle"


def _is_pickle(data: bytes) -> bool:
    """Numbers are no pickle by accident: one of the newer protocols, or one that names something."""
    if data[:1] == b"\x80":
        return looks_like_nested_pickle(data)
    return _NAMES.search(data) is not None and looks_like_pickle(data)


def _attribute_names(obj: Any) -> list[str]:
    if h5py.h5a.get_num_attrs(obj.id) > _MAX_ATTRIBUTES:
        return []
    return [name for name in obj.attrs if _size(obj.attrs.get_id(name)) <= _MAX_ATTRIBUTE]


def _size(attribute: Any) -> int:
    return int(attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size())


def _attribute(obj: Any, name: str) -> bytes:
    kind = obj.attrs.get_id(name).get_type().get_class()
    if kind not in (h5py.h5t.STRING, h5py.h5t.OPAQUE, h5py.h5t.INTEGER, h5py.h5t.VLEN):
        return b""
    return _bytes(obj.attrs[name])


def _head(dataset: Any) -> bytes:
    """The first bytes of a dataset of bytes or text."""
    chunk = int(np.prod(dataset.chunks)) if dataset.chunks else 0
    byte = dataset.dtype.kind in "iu" and dataset.dtype.itemsize == 1
    if not (byte or dataset.dtype.kind in "SVO") or dataset.dtype.names or not dataset.size:
        return b""
    if chunk * dataset.dtype.itemsize > _MAX_CHUNK or dataset.dtype.itemsize > _MAX_CHUNK or dataset.ndim > 1:
        return b""
    return _bytes(dataset[()] if dataset.ndim == 0 else dataset[:_LOOK] if byte else dataset[0])


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value[:_LOOK].encode("utf-8", "surrogateescape")
    if isinstance(value, (np.void, np.ndarray)) and value.dtype.hasobject:
        return _bytes(value.flat[0]) if isinstance(value, np.ndarray) and value.size else b""
    if isinstance(value, (np.void, np.ndarray)):
        return value.tobytes()[:_LOOK]
    return value[:_LOOK] if isinstance(value, bytes) else b""
