"""Columns of a data file for whoever chooses one: read as far as it takes to know their names, for no model yet."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.source import Part, Source
from console.worker.child.data.json_lines import is_json_lines
from console.worker.child.data.options import Extent, Knowledge, ReadOptions, is_index_name
from console.worker.child.data.text import bad
from console.worker.child.lazy import numpy
from console.worker.child.readers import (
    NAME_ARRAYS,
    SPARSE,
    Raw,
    holds_arrays,
    one_array,
    read,
    read_npy,
    several_arrays,
)

NAMES_CAP = 5_000
"""Names of columns in an answer."""
_LONGEST_NAME = 1_000
_ROWS = 200
_FIRST_LINES = 1 << 20
_FEW = 8
"""Rows that an array is taken to have: only its width matters."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MALFORMED = (ValueError, EOFError, SyntaxError, OSError, RuntimeError, KeyError, zipfile.BadZipFile)


def columns_of(source: Source, options: ReadOptions, names: Sequence[str]) -> dict[str, Any]:
    """The columns of a file: `names`, how many there are in all (`total`), whether they are `named`, and the array of
    the truth that stands `apart`. `names` given are those that a model knows. Raises Refusal."""
    known = Knowledge(names=tuple(names), places=tuple(names))
    raw = _raw(source, options, known)
    if raw.frame is not None:
        found = [
            str(name) for name in raw.frame if name not in raw.index and not str(name).startswith("__index_level_")
        ]
    else:
        found = [str(at) for at in range(raw.array.shape[1] if raw.array.ndim > 1 else 1)]
    told = [name for name in found if len(name) <= _LONGEST_NAME][:NAMES_CAP]
    return {"names": told, "total": len(found), "named": raw.named, "apart": raw.truth_name}


def _raw(source: Source, options: ReadOptions, known: Knowledge) -> Raw:
    head = source.read(0, 8)
    if head.startswith((b"PAR1", b"ARROW1")):
        names = _schema(source, "parquet" if head.startswith(b"PAR1") else "feather")
        return Raw(frame=dict.fromkeys(names), index=tuple(name for name in names if is_index_name(name)))
    if head.startswith(b"\x93NUMPY"):
        return one_array(source, read_npy(source))
    if head.startswith(b"PK\x03\x04") and holds_arrays(source):
        arrays = _arrays_of_npz(source)
        if arrays.keys() >= SPARSE:
            return Raw(array=_ghost((_FEW, int(arrays["shape"][1])), "f8"), named=False)
        return several_arrays(source, arrays, None, known)
    if head.startswith(_HDF5):
        return several_arrays(source, _arrays_of_hdf5(source), None, known)
    if source.size > _FIRST_LINES and is_json_lines(source, options):
        whole = source.read(0, _FIRST_LINES).rfind(b"\n") + 1
        source = Part(source, 0, whole) if whole else source
    return read(source, None, options, known, Extent(rows=_ROWS))


def _schema(source: Source, kind: str) -> list[str]:
    """The names in the schema of a parquet or feather file. Raises Refusal."""
    try:
        if kind == "parquet":
            schema = importlib.import_module("pyarrow.parquet").ParquetFile(source.file()).schema_arrow
        else:
            schema = importlib.import_module("pyarrow.ipc").open_file(source.file()).schema
    except ImportError:
        raise bad(source, f"is a {kind} file, for which pyarrow must be installed with the console") from None
    except _MALFORMED as error:
        raise bad(source, f"cannot be read as {kind}: {error}") from None
    return [str(name) for name in schema.names]


def _ghost(shape: Sequence[int], dtype: Any) -> Any:
    """An array of this width that takes no memory."""
    shape = (min(int(shape[0]), _FEW), *(int(side) for side in shape[1:])) if len(shape) else ()
    return numpy.broadcast_to(numpy.zeros((), dtype), shape)


def _arrays_of_npz(source: Source) -> dict[str, Any]:
    """Arrays as wide as those of the archive; those that hold names, or the shape of a sparse matrix, as they are."""
    found = {}
    try:
        with zipfile.ZipFile(source.file()) as archive:
            for entry in archive.infolist():
                name = entry.filename[:-4] if entry.filename.endswith(".npy") else entry.filename
                with archive.open(entry) as file:
                    if name in (*NAME_ARRAYS, "shape") and entry.file_size <= _FIRST_LINES:
                        found[name] = numpy.lib.format.read_array(file, allow_pickle=False)
                        continue
                    version = numpy.lib.format.read_magic(file)
                    reader = getattr(numpy.lib.format, f"read_array_header_{version[0]}_{version[1]}", None)
                    if reader is None:
                        raise ValueError(f"{name} is of an unknown version of npy")
                    shape, _order, dtype = reader(file)
                    found[name] = _ghost(shape, dtype)
    except _MALFORMED as error:
        raise bad(source, f"cannot be read as npz: {error}") from None
    return found


def _arrays_of_hdf5(source: Source) -> dict[str, Any]:
    """Arrays as wide as the datasets at the top of the file, or in its only group."""
    try:
        h5py = importlib.import_module("h5py")
        with h5py.File(source.file(), "r") as file:
            place = file
            names = list(place)
            if len(names) == 1 and isinstance(place.get(names[0], getlink=True), h5py.HardLink):
                only = place[names[0]]
                place = only if isinstance(only, h5py.Group) else place
            return {name: array for name in place if (array := _dataset(h5py, place, name)) is not None}
    except ImportError:
        raise bad(source, "is an HDF5 file, for which h5py must be installed with the console") from None
    except _MALFORMED as error:
        raise bad(source, f"cannot be read as HDF5: {error}") from None


def _dataset(h5py: Any, group: Any, name: str) -> Optional[Any]:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    item = group[name]
    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external or item.shape in (None, ()):
        return None
    if name in NAME_ARRAYS and item.nbytes <= _FIRST_LINES and h5py.check_string_dtype(item.dtype) is not None:
        return item.asstr()[...]
    return _ghost(item.shape, "O" if h5py.check_string_dtype(item.dtype) is not None else item.dtype)
