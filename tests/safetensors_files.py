"""safetensors written byte by byte, so that a test can get any byte of them wrong."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

ITEM = {"F32": 4, "BF16": 2, "I64": 8, "U8": 1}
INDEX = "model.safetensors.index.json"

Tensors = dict[str, tuple[str, list[int]]]


def framed(header: bytes | dict[str, Any], data: bytes = b"") -> bytes:
    """A file of this header, whatever it says, and these bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    """The entry of one tensor in a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def packed(tensors: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    """A file of zeros as the reference writer lays it out, padded with spaces."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    here = 0
    for name, (dtype, shape) in tensors.items():
        size = ITEM[dtype]
        for length in shape:
            size *= length
        header[name] = entry(shape, here, here + size, dtype)
        here += size
    text = json.dumps(header).encode()
    return framed(text + b" " * (-len(text) % 8), bytes(here))


def shard(number: int, count: int) -> str:
    """The name of a shard."""
    return f"model-{number:05d}-of-{count:05d}.safetensors"


def write_shards(directory: Path, *shards: Tensors) -> None:
    """A directory with these shards and their index, and a file beside them that belongs to neither."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [shard(number, len(shards)) for number in range(1, len(shards) + 1)]
    for name, tensors in zip(names, shards, strict=True):
        (directory / name).write_bytes(packed(tensors, {"format": "pt"}))
    weight_map = {tensor: name for name, tensors in zip(names, shards, strict=True) for tensor in tensors}
    (directory / INDEX).write_text(json.dumps({"metadata": {"total_size": 0.0}, "weight_map": weight_map}))
    (directory / "README.md").write_text("# A model")
