"""One data file into named columns or one array: csv, parquet, npy, npz and HDF5, told apart by content."""

from __future__ import annotations

import importlib
import io
import tokenize
import zipfile
from dataclasses import dataclass
from typing import Any, Optional

from backends.base import Source
from console.worker.child import mapped
from console.worker.child.main import Refusal

ROWS_CAP = 20_000_000
BYTES_CAP = 4 << 30
TARGET_NAMES = ("y", "target", "label", "labels")
"""Arrays of these names in an npz or HDF5 file are the target, where no other is named."""
INPUT_NAMES = ("X", "x", "data", "features", "inputs")
_MALFORMED = (ValueError, EOFError, SyntaxError, tokenize.TokenError)
"""What numpy raises for headers that are none."""
NAME_ARRAYS = ("feature_names", "columns")


@dataclass
class Raw:
    """What a file holds: `frame` (pandas, or a dict of columns without it) or `array`; `truth` if it lies apart."""

    frame: Any = None
    array: Any = None
    truth: Any = None
    truth_name: Optional[str] = None


def read(source: Source, target: Optional[str]) -> Raw:
    """Read the file. Raises Refusal (`bad-input`) that names the file and the place where it is malformed."""
    if source.size > BYTES_CAP:
        raise bad(source, f"has {source.size} bytes; a table may have {BYTES_CAP} ({BYTES_CAP >> 30} GiB)")
    head = source.read(0, 8)
    if not head:
        raise bad(source, "is empty")
    if head.startswith(b"PAR1"):
        return Raw(frame=_parquet(source))
    if head.startswith(b"\x93NUMPY"):
        return _one_array(source, _npy(source))
    if head.startswith(b"PK\x03\x04"):
        return _several(source, _npz(source), target)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _several(source, _hdf5(source), target)
    return Raw(frame=_csv(source))


def bad(source: Source, what: str) -> Refusal:
    """The refusal of this file."""
    return Refusal("bad-input", f"{source.name or 'the data file'} {what}")


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
    numpy = importlib.import_module("numpy")
    array = numpy.asarray(rows)
    return array if array.dtype.kind in "biuf" else numpy.asarray(rows, dtype=object)


def _csv(source: Source) -> Any:
    first = source.read(0, 1 << 16)
    if b"\0" in first:
        raise bad(
            source, f"is no table this console reads: byte 0 at {first.index(0)} (csv, parquet, npy, npz or HDF5)"
        )
    line = first.split(b"\n", 1)[0].decode("utf-8", "replace").lstrip("\ufeff")
    separator = max(",;\t|", key=line.count)
    headless = all(_is_number(cell) for cell in line.strip().split(separator))
    library = pandas()
    if library is None:
        return _plain_csv(source, separator, headless)
    try:
        frame = library.read_csv(
            source.file(),
            sep=separator,
            header=None if headless else 0,
            nrows=ROWS_CAP + 1,
            encoding="utf-8-sig",
            low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise bad(source, f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, library.errors.ParserError) as error:
        raise bad(source, f"cannot be read as csv: {error}") from None
    _check_rows(source, len(frame))
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _plain_csv(source: Source, separator: str, headless: bool) -> dict[str, Any]:
    """csv by the standard library, into a dict of numpy columns."""
    csv, numpy = importlib.import_module("csv"), importlib.import_module("numpy")
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.TextIOWrapper(source.file(), "utf-8-sig", newline=""), delimiter=separator):
            if row:
                rows.append(row)
            if len(row) != len(rows[0]) and row:
                raise bad(source, f"has {len(row)} cells in line {len(rows)}, not {len(rows[0])}")
            _check_rows(source, len(rows) - 1)
    except (UnicodeDecodeError, csv.Error) as error:
        raise bad(source, f"cannot be read as csv: {error}") from None
    names = [str(index) for index in range(len(rows[0]))] if headless else rows.pop(0)
    columns = {}
    for name, cells in zip(names, zip(*rows)):
        numeric = all(_is_number(cell) or cell == "" for cell in cells)
        values = [float(cell or "nan") for cell in cells] if numeric else list(cells)
        columns[name] = numpy.asarray(values, dtype=float if numeric else object)
    return columns


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parquet(source: Source) -> Any:
    library = pandas()
    if library is None:
        raise bad(source, "is a parquet file, for which pandas and pyarrow must be installed with the model")
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise bad(source, "is a parquet file, for which pyarrow must be installed with the model") from None
    try:
        file = parquet.ParquetFile(source.file())
        _check_rows(source, file.metadata.num_rows)
        frame = file.read(use_threads=False).to_pandas(use_threads=False)
    except (OSError, ValueError) as error:
        raise bad(source, f"cannot be read as parquet: {error}") from None
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _npy(source: Source) -> Any:
    numpy = importlib.import_module("numpy")
    try:
        found = mapped.npy(source)
        return numpy.load(source.file(), allow_pickle=False) if found is None else found
    except (*_MALFORMED, OSError) as error:
        raise bad(source, f"cannot be read as npy: {error}") from None


