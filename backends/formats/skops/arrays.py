"""The arrays of a skops file: members that are numpy's own files, read as abstract values of a pickle are."""

from __future__ import annotations

import zipfile
from typing import Optional

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, GlobalRef
from backends.core.registry import inspect_inside
from backends.core.source import Source
from backends.core.zip_rules import member_source
from backends.formats.npy.header import HEAD, parse_header
from backends.formats.pickle.arrays import decode, read_array
from backends.formats.pickle.dtypes import DType
from backends.formats.pickle.values import Global, Instance, RawArray, Span, Value


class Members:
    """The members of an archive as the tree names them; `used` are those that it named."""

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self.used: set[str] = set()
        self.names: list[GlobalRef] = []
        self.findings: list[Finding] = []
        self.arrays: list[ArrayInfo] = []
        self.numbers = 0
        self._source = source
        self._archive = archive
        self._there = set(archive.namelist())
        self._read: dict[str, RawArray] = {}

    def array(self, name: Value) -> RawArray:
        """The array in this member, whose numbers stay where they are. Raises Damaged, OSError."""
        source = self._member(name)
        if name not in self._read:
            self._read[name] = self._array(name, source)
        return self._read[name]

    def data(self, name: Value) -> Span:
        """The bytes in this member; one that is a pickle is told. Raises Damaged, OSError."""
        source = self._member(name)
        self._inside(name, source)
        return Span(source, 0, source.size, "bytes")

    def sparse(self, name: Value) -> None:
        """Keep the facts of the arrays that a sparse matrix consists of, an archive in this member. Raises Damaged,
        OSError."""
        source = self._member(name)
        found = inspect_inside(source, f"the member {name[:200]!r}")
        if found is None or found.format != "npz":
            raise Damaged(f"{name[:200]} is no sparse matrix of scipy")
        self.names.extend(found.names)
        self.findings.extend(found.findings)
        self.arrays.extend(ArrayInfo(f"{name}!{one.name}", one.shape, one.dtype, one.bytes) for one in found.arrays)
        self.numbers += next((_count(one) for one in found.arrays if one.name == "data"), 0)

    def _member(self, name: Value) -> Source:
        if type(name) is not str or name not in self._there:
            raise Damaged(f"the tree names the member {str(name)[:200]!r}, which is not in the archive")
        self.used.add(name)
        return member_source(self._source, self._archive, name)

    def _inside(self, name: str, source: Source) -> None:
        found = inspect_inside(source, f"the member {name[:200]!r}")
        if found is not None and found.format:
            self.findings.append(finding("nested-pickle", f"the member {name[:200]!r} is {found.format}", 0))
            self.names.extend(found.names)
            self.findings.extend(found.findings)

    def _array(self, name: str, source: Source) -> RawArray:
        header = parse_header(source.read(0, HEAD))
        if header.dtype.objects:
            self._inside(name, source)
            self.findings.append(finding("object-array", f"{name[:200]} holds Python objects: a pickle", 0))
        elif header.nbytes != source.size - header.offset:
            detail = f"{name[:200]} announces {header.nbytes} bytes of data, and has {source.size - header.offset}"
            self.findings.append(finding("array-size", detail, 0))
        order = "F" if header.fortran else "C"
        return RawArray(header.dtype, header.shape, order, header.offset, header.nbytes, extra={"source": source})


def _count(info: ArrayInfo) -> int:
    total = 1
    for side in info.shape:
        total *= side
    return total


def scalar_in(array: RawArray) -> Value:
    """The one number or text that an array without sides holds; the array itself where it is something else."""
    read = read_array(array)
    found = decode(read, 1) if read is not None and not array.shape else None
    return found[0] if found else array


def objects(items: list[Value], shape: tuple[int, ...]) -> Instance:
    """An array of Python objects, as a pickle of it has it."""
    made = Instance(Global("numpy._core.multiarray", "_reconstruct", 0), ())
    made.state = (1, shape, dtype_of(DType("O", 8, "|", "object", objects=True)), False, items)
    return made


def dtype_of(dtype: Optional[DType]) -> Instance:
    """A dtype, as a pickle has it."""
    text = "O" if dtype is None or dtype.objects else f"{dtype.order}{dtype.kind}{dtype.itemsize}"
    return Instance(Global("numpy", "dtype", 0), (text, False, True))
