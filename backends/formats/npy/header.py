"""The header of a numpy `.npy` file, read without numpy. Format: numpy/lib/format.py, versions 1.0 to 3.0."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from math import prod
from typing import Any

from backends.core.errors import Damaged
from backends.formats.pickle.arrays import is_shape
from backends.formats.pickle.dtypes import DType, literal_dtype, structured

MAGIC = b"\x93NUMPY"
HEAD = 12 + (1 << 16)
"""Bytes that hold any header this reader accepts."""
_MAX_HEADER = 1 << 16
_MAX_NESTING = 16
_MAX_FIELDS = 1000
_PYTHON_2_LONG = re.compile(r"(?<=[0-9])L(?=[,)\s])")


@dataclass(frozen=True)
class NpyHeader:
    """Dtype, shape and order; `offset` is where the data starts, `nbytes` its length (unless it is objects)."""

    dtype: DType
    shape: tuple[int, ...]
    fortran: bool
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of data."""
        return self.dtype.itemsize * prod(self.shape)


def parse_header(head: bytes) -> NpyHeader:
    """Parse the first bytes of a file (HEAD of them are enough). Raises Damaged."""
    if not head.startswith(MAGIC) or len(head) < 12:
        raise Damaged("the numpy header is cut off", offset=0)
    major, minor = head[6], head[7]
    if (major, minor) not in ((1, 0), (2, 0), (3, 0)):
        raise Damaged(f"numpy file version {major}.{minor} does not exist", offset=6)
    start = 10 if major == 1 else 12
    length = int.from_bytes(head[8:start], "little")
    if length > _MAX_HEADER or start + length > len(head):
        raise Damaged(f"the numpy header announces {length} bytes of itself", offset=8)
    try:
        text = head[start : start + length].decode("utf-8" if major == 3 else "latin-1")
        return _fields(_literal(text), start + length)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise Damaged(f"the numpy header is not valid: {str(error)[:200]}", offset=start) from None


def _literal(text: str) -> dict[str, Any]:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > _MAX_NESTING:
        raise ValueError("nested too deep")
    value = ast.literal_eval(_PYTHON_2_LONG.sub("", text).strip())
    if not isinstance(value, dict) or set(value) != {"descr", "fortran_order", "shape"}:
        raise ValueError("it does not tell descr, fortran_order and shape")
    return value


def _fields(value: dict[str, Any], offset: int) -> NpyHeader:
    shape = value["shape"]
    if not is_shape(shape) or type(value["fortran_order"]) is not bool:
        raise ValueError("an odd shape or order")
    return NpyHeader(_descr(value["descr"]), shape, value["fortran_order"], offset)


def _descr(descr: Any) -> DType:
    """The dtype behind a `descr`: a literal, or a list of fields (name, descr[, shape])."""
    if isinstance(descr, str):
        unit = re.match(r"([<>|=]?[mM]8)(\[\d*[A-Za-z]{1,2}\])\Z", descr)
        dtype = literal_dtype(unit.group(1) if unit else descr)
        return DType(dtype.kind, dtype.itemsize, dtype.order, dtype.text + unit.group(2)) if unit else dtype
    if not isinstance(descr, list) or not 0 < len(descr) <= _MAX_FIELDS:
        raise ValueError("an odd descr")
    fields, itemsize = [], 0
    for field in descr:
        if not isinstance(field, tuple) or len(field) not in (2, 3):
            raise ValueError("an odd field in descr")
        inner, count = _descr(field[1]), 1
        for length in field[2] if len(field) == 3 else ():
            if type(length) is not int or not 0 <= length < 1 << 31:
                raise ValueError("an odd field shape in descr")
            count *= length
        itemsize += inner.itemsize * count
        fields.append((str(field[0]), inner))
    return structured(fields, itemsize)