def _npz(source: Source) -> dict[str, Any]:
    numpy = importlib.import_module("numpy")
    try:
        with zipfile.ZipFile(source.file()) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
        if total > BYTES_CAP:
            raise bad(source, f"unpacks to {total} bytes; a table may have {BYTES_CAP}")
        with numpy.load(source.file(), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (*_MALFORMED, OSError, zipfile.BadZipFile) as error:
        raise bad(source, f"cannot be read as npz: {error}") from None


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


def _one_array(source: Source, array: Any) -> Raw:
    if array.dtype.names:
        return Raw(frame=_columns({name: array[name] for name in array.dtype.names}))
    if array.ndim == 0:
        raise bad(source, "holds a single value, not rows")
    _check_rows(source, len(array))
    return Raw(array=array.reshape(len(array), -1) if array.ndim > 2 else array)


def _several(source: Source, arrays: dict[str, Any], target: Optional[str]) -> Raw:
    """Named arrays: one of inputs with its target apart, or as many columns as there are one-dimensional ones."""
    arrays = dict(arrays)
    names = next((arrays.pop(name) for name in NAME_ARRAYS if name in arrays and arrays[name].ndim == 1), None)
    truth_name = target if target in arrays else None
    if target is None:
        truth_name = next((name for name in TARGET_NAMES if name in arrays and len(arrays) > 1), None)
    truth = arrays.pop(truth_name) if truth_name is not None else None
    inputs = next((arrays[name] for name in INPUT_NAMES if name in arrays), None)
    if inputs is None and len(arrays) == 1:
        inputs = next(iter(arrays.values()))
    lengths = {len(array) for array in arrays.values() if array.ndim}
    if inputs is None and (not arrays or len(lengths) != 1 or any(array.ndim != 1 for array in arrays.values())):
        found = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:8])
        raise bad(source, f"does not say which array holds the inputs (found {found or 'none'}); name it X")
    raw = _one_array(source, inputs) if inputs is not None else Raw(frame=_columns(arrays))
    if raw.array is not None and names is not None and raw.array.ndim == 2 and len(names) == raw.array.shape[1]:
        raw = Raw(frame=frame_of(raw.array, [str(name) for name in names])) if pandas() is not None else raw
    rows = len(inputs) if inputs is not None else lengths.pop()
    if truth is not None and len(truth) != rows:
        raise bad(source, f"has {rows} rows, but {len(truth)} values of {truth_name}")
    raw.truth, raw.truth_name = truth, truth_name
    return raw


def _columns(columns: dict[str, Any]) -> Any:
    library = pandas()
    return library.DataFrame(columns) if library is not None else columns


def _check_rows(source: Source, rows: int) -> None:
    if rows > ROWS_CAP:
        raise bad(source, f"has more than {ROWS_CAP} rows, which is the limit")
