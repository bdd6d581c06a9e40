"""Messages of protocol buffers written by hand, well-formed or not, for files that no exporter writes."""

from __future__ import annotations

__all__ = ["field", "graph", "model", "node", "number", "tensor", "text", "varint"]


def varint(value: int) -> bytes:
    """A number of up to 64 bits; negative ones as ten bytes."""
    value &= 0xFFFFFFFFFFFFFFFF
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*parts, value))


def field(tag: int, content: bytes) -> bytes:
    """A field of bytes or of a message."""
    return varint(tag << 3 | 2) + varint(len(content)) + content


def text(tag: int, content: str) -> bytes:
    """A field of text."""
    return field(tag, content.encode())


def number(tag: int, value: int) -> bytes:
    """A field of a whole number."""
    return varint(tag << 3) + varint(value)


def node(op_type: str, domain: str = "", *attributes: bytes) -> bytes:
    """A NodeProto with an input and an output."""
    attributed = b"".join(field(5, attribute) for attribute in attributes)
    return text(1, "x") + text(2, "y") + text(4, op_type) + attributed + text(7, domain)


def tensor(*dims: int, dtype: int = 1, name: str = "w", rest: bytes = b"") -> bytes:
    """A TensorProto; `rest` holds its values."""
    return b"".join(number(1, side) for side in dims) + number(2, dtype) + text(8, name) + rest


def graph(*nodes: bytes, tensors: tuple[bytes, ...] = (), rest: bytes = b"") -> bytes:
    """A GraphProto."""
    return b"".join(field(1, one) for one in nodes) + text(2, "g") + b"".join(field(5, one) for one in tensors) + rest


def model(graph: bytes, *rest: bytes, opsets: tuple[str, ...] = ("",)) -> bytes:
    """A ModelProto of IR version 8 with these operator sets."""
    imports = b"".join(field(8, text(1, domain) + number(2, 17)) for domain in opsets)
    return number(1, 8) + text(2, "by hand") + field(7, graph) + imports + b"".join(rest)
