"""The chunks of a compressed dataset, opened by several threads.

libhdf5 undoes filters under one lock. Here chunks are read where its index says they lie, inflated and put in place by
threads, where the dataset is one that is plain in every way: each chunk there once, deflated (and shuffled before),
opening to just its size. Everything else is irregular, and for libhdf5 to read or to refuse.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice, product
from typing import Any, Optional

import h5py
import numpy as np

from backends.core.errors import ArtifactError
from backends.core.source import Source
from backends.parallel import Irregular, in_order, processors

__all__ = ["read_chunks"]

_LEAST = 4 << 20
"""Bytes of an array from which on threads pay."""
_AT_A_TIME = 2 << 20
"""Bytes of chunks that a thread opens before it asks for more."""
_MAX_CHUNKS = 1_000_000
_KINDS = "biufc"


def read_chunks(dataset: Any, source: Source) -> Optional[Any]:
    """The values of a dataset in `source`, None where libhdf5 has to read them (or one thread is as fast).

    Raises OSError.
    """
    threads = processors()
    if threads < 2 or not dataset.chunks or int(dataset.nbytes) < _LEAST:
        return None
    try:
        chunks = _Chunks(dataset, source)
        array = np.empty(dataset.shape, dataset.dtype)
        with closing(in_order(lambda some: chunks.open(some, array), chunks.batches(), threads)) as opened:
            for _ in opened:
                pass
    except (Irregular, ArtifactError, MemoryError, RuntimeError):
        return None
    return array


class _Chunks:
    """Where the chunks of a dataset lie and how one is opened. Raises Irregular for what is not plain."""

    def __init__(self, dataset: Any, source: Source) -> None:
        self._source = source
        self._dtype = dataset.dtype
        self._shape: tuple[int, ...] = dataset.chunks
        self._size = math.prod(self._shape) * self._dtype.itemsize
        self._shuffled = _shuffled(dataset)
        self._places = _places(dataset)

    def batches(self) -> Iterator[Sequence[Any]]:
        """The chunks in order, several at a time where they are small."""
        places = iter(self._places)
        count = max(1, _AT_A_TIME // self._size)
        while True:
            some = list(islice(places, count))
            if not some:
                return
            yield some

    def open(self, some: Sequence[Any], array: Any) -> None:
        """Put these chunks into the array. Raises Irregular, OSError, and what the source raises."""
        for place in some:
            inside = tuple(slice(at, at + length) for at, length in zip(place.chunk_offset, self._shape))
            target = array[inside]
            values = self._inflated(place).reshape(self._shape)
            target[...] = values[tuple(slice(0, length) for length in target.shape)]

    def _inflated(self, place: Any) -> Any:
        """The numbers of one chunk, in one row."""
        if place.filter_mask or place.size == self._size:
            raise Irregular
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(self._source.read(place.byte_offset, place.size), self._size + 1)
        except zlib.error:
            raise Irregular from None
        if len(data) != self._size or not inflater.eof or inflater.unused_data:
            raise Irregular
        found = np.frombuffer(data, np.uint8)
        if self._shuffled:
            found = np.ascontiguousarray(found.reshape(self._dtype.itemsize, -1).T).reshape(-1)
        return found.view(self._dtype)


def _shuffled(dataset: Any) -> bool:
    """Whether the bytes were shuffled before they were deflated. Raises Irregular for other filters and odd types."""
    dtype, plist = dataset.dtype, dataset.id.get_create_plist()
    filters = [plist.get_filter(position) for position in range(plist.get_nfilters())]
    numbers = [each[0] for each in filters]
    if dtype.kind not in _KINDS or not h5py.h5t.py_create(dtype).equal(dataset.id.get_type()):
        raise Irregular
    if numbers == [h5py.h5z.FILTER_DEFLATE]:
        return False
    if numbers != [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE] or tuple(filters[0][2]) != (dtype.itemsize,):
        raise Irregular
    return True


def _places(dataset: Any) -> list[Any]:
    """Offset in the array, place and size in the file of every chunk. Raises Irregular if one is missing or odd."""
    starts = [range(0, length, chunk) for length, chunk in zip(dataset.shape, dataset.chunks)]
    expected = math.prod(map(len, starts))
    found: list[Any] = []
    if expected > _MAX_CHUNKS or dataset.file.userblock_size or not hasattr(dataset.id, "chunk_iter"):
        raise Irregular

    def note(place: Any) -> Optional[bool]:
        found.append(place)
        return True if len(found) > expected else None

    dataset.id.chunk_iter(note)
    if len(found) != expected or {place.chunk_offset for place in found} != set(product(*starts)):
        raise Irregular
    return found
