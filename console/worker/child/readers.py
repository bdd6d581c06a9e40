"""One data file into named columns or one array: csv, jsonl, parquet, feather, npy, npz and HDF5, told by content."""

from __future__ import annotations

import importlib
import tokenize
import zipfile
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.core.source import Source
from console.worker.child import mapped
from console.worker.child.data.delimited import NO_ROWS, ROWS_CAP, Columns, Long, read_delimited
from console.worker.child.data.json_lines import is_json_lines, read_json_lines
from console.worker.child.data.options import Extent, Knowledge, ReadOptions
from console.worker.child.data.text import BYTES_CAP, bad
from console.worker.child.lazy import numpy
from console.worker.child.tensor_rows import side_by_side

TARGET_NAMES = ("y", "target", "label", "labels")
"""Arrays of these names in an npz or HDF5 file are the target, where no other is named."""
INPUT_NAMES = ("X", "x", "data", "features", "inputs")
_MALFORMED = (ValueError, EOFError, SyntaxError, tokenize.TokenError)
"""Errors of numpy for malformed headers."""
_READ_KEYS = {
    "csv": (),
    "JSON": ("sep", "decimal", "header"),
    "": ("sep", "decimal", "encoding", "header", "missing"),
}
"""The options of text that a file of each form has no use for."""
NAME_ARRAYS = ("feature_names", "columns")
_APART = 1000
"""Columns that a frame may have as arrays of their own."""


@dataclass
class Raw:
    """The contents of a file: `frame` (pandas, or a dict of columns without it) or `array`; `truth` if it lies apart.

    `named` = the columns have names of their own, `index` are those that were the file's index. `decided` tells how the
    file was read, `problems` why a column of text holds no numbers (None where that was judged before). Where `long` is
    there, `frame` holds its first rows only.
    """

    frame: Any = None
    array: Any = None
    truth: Any = None
    truth_name: Optional[str] = None
    named: bool = True
    decided: list[str] = field(default_factory=list)
    problems: Optional[dict[str, str]] = field(default_factory=dict)
    long: Optional[Long] = None
    index: tuple[str, ...] = ()


def read(
    source: Source, target: Optional[str], options: ReadOptions, known: Knowledge, extent: Optional[Extent] = None
) -> Raw:
    """Read the file, of a text table what `extent` says. Raises Refusal (`bad-input`, `no-rows`) that names the place
    where it is malformed."""
    raw = _read(source, target, options, known, extent)
    first = raw.array if raw.frame is None else raw.frame
    first = next(iter(first.values()), ()) if isinstance(first, dict) else first
    if not (first.shape[0] if hasattr(first, "shape") else len(first)):
        raise bad(source, "holds no row", NO_ROWS)
    vain = [f"read.{key}" for key in _READ_KEYS[_form(raw)] if getattr(options, key) not in (None, ())]
    raw.decided += [f"{', '.join(vain)} not used, since it is of csv"] if vain else []
    return raw


def _form(raw: Raw) -> str:
    first = next(iter(raw.decided), "")
    return "csv" if first.startswith("separated by") else "JSON" if first == "JSON lines" else ""


def _read(
    source: Source, target: Optional[str], options: ReadOptions, known: Knowledge, extent: Optional[Extent]
) -> Raw:
    if source.size > BYTES_CAP:
        raise bad(source, f"has {source.size} bytes; a table may have {BYTES_CAP} ({BYTES_CAP >> 30} GiB)")
    head = source.read(0, 8)
    if not head:
        raise bad(source, "is empty")
    if head.startswith(b"PAR1"):
        return _arrow(source, "parquet")
    if head.startswith(b"ARROW1") or head[:4] == b"FEA1":
        return _arrow(source, "feather")
    if head.startswith(b"\x93NUMPY"):
        return one_array(source, read_npy(source))
    if head.startswith(b"PK\x03\x04") and holds_arrays(source):
        arrays = _npz(source)
        return _sparse(source, arrays) if arrays.keys() >= SPARSE else several_arrays(source, arrays, target, known)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return several_arrays(source, _hdf5(source), target, known)
    if is_json_lines(source, options):
        return _from_columns(read_json_lines(source, options, known))
    return _from_columns(read_delimited(source, options, known, extent))


def _from_columns(found: Columns) -> Raw:
    frame = columns_frame(found.columns)
    return Raw(frame, named=found.named, decided=found.decided, problems=found.problems, long=found.long)


def holds_arrays(source: Source) -> bool:
    """Whether a zip archive holds arrays, or nothing that can be told; else it may be a packed table of text."""
    try:
        with zipfile.ZipFile(source.file()) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return True
    return not names or any(name.endswith(".npy") for name in names)


def pandas() -> Any:
    """pandas, or None where it is not installed."""
    try:
        return importlib.import_module("pandas")
    except ImportError:
        return None


