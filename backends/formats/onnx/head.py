"""Whether first bytes start an ONNX model: fields that one has, in an order and with contents that its writers give."""

from __future__ import annotations

import re
from typing import Optional

_TEXTS = frozenset((0x12, 0x1A, 0x22, 0x32))
_GRAPH, _OPSET, _MODEL_VERSION = 0x3A, 0x42, 0x28
_IN_GRAPH = frozenset((0x0A, 0x12, 0x2A, 0x52, 0x5A, 0x62, 0x6A, 0x72, 0x7A))
_IN_OPSET = frozenset((0x0A, 0x10))
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_NAME_CAP = 1000


def starts_like_a_model(head: bytes) -> bool:
    """Whether these first bytes are an IR version and then fields of a model up to its graph or the end of the head."""
    version = _varint(head, 1) if head[:1] == b"\x08" else None
    if version is None or not 1 <= version[0] < 1 << 14:
        return False
    position, texts = version[1], 0
    while position < len(head):
        tag = head[position]
        value = _varint(head, position + 1)
        if value is None:
            break
        length, start = value
        if tag in (_GRAPH, _OPSET):
            inside = _IN_GRAPH if tag == _GRAPH else _IN_OPSET
            return length == 0 or (head[start] in inside if start < len(head) else texts > 0)
        if tag == _MODEL_VERSION:
            position = start
        elif tag in _TEXTS and _is_text(head[start : start + length], length, tag):
            position, texts = start + length, texts + (length > 2)
        else:
            return False
    return texts > 0


def _is_text(text: bytes, length: int, tag: int) -> bool:
    """Whether these bytes are a name or, of field 6, a description."""
    return (length <= _NAME_CAP or tag == 0x32) and _CONTROL.search(text) is None


def _varint(head: bytes, position: int) -> Optional[tuple[int, int]]:
    """A number and where it ends; None where it is cut off or too long."""
    value = 0
    for number in range(10):
        if position + number >= len(head):
            return None
        byte = head[position + number]
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return value, position + number + 1
    return None
