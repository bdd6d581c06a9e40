"""numpy arrays and scalars among the abstract values of a pickle: their dtype and shape, and small contents decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Optional

from backends.core.inspection import Json
from backends.core.source import Source
from backends.formats.pickle.dtypes import DType, read_dtype
from backends.formats.pickle.values import Global, Instance, RawArray, Span, Value

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_MASKED = ("numpy.ma.core", "numpy.ma")
_MAKERS = frozenset(("_reconstruct", "_frombuffer", "_mareconstruct"))
_FORMATS = {
    ("b", 1): "?", ("i", 1): "b", ("i", 2): "h", ("i", 4): "i", ("i", 8): "q", ("u", 1): "B", ("u", 2): "H",
    ("u", 4): "I", ("u", 8): "Q", ("f", 2): "e", ("f", 4): "f", ("f", 8): "d",
}  # fmt: skip
_MAX_BYTES = 1 << 18
_MAX_DIMENSIONS = 64


@dataclass
class ArrayValue:
    """One array: `data` is where its elements are (bytes, a span, a list of objects, or a file position)."""

    dtype: DType
    shape: tuple[int, ...]
    fortran: bool
    data: Value

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.size * self.dtype.itemsize

    @property
    def numbers(self) -> int:
        """How many numbers it holds; a record counts once for each numeric field."""
        return self.size * self.dtype.numbers


def is_shape(value: Value) -> bool:
    """Whether a value is a tuple of lengths that an array can have."""
    return (
        type(value) is tuple
        and len(value) <= _MAX_DIMENSIONS
        and all(type(length) is int and 0 <= length < 1 << 62 for length in value)
    )


def read_array(value: Value) -> Optional[ArrayValue]:
    """The array that an abstract value would become, or None if it is none (or is described as numpy never would)."""
    if type(value) is RawArray:
        if value.objects is not None:
            return read_array(value.objects)
        return ArrayValue(value.dtype, value.shape, value.order == "F", value)
    if type(value) is not Instance or type(value.callee) is not Global:
        return None
    if value.callee.name not in _MAKERS:
        return None
    if value.known is None:
        value.known = _read(value, value.callee) or False
    return value.known or None


def _read(value: Instance, callee: Global) -> Optional[ArrayValue]:
    module, name, args, state = callee.module, callee.name, value.args, value.state
    if name == "_reconstruct" and module in _MULTIARRAY and type(state) is tuple:
        return _array(*state[-4:]) if len(state) in (4, 5) else None
    if name == "_frombuffer" and module in _NUMERIC and type(args) is tuple and len(args) >= 4:
        return _array(args[2], args[1], args[3] == "F" if type(args[3]) is str else False, args[0])
    if name == "_mareconstruct" and module in _MASKED and type(state) is tuple and len(state) == 7:
        return _array(*state[1:5])
    return None


def _array(shape: Value, dtype: Value, fortran: Value, data: Value) -> Optional[ArrayValue]:
    if not is_shape(shape):
        return None
    try:
        return ArrayValue(read_dtype(dtype), shape, bool(fortran) if type(fortran) in (bool, int) else False, data)
    except ValueError:
        return None


def read_scalar(value: Value) -> Optional[tuple[DType, Json]]:
    """The dtype and value of a pickled numpy scalar, or None if it is none."""
    if type(value) is not Instance or type(value.callee) is not Global or type(value.args) is not tuple:
        return None
    if value.callee.name != "scalar" or value.callee.module not in _MULTIARRAY or len(value.args) != 2:
        return None
    array = _array((), value.args[0], False, value.args[1])
    if array is None:
        return None
    decoded = decode(array, 1)
    return array.dtype, decoded[0] if decoded else None


def decode(array: ArrayValue, limit: int) -> Optional[list[Value]]:
    """The elements in memory order, flat, of a small array: at most `limit`, else None.

    Numbers, text and bytes are decoded; the elements of an object array are abstract values.
    """
    if array.size > limit:
        return None
    if array.dtype.objects:
        return array.data if type(array.data) is list and not array.dtype.fields else None
    data = _bytes(array.data, array.nbytes)
    if data is None or len(data) != array.nbytes:
        return None
    kind, itemsize = array.dtype.kind, array.dtype.itemsize
    order = ">" if array.dtype.order == ">" else "<"
    code = _FORMATS.get((kind, itemsize))
    if code:
        return list(struct.unpack(f"{order}{array.size}{code}", data))
    parts = [data[at : at + itemsize] for at in range(0, len(data), itemsize)] if itemsize else []
    if kind == "U":
        encoding = "utf-32-be" if order == ">" else "utf-32-le"
        return [part.decode(encoding, "replace").rstrip("\0") for part in parts]
    if kind == "S":
        return [part.rstrip(b"\0").decode("latin-1") for part in parts]
    return None


def _bytes(data: Value, expected: int) -> Optional[bytes]:
    """The raw bytes behind an array's data, if they are few."""
    if expected > _MAX_BYTES:
        return None
    if type(data) is Instance:
        data = _encoded(data)
    if type(data) is Span:
        data = data.read(4 * expected + 16)
    if type(data) is str:
        try:
            return data.encode("latin-1")
        except UnicodeEncodeError:
            return None
    if type(data) is RawArray:
        source: Optional[Source] = data.extra.get("source")
        return source.read(data.offset, data.length) if source is not None else None
    return data if type(data) is bytes else None


def _encoded(call: Instance) -> Value:
    """The text behind `_codecs.encode(text, "latin1")`, how protocols before 3 spell bytes; None for other calls."""
    callee, args = call.callee, call.args
    if type(callee) is not Global or str(callee) not in ("_codecs.encode", "__builtin__.bytes", "builtins.bytes"):
        return None
    if args == ():
        return b""
    if type(args) is tuple and len(args) == 2 and type(args[1]) is str and args[1] in ("latin1", "latin-1"):
        return args[0]
    return None
