"""Bytes of tensors as arrays of numbers that numpy has."""

from __future__ import annotations

import importlib
from typing import Any, Optional

from backends.core.source import Source

_DTYPES = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "int64": "<i8", "int32": "<i4",
    "int16": "<i2", "int8": "i1", "uint8": "u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "bool": "?",
}  # fmt: skip


def numbers(source: Source, offset: int, count: int, dtype: str) -> Optional[Any]:
    """`count` elements from an offset in bytes on, those of bfloat16 as float32; None for a dtype that numpy has not.

    Raises OSError.
    """
    np = importlib.import_module("numpy")
    if dtype not in _DTYPES:
        return None
    kind = np.dtype(_DTYPES[dtype])
    found = np.frombuffer(source.read(offset, count * kind.itemsize), kind)
    return (found.astype("<u4") << 16).view("<f4") if dtype == "bfloat16" else found
