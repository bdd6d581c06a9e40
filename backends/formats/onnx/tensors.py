"""Tensors of an ONNX file: what they announce, held against the bytes there are, and values outside the file."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Optional

from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding
from backends.formats.onnx.schema import DTYPES

__all__ = ["External", "Tensor", "read_tensor"]

_LISTS = {"float_data": 4, "double_data": 8, "int32_data": 0, "int64_data": 0, "uint64_data": 0, "string_data": 0}
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|[\0*]|^\s*$")


class External(NamedTuple):
    """A stretch of another file that holds a tensor's values; a length of None means up to its end."""

    location: str
    offset: int
    length: Optional[int]

    @property
    def leads_outside(self) -> bool:
        """Whether the location may leave the model's own directory, or is a reference into memory."""
        return bool(_OUTSIDE.search(self.location))


class Tensor(NamedTuple):
    """One tensor: what is told of it, what is wrong with it, and where its values lie if not here."""

    info: ArrayInfo
    elements: int
    external: Optional[External]
    findings: tuple[Finding, ...]


def read_tensor(found: dict[str, Any], offset: int) -> Tensor:
    """The facts of one tensor from its fields."""
    name, shape = found.get("name", ""), tuple(found.get("dims", ()))
    dtype, bits = DTYPES.get(found.get("data_type", 0) & 0xFFFFFFFF, ("", 0))
    elements = 1
    for side in shape:
        elements *= max(0, side)
    nbytes = (elements * bits + 7) // 8
    external, wrong = _external(found, nbytes)
    if not dtype:
        wrong = wrong or ("malformed", f"has the unknown element type {found.get('data_type', 0)}")
    elif len(shape) > 64 or any(side < 0 for side in shape):
        wrong = wrong or ("malformed", f"has the shape {list(shape[:64])}")
    elif external is None:
        wrong = wrong or _size_wrong(found, elements, nbytes, bits)
    findings = (finding(wrong[0], f"the tensor {name or 'without a name'} {wrong[1]}", offset),) if wrong else ()
    return Tensor(ArrayInfo(name, shape, dtype or "unknown", nbytes), elements, external, findings)


def _size_wrong(found: dict[str, Any], elements: int, nbytes: int, bits: int) -> Optional[tuple[str, str]]:
    """Why the bytes in the file are not what type and shape announce; None where they are."""
    there = [name for name in _LISTS if name in found]
    if len(there) + ("raw_data" in found) > 1:
        return "malformed", "has its values twice"
    if "raw_data" in found:
        start, end = found["raw_data"]
        return _difference(nbytes, end - start) if bits else ("malformed", "holds texts as raw bytes")
    if not there:
        return ("array-size", f"announces {elements:,} values and has none") if elements else None
    count, width = found[there[0]].most, _LISTS[there[0]]
    if width:
        return _difference(elements * bits // 8, count * width)
    packed = 64 // bits if 0 < bits < 8 else 1
    return (
        ("array-size", f"announces {elements:,} values where {count:,} may be") if elements > count * packed else None
    )


def _difference(need: int, have: int) -> Optional[tuple[str, str]]:
    code = "array-size" if need > have else "malformed"
    return None if need == have else (code, f"announces {need:,} bytes and has {have:,}")


def _external(found: dict[str, Any], nbytes: int) -> tuple[Optional[External], Optional[tuple[str, str]]]:
    """Where values lie in another file, if they do, and what is wrong with that."""
    entries = {entry.get("key", ""): entry.get("value", "") for entry in found.get("external_data", ())}
    if not found.get("data_location") and not entries:
        return None, None
    if "raw_data" in found or any(name in found for name in _LISTS):
        return None, ("malformed", "has its values here and in another file")
    length, offset = entries.get("length"), entries.get("offset", "0")
    if not all(re.fullmatch(r"\d{1,18}", number) for number in (offset, length or "0")):
        return External(entries.get("location", ""), 0, None), ("malformed", "has no plain offset and length outside")
    external = External(entries.get("location", ""), int(offset), int(length) if length else None)
    if external.length is not None and external.length != nbytes:
        return external, _difference(nbytes, external.length)
    return external, None