def frame_of(rows: Any, names: list[str]) -> Any:
    """Rows with named columns: a data frame, or an array where pandas is not installed."""
    library = pandas()
    if library is not None:
        return library.DataFrame(rows, columns=names, copy=False)
    array = numpy.asarray(rows)
    return array if array.dtype.kind in "biuf" else numpy.asarray(rows, dtype=object)


def _arrow(source: Source, kind: str) -> Raw:
    """A parquet or feather file. An index of names is no column; that it was left out is told."""
    library = pandas()
    if library is None:
        raise bad(source, f"is a {kind} file, for which pandas and pyarrow must be installed with the model")
    try:
        reader = importlib.import_module(f"pyarrow.{kind}")
    except ImportError:
        raise bad(source, f"is a {kind} file, for which pyarrow must be installed with the model") from None
    try:
        if kind == "parquet":
            file = reader.ParquetFile(source.file())
            _check_rows(source, file.metadata.num_rows)
            frame = _texts(file.read(use_threads=False)).to_pandas(use_threads=False)
        else:
            frame = _texts(reader.read_table(source.file(), use_threads=False)).to_pandas(use_threads=False)
            _check_rows(source, len(frame))
    except (OSError, ValueError) as error:
        raise bad(source, f"cannot be read as {kind}: {error}") from None
    index: list[str] = []
    frame.columns = [str(name) for name in frame.columns]
    doubled = next(iter(frame.columns[frame.columns.duplicated()]), None)
    if doubled is not None:
        raise bad(source, f"has two columns called '{doubled}': name each once")
    if not isinstance(frame.index, library.RangeIndex) or frame.index.name is not None:
        index = [str(name) if name is not None else f"Unnamed: {at}" for at, name in enumerate(frame.index.names)]
        taken = next((name for name in index if name in set(frame.columns)), None)
        frame = frame.reset_index(names=index) if taken is None else frame.reset_index(drop=True)
        index = index if taken is None else []
    return Raw(frame=frame, decided=[kind], index=tuple(index))


def _texts(table: Any) -> Any:
    """An Arrow table with its columns of bytes as text, where they are UTF-8; older writers mark no text as such."""
    arrow = importlib.import_module("pyarrow")
    for at, one in enumerate(table.schema):
        if arrow.types.is_binary(one.type) or arrow.types.is_large_binary(one.type):
            try:
                table = table.set_column(at, one.with_type(arrow.large_string()), table[at].cast(arrow.large_string()))
            except arrow.ArrowInvalid:
                continue
    return table


SPARSE = {"format", "shape", "data"}
"""Arrays that scipy.sparse.save_npz writes for every kind of matrix."""


def _sparse(source: Source, arrays: dict[str, Any]) -> Raw:
    """A matrix of scipy.sparse, kept sparse (scipy/sparse/_matrix_io.py)."""
    try:
        scipy_sparse = importlib.import_module("scipy.sparse")
    except ImportError:
        raise bad(source, "is a sparse matrix, for which scipy must be installed with the model") from None
    try:
        form, shape = arrays["format"].item(), tuple(int(side) for side in arrays["shape"])
        form = form.decode("ascii") if isinstance(form, bytes) else str(form)
        if form in ("csr", "csc", "bsr"):
            made = getattr(scipy_sparse, f"{form}_matrix")((arrays["data"], arrays["indices"], arrays["indptr"]), shape)
        elif form == "coo":
            made = scipy_sparse.coo_matrix((arrays["data"], (arrays["row"], arrays["col"])), shape)
        elif form == "dia":
            made = scipy_sparse.dia_matrix((arrays["data"], arrays["offsets"]), shape)
        else:
            raise ValueError(f"no kind of sparse matrix is called {form}")
        made = made.tocsr()
        made.check_format(full_check=True)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise bad(source, f"cannot be read as a sparse matrix: {error}") from None
    _check_rows(source, made.shape[0])
    return Raw(array=made, named=False, decided=[f"sparse {form}"])


def read_npy(source: Source) -> Any:
    """The array of a npy file; a large one is mapped. Raises Refusal."""
    try:
        found = mapped.npy(source)
        return numpy.load(source.file(), allow_pickle=False) if found is None else found
    except (*_MALFORMED, OSError) as error:
        raise bad(source, f"cannot be read as npy: {_told(error)}") from None


