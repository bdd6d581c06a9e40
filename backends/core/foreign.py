"""Model formats that are recognised and not read here, so that a file in one is told apart from a file that is broken.

Each is told by its first bytes: the magic number of MXNet.
"""

from __future__ import annotations

import os
import re
from typing import Optional

_STARTS = ((re.compile(rb"\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "MXNet"),)
_NAMES = {
    ".ggml": "GGML",
    ".pdparams": "PaddlePaddle",
    ".pdmodel": "PaddlePaddle",
    ".caffemodel": "Caffe",
    ".t7": "Lua Torch",
    ".pte": "ExecuTorch",
}
FOREIGN_SUFFIXES = frozenset((".tflite", ".pb", ".gguf", ".txt", ".json", ".csv"))
"""Extensions that promise something else than a format that is read here."""
PROMISING_SUFFIXES = frozenset(_NAMES)
"""Extensions that make a file worth a row, so that the operator sees what is to be done about it."""


def foreign_format(head: bytes) -> Optional[str]:
    """The model format that starts with these bytes and is not read here, None for any other."""
    return next((name for start, name in _STARTS if start.match(head)), None)


def promised_format(name: str) -> Optional[str]:
    """The model format not read here that a file's name promises."""
    return _NAMES.get(os.path.splitext(name.lower())[1])
