"""GGUF files put together after docs/gguf.md of ggml."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

CODES = {"u32": (4, "I"), "f32": (6, "f"), "bool": (7, "?"), "u64": (10, "Q")}
LLAMA: dict[str, tuple[str, Any]] = {
    "general.architecture": ("text", "llama"),
    "general.name": ("text", "Tiny"),
    "general.file_type": ("u32", 15),
    "llama.context_length": ("u32", 2048),
    "llama.block_count": ("u32", 22),
    "llama.embedding_length": ("u32", 2048),
    "llama.attention.head_count": ("u32", 32),
    "llama.attention.head_count_kv": ("u32", 4),
    "tokenizer.ggml.model": ("text", "llama"),
    "tokenizer.ggml.tokens": ("texts", ["<unk>", "<s>", *(f"t{number}" for number in range(30))]),
    "tokenizer.ggml.scores": ("reals", [0.0] * 32),
    "tokenizer.ggml.bos_token_id": ("u32", 1),
    "tokenizer.chat_template": ("text", "{% for m in messages %}{{ m.role }}: {{ m['content'] }}{% endfor %}"),
}
TENSORS = (("token_embd.weight", (256, 32), 12), ("output_norm.weight", (256,), 0))
BYTES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 12: (256, 144)}


def text(value: str, order: str = "<") -> bytes:
    data = value.encode()
    return struct.pack(f"{order}Q", len(data)) + data


def _value(kind: str, value: Any, order: str) -> bytes:
    if kind == "text":
        return struct.pack(f"{order}I", 8) + text(value, order)
    if kind == "texts":
        head = struct.pack(f"{order}IIQ", 9, 8, len(value))
        return head + b"".join(text(one, order) for one in value)
    if kind == "reals":
        return struct.pack(f"{order}IIQ", 9, 6, len(value)) + struct.pack(f"{order}{len(value)}f", *value)
    number, code = CODES[kind]
    return struct.pack(f"{order}I{code}", number, value)


def header(
    entries: dict[str, tuple[str, Any]] | None = None,
    tensors: Sequence[tuple[str, tuple[int, ...], int]] = TENSORS,
    *,
    version: int = 3,
    order: str = "<",
    counts: tuple[int, int] | None = None,
) -> tuple[bytes, int]:
    """The header up to where the tensors begin, and their bytes; `counts` are told instead of the true ones."""
    entries = LLAMA if entries is None else entries
    told = (len(tensors), len(entries)) if counts is None else counts
    data = b"GGUF" + struct.pack(f"{order}IQQ", version, *told)
    for key, (kind, value) in entries.items():
        data += text(key, order) + _value(kind, value, order)
    offset = 0
    for name, shape, number in tensors:
        data += text(name, order) + struct.pack(f"{order}I{len(shape)}QIQ", len(shape), *shape, number, offset)
        block, size = BYTES.get(number, (1, 1))
        elements = 1
        for side in shape:
            elements *= side
        offset += -(-(elements // block * size) // 32) * 32
    return data + bytes(-len(data) % 32), offset


def whole(**options: Any) -> bytes:
    """A file with zeros for numbers."""
    head, size = header(**options)
    return head + bytes(size)
