"""numpy arrays in the project's own HDF5 layout: what HDF5 cannot say is kept in `@dtype` and `@order`."""

from __future__ import annotations

from typing import Any, Optional

import h5py
import numpy as np

from backends.core.errors import Damaged
from backends.core.frozen import Frozen
from backends.core.source import Source
from backends.formats.hdf5.layout import storable_text

_TEXT = h5py.string_dtype("utf-8")
_COMPRESS_FROM = 1024


def packed(items: list[Any]) -> Optional[tuple[Any, str]]:
    """One array for a list of like plain values and the word that tells them apart, or None when they differ."""
    kinds = {type(item) for item in items}
    if len(kinds) != 1:
        return None
    kind = kinds.pop()
    if kind is int and all(-(2**63) <= item < 2**63 for item in items):
        return np.array(items, np.int64), "int"
    if kind is float:
        return np.array(items, np.float64), "float"
    if kind is bool:
        return np.array(items, np.bool_), "bool"
    if kind is str and all(map(storable_text, items)):
        return np.array(items, object), "str"
    if issubclass(kind, (np.number, np.bool_)):
        return np.array(items, kind), "scalar"
    return None


def write_array(group: Any, name: str, value: Any, compression: Optional[str]) -> Any:
    """Store one array that holds no objects but text, contiguous unless `compression` names a filter."""
    value = np.asarray(value)
    stored, dtype = _storable(value)
    filters = {"compression": compression, "shuffle": True} if compression and stored.size >= _COMPRESS_FROM else {}
    text = stored.dtype.kind == "O"
    dataset = group.create_dataset(name, data=stored, dtype=_TEXT if text else None, **filters)
    if dtype is None and not text and dataset.dtype != value.dtype:
        raise Damaged(f"{dataset.name}: HDF5 cannot hold the dtype {value.dtype}")
    if dtype is not None:
        dataset.attrs.create("@dtype", dtype, dtype=_TEXT)
    if value.ndim > 1 and value.flags.f_contiguous and not value.flags.c_contiguous:
        dataset.attrs.create("@order", "F", dtype=_TEXT)
    return dataset


def _storable(value: Any) -> tuple[Any, Optional[str]]:
    """The form of an array that HDF5 can hold and, where that differs, the numpy dtype to give it back."""
    kind = value.dtype.kind
    if kind in "mM":
        return np.ascontiguousarray(value).view(np.int64).reshape(value.shape), value.dtype.str
    if kind == "U":
        points = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<")))
        width = value.dtype.itemsize // 4
        texts = value.astype(object)
        if all(map(storable_text, texts.ravel().tolist())):
            return texts, value.dtype.str
        return points.view("<u4").reshape(*value.shape, width), value.dtype.str
    if kind in "SV" and value.dtype.names is None:
        width = max(1, value.dtype.itemsize)
        if value.dtype.itemsize == 0:
            return np.zeros((*value.shape, width), np.uint8), value.dtype.str
        return np.ascontiguousarray(value).view(np.uint8).reshape(*value.shape, width), value.dtype.str
    return value, None


def array_dtype(dataset: Any, text: Optional[str]) -> Any:
    """The numpy dtype of a stored array. Raises Damaged for a `@dtype` that names no plain dtype."""
    if text is None:
        return dataset.dtype
    try:
        dtype = np.dtype(text)
    except (TypeError, ValueError, SyntaxError) as error:
        raise Damaged(f"{dataset.name}: '{text}' is no dtype") from error
    if dtype.names is not None or dtype.subdtype is not None:
        raise Damaged(f"{dataset.name}: '{text}' is no plain dtype")
    return dtype


def read_array(dataset: Any, dtype: Any, order: Optional[str], source: Source) -> Any:
    """The array as it was saved."""
    stored = read_numbers(dataset, source)
    if isinstance(stored, h5py.Empty):
        raise Damaged(f"{dataset.name} holds no array")
    array = np.asarray(stored)
    if h5py.check_string_dtype(dataset.dtype) is not None:
        array = np.asarray(dataset.asstr()[()], dtype=object).reshape(dataset.shape).astype(dtype)
    elif dtype != array.dtype:
        array = _viewed(array, dtype, dataset.name)
    return np.asfortranarray(array) if order == "F" else array


def _viewed(array: Any, dtype: Any, name: str) -> Any:
    if dtype.itemsize == 0:
        return np.zeros(array.shape[:-1], dtype)
    if dtype.kind in "mM":
        return array.view(dtype)
    if array.ndim == 0 or array.shape[-1] * array.dtype.itemsize != dtype.itemsize:
        raise Damaged(f"{name}: its bytes do not make up {dtype}")
    return np.ascontiguousarray(array).view(dtype).reshape(array.shape[:-1])


def read_numbers(dataset: Any, source: Source) -> Any:
    """The values of a dataset; where the plan of a `Frozen` source tells of them, as a private map of the file.

    Raises Damaged where dataset and plan differ, or the file became shorter.
    """
    piece = source.dataset(dataset.id.get_offset()) if isinstance(source, Frozen) else None
    if piece is None or not isinstance(source, Frozen):
        return dataset[()]
    if dataset.chunks is not None or dataset.nbytes != piece.length or dataset.dtype.hasobject:
        raise Damaged(f"{dataset.name} and the load plan disagree", offset=piece.offset)
    array = np.ndarray(dataset.shape, dataset.dtype, source.numbers(piece), piece.offset)
    return array if array.flags.aligned else array.copy()
