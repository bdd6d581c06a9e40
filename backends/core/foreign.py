"""Model formats that are recognised and not read here, so that a file in one is told apart from a file that is broken.

Each is told by its first bytes: the magic numbers of safetensors, GGUF, TensorFlow Lite, CatBoost, XGBoost, LightGBM,
MXNet and PMML.
"""

from __future__ import annotations

import os
import re
from typing import Optional

from backends.core.source import Source

__all__ = ["FOREIGN_SUFFIXES", "PROMISING_SUFFIXES", "foreign_format", "missing_bytes", "promised_format"]

_STARTS = (
    (re.compile(rb"GGUF"), "GGUF"),
    (re.compile(rb".{4}TFL3", re.DOTALL), "TensorFlow Lite"),
    (re.compile(rb"CBM1"), "CatBoost"),
    (re.compile(rb"\{L.{8}[a-zA-Z]?.{0,9}learner", re.DOTALL), "XGBoost"),
    (re.compile(rb'\s*\{\s*"learner"\s*:\s*\{'), "XGBoost"),
    (re.compile(rb"tree\r?\nversion=v\d"), "LightGBM"),
    (re.compile(rb"\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "MXNet"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml[^>]*>\s*<)?(?:!--.*?-->\s*<)?PMML[\s>]", re.DOTALL), "PMML"),
)
_NAMES = {
    ".safetensors": "safetensors",
    ".gguf": "GGUF",
    ".ggml": "GGML",
    ".tflite": "TensorFlow Lite",
    ".cbm": "CatBoost",
    ".ubj": "XGBoost",
    ".bst": "XGBoost",
    ".pb": "TensorFlow",
    ".mlmodel": "Core ML",
    ".pmml": "PMML",
    ".pdparams": "PaddlePaddle",
    ".pdmodel": "PaddlePaddle",
    ".caffemodel": "Caffe",
    ".t7": "Lua Torch",
    ".pte": "ExecuTorch",
}
FOREIGN_SUFFIXES = frozenset((".safetensors", ".tflite", ".pb", ".gguf", ".txt", ".json", ".csv"))
"""Extensions that promise something else than a format that is read here."""
PROMISING_SUFFIXES = frozenset(_NAMES)
"""Extensions that make a file worth a row, so that the operator sees what is to be done about it."""
_MAX_HEADER = 100_000_000
_HEADER_LOOK = 8 << 20
_TENSOR_END = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d{1,18}\s*,\s*(\d{1,18})\s*\]')


def foreign_format(head: bytes) -> Optional[str]:
    """The model format that starts with these bytes and is not read here, None for any other."""
    if _is_safetensors(head):
        return "safetensors"
    return next((name for start, name in _STARTS if start.match(head)), None)


def missing_bytes(source: Source, head: bytes) -> Optional[str]:
    """How much of a safetensors file is there, in words, where that is not all; None for any other. Raises OSError."""
    if not _is_safetensors(head):
        return None
    length = int.from_bytes(head[:8], "little")
    ends = [int(end) for end in _TENSOR_END.findall(source.read(8, min(length, _HEADER_LOOK)))]
    need = 8 + length + max(ends, default=0)
    return f"{source.size:,} of at least {need:,} bytes are there" if source.size < need else None


def promised_format(name: str) -> Optional[str]:
    """The model format not read here that a file's name promises."""
    return _NAMES.get(os.path.splitext(name.lower())[1])


def _is_safetensors(head: bytes) -> bool:
    """A header's length in 8 bytes, then that header: JSON that describes tensors."""
    length = int.from_bytes(head[:8], "little")
    start = head[8:].lstrip(b" ")[:1]
    return 2 <= length <= _MAX_HEADER and start == b"{" and (b'"dtype"' in head or b'"__metadata__"' in head)
