"""Large arrays of data files, seen in the file itself: no byte of them is copied, and copies of a worker share pages.

Only numbers that lie in the file as they lie in memory are mapped, read-only. Whoever changes the file afterwards
changes those numbers, never what they mean; whoever cuts it short ends the worker with a bus error, which is told as
such. What is small is read, and so is what is compressed, chunked or of another byte order.
"""

from __future__ import annotations

import mmap
from typing import Any, Optional

from backends.core.source import Source
from console.worker.child.lazy import numpy

MAPPED_FROM = 16 << 20
"""Bytes from which on a map is cheaper than a copy by enough to depend on the file."""


def npy(source: Source) -> Optional[Any]:
    """The array of a npy file. Raises ValueError for a malformed header; None for what is to be read."""
    if source.size < MAPPED_FROM:
        return None
    from numpy.lib import format as npy_format

    file = source.file()
    version = npy_format.read_magic(file)
    read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}.get(version)
    if read_header is None:
        return None
    shape, fortran, dtype = read_header(file)
    return array(source, file.tell(), shape, dtype, fortran=fortran)


def dataset(source: Source, item: Any) -> Optional[Any]:
    """A dataset of an HDF5 file that is stored contiguously; None for what is to be read."""
    if item.chunks is not None or item.id.get_create_plist().get_nfilters():
        return None
    offset = item.id.get_offset()
    return None if offset is None else array(source, offset, item.shape, item.dtype)


def array(source: Source, offset: int, shape: tuple[int, ...], dtype: Any, *, fortran: bool = False) -> Optional[Any]:
    """Numbers at this place of the file; None for what is no plain numbers, misaligned, small, or not all there."""
    count = 1
    for side in shape:
        count *= int(side)
    size = count * dtype.itemsize
    plain = dtype.kind in "biufc" and dtype.isnative and not offset % max(1, dtype.alignment)
    if not plain or size < MAPPED_FROM or offset < 0 or offset + size > source.size:
        return None
    pages = mmap.mmap(source.fd, offset + size, access=mmap.ACCESS_READ)
    flat = numpy.frombuffer(pages, dtype, count, offset)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