def _npz(source: Source) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(source.file()) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
        if total > BYTES_CAP:
            raise bad(source, f"unpacks to {total} bytes; a table may have {BYTES_CAP}")
        with numpy.load(source.file(), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (*_MALFORMED, OSError, zipfile.BadZipFile) as error:
        raise bad(source, f"cannot be read as npz: {_told(error)}") from None


def _told(error: Exception) -> str:
    """The error; pickled objects, of which numpy says what to switch on, by what helps here."""
    pickled = "objects lie in it as a pickle, which is never opened as data: write numbers or texts (astype)"
    return pickled if "allow_pickle" in str(error) else str(error)


def _hdf5(source: Source) -> dict[str, Any]:
    """The datasets at the top of an HDF5 file (or in its only group); links and virtual data are not followed."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        raise bad(source, "is an HDF5 file, for which h5py must be installed with the model") from None
    try:
        with h5py.File(source.file(), "r") as file:
            place = file
            names = list(place)
            if len(names) == 1 and isinstance(place.get(names[0], getlink=True), h5py.HardLink):
                only = place[names[0]]
                place = only if isinstance(only, h5py.Group) else place
            return {name: found for name in place for found in _datasets(source, h5py, place, name)}
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise bad(source, f"cannot be read as HDF5: {error}") from None


def _datasets(source: Source, h5py: Any, group: Any, name: str) -> list[Any]:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return []
    item = group[name]
    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external or item.shape in (None, ()):
        return []
    if item.nbytes > BYTES_CAP:
        raise ValueError(f"{name} unpacks to {item.nbytes} bytes; a table may have {BYTES_CAP}")
    if h5py.check_string_dtype(item.dtype) is not None:
        return [item.asstr()[...]]
    found = mapped.dataset(source, item)
    return [item[...] if found is None else found]


def one_array(source: Source, array: Any) -> Raw:
    """An array as a table: the fields of records are columns. Raises Refusal."""
    if array.dtype.names:
        deep = next((name for name in array.dtype.names if array[name].ndim > 1 or array.dtype[name].names), None)
        if deep is not None:
            raise bad(source, f"has several values a row in its field '{deep}': write each as a column of its own")
        return Raw(frame=columns_frame({name: array[name] for name in array.dtype.names}))
    if array.ndim == 0:
        raise bad(source, "holds a single value, not rows")
    _check_rows(source, len(array))
    return Raw(array=array.reshape(len(array), -1) if array.ndim > 2 else array, named=False)


def several_arrays(source: Source, arrays: dict[str, Any], target: Optional[str], known: Knowledge) -> Raw:
    """Named arrays: one of inputs with its target apart, or as many columns as there are one-dimensional ones."""
    arrays = side_by_side(source, arrays, known.tensors)
    names = next((arrays.pop(name) for name in NAME_ARRAYS if name in arrays and arrays[name].ndim == 1), None)
    truth_name = target if target in arrays else None
    if target is None:
        truth_name = next(
            (name for name in TARGET_NAMES if name in {*arrays} - {*known.names} and len(arrays) > 1), None
        )
    truth = arrays.pop(truth_name) if truth_name is not None else None
    shapes = {array.shape for array in arrays.values()}
    columns = len(arrays) > 1 == len(shapes) and len(next(iter(shapes))) == 1
    inputs = None if columns else next((arrays[name] for name in INPUT_NAMES if name in arrays), None)
    if inputs is None and len(arrays) == 1:
        inputs = next(iter(arrays.values()))
    lengths = {len(array) for array in arrays.values() if array.ndim}
    if inputs is None and (not arrays or len(lengths) != 1 or any(array.ndim != 1 for array in arrays.values())):
        found = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:8])
        raise bad(source, f"does not say which array holds the inputs (found {found or 'none'}); name it X")
    raw = one_array(source, inputs) if inputs is not None else Raw(frame=columns_frame(arrays))
    if raw.array is not None and names is not None and raw.array.ndim == 2 and len(names) == raw.array.shape[1]:
        raw = Raw(frame=frame_of(raw.array, [str(name) for name in names])) if pandas() is not None else raw
    rows = len(inputs) if inputs is not None else lengths.pop()
    if truth is not None and len(truth) != rows:
        raise bad(source, f"has {rows} rows, but {len(truth)} values of {truth_name}")
    raw.truth, raw.truth_name = truth, truth_name
    return raw


def columns_frame(columns: dict[str, Any]) -> Any:
    """Columns as a data frame, or as they are where pandas is not installed. Bytes that are UTF-8 are text.

    Many columns are put together by type, since a frame of each for itself is slow in whatever is done with it.
    """
    columns = {name: _decoded(cells) for name, cells in columns.items()}
    library = pandas()
    if library is None:
        return columns
    many = len(columns) > _APART
    if (
        many
        and len({cells.dtype for cells in columns.values()}) == 1
        and next(iter(columns.values())).dtype.kind in "if"
    ):
        block = numpy.array(list(columns.values()))
        return library.DataFrame(block.T, columns=list(columns), copy=False)
    return library.DataFrame(columns, copy=many)


def _decoded(cells: Any) -> Any:
    if getattr(cells.dtype, "kind", "") != "S":
        return cells
    try:
        return numpy.char.decode(cells, "utf-8").astype(object)
    except UnicodeError:
        return cells


def _check_rows(source: Source, rows: int) -> None:
    if rows > ROWS_CAP:
        raise bad(source, f"has more than {ROWS_CAP} rows, which is the limit")
