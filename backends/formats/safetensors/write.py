"""Writing safetensors: a header that tells of every tensor, then the numbers one after another.

Specification: the README of github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from backends.core.errors import NotLoadable
from backends.core.inspection import ArrayInfo
from backends.formats.safetensors.header import WORDS

_CODES = {word: code for code, word in WORDS.items()}
_ALIGNED = 8


def write_tensors(infos: Sequence[ArrayInfo], arrays: Iterator[tuple[str, Any]], fd: int) -> int:
    """Write these arrays, which come in the order of `infos`, to an empty file; their number.

    Raises NotLoadable for a tensor that the format has no dtype for, or that did not come; OSError.
    """
    odd = next((one for one in infos if one.dtype not in _CODES), None)
    if odd is not None:
        raise NotLoadable(f"the tensor '{odd.name[:100]}' holds {odd.dtype[:40]}, which is not written as safetensors")
    if len({one.name for one in infos}) < len(infos):
        raise NotLoadable("two of its tensors have one name")
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for one in infos:
        header[one.name] = {"dtype": _CODES[one.dtype], "shape": list(one.shape), "data_offsets": [at, at + one.bytes]}
        at += one.bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with open(fd, "wb", closefd=False) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for one in infos:
            name, numbers = next(arrays, ("", None))
            data = b"" if numbers is None else _bytes_of(numbers, one.dtype)
            if name != one.name or len(data) != one.bytes:
                raise NotLoadable(f"the numbers of the tensor '{one.name[:100]}' could not be read")
            file.write(data)
    return len(infos)


def _bytes_of(numbers: Any, dtype: str) -> bytes:
    """The bytes of an array; those of bfloat16 come as float32, of which the upper half is all there is."""
    np = importlib.import_module("numpy")
    if dtype == "bfloat16":
        numbers = (numbers.view("<u4") >> 16).astype("<u2")
    return bytes(np.ascontiguousarray(numbers).tobytes())
