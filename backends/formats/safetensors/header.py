"""The header of a safetensors file, read by its specification and nothing more lenient: a length in 8 bytes, that much
JSON (dtype, shape and place of each tensor), then the numbers, without holes, overlaps or bytes to spare.

Specification: the README of github.com/huggingface/safetensors, "Format"; dtypes as its version 0.8 knows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends.core.errors import Damaged
from backends.core.inspection import ArrayInfo
from backends.core.source import Source
from backends.core.strict_json import check_budget, is_text, parse_object

MAX_HEADER = 100_000_000
"""Bytes of a header, by the specification."""
_LENGTH = 8
_MAX_SIZE = (1 << 63) - 1
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
}  # fmt: skip
"""Bits of one element, by dtype."""
WORDS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""The word of other formats for a dtype."""


@dataclass(frozen=True)
class Header:
    """The tensors in the order of their bytes, and the free text of the file's writer."""

    tensors: tuple[ArrayInfo, ...]
    counts: dict[str, int]
    """Elements by dtype."""
    metadata: dict[str, str]


def read_header(source: Source) -> Header:
    """The header of a file whose every byte it accounts for. Raises Damaged, OverBudgetError, OSError."""
    length = int.from_bytes(source.read(0, _LENGTH), "little")
    if source.size < _LENGTH or length > MAX_HEADER:
        raise Damaged(f"the header announces {length:,} bytes, and a safetensors header has at most {MAX_HEADER:,}")
    if _LENGTH + length > source.size:
        raise _cut_off(source, _LENGTH + length)
    check_budget(length, "the header")
    text = source.read(_LENGTH, length)
    if not text.startswith(b"{"):
        raise Damaged("the header does not start with a brace", offset=_LENGTH)
    entries = parse_object(text, "the header")
    metadata = _metadata(entries.pop(_METADATA, {}))
    counts: dict[str, int] = {}
    placed = sorted(_tensor(name, entry, counts) for name, entry in entries.items())
    _check_tiling(placed, source, _LENGTH + length)
    return Header(tuple(array for _begin, _end, _name, array in placed), counts, metadata)


def _cut_off(source: Source, needed: int) -> Damaged:
    return Damaged(f"cut off: {source.size:,} of at least {needed:,} bytes are there", offset=source.size)


def _metadata(found: object) -> dict[str, str]:
    if type(found) is not dict or not is_text(*found.values()):
        raise Damaged(f"{_METADATA} of the header is not text by text", offset=_LENGTH)
    return found


def _tensor(name: str, entry: Any, counts: dict[str, int]) -> tuple[int, int, str, ArrayInfo]:
    """One tensor with the place of its bytes; its elements are added to `counts`. Raises Damaged."""
    short = name[:100]
    if type(entry) is not dict or entry.keys() != _FIELDS:
        raise Damaged(f"the header does not give tensor '{short}' just dtype, shape and data_offsets", offset=_LENGTH)
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if type(dtype) is not str or dtype not in _BITS:
        raise Damaged(f"tensor '{short}' has the dtype {str(dtype)[:40]}, which is none", offset=_LENGTH)
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise Damaged(f"shape or offsets of tensor '{short}' are not sizes", offset=_LENGTH)
    elements = _elements(shape, short)
    size, odd = divmod(elements * _BITS[dtype], 8)
    begin, end = offsets
    if odd or end - begin != size:
        there = f"{end - begin:,} bytes for {elements:,} elements of {dtype}"
        raise Damaged(f"tensor '{short}' has {there}", offset=_LENGTH)
    counts[dtype] = counts.get(dtype, 0) + elements
    return begin, end, name, ArrayInfo(name, tuple(shape), dtype, size)


def _are_sizes(found: object) -> bool:
    return type(found) is list and all(type(size) is int and size >= 0 for size in found)


def _elements(shape: list[int], name: str) -> int:
    """The product of a shape. Raises Damaged where it does not fit 63 bits."""
    elements = 1
    for size in shape:
        elements *= size
        if elements > _MAX_SIZE:
            raise Damaged(f"tensor '{name}' has more elements than fit 63 bits", offset=_LENGTH)
    return elements


def _check_tiling(placed: list[tuple[int, int, str, ArrayInfo]], source: Source, start: int) -> None:
    """Raise Damaged where the tensors leave a hole, overlap, or do not end where the file does."""
    here = 0
    for begin, end, name, _array in placed:
        if begin != here:
            what = f"follows {begin - here:,} unused" if here < begin else f"overlaps another by {here - begin:,}"
            raise Damaged(f"tensor '{name[:100]}' {what} bytes", offset=start + begin)
        here = end
    if start + here > source.size:
        raise _cut_off(source, start + here)
    if start + here < source.size:
        spare = source.size - start - here
        raise Damaged(f"{spare:,} bytes follow the last tensor and belong to none", offset=start + here)
