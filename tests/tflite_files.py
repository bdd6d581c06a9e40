"""TensorFlow Lite models made by hand: flat buffers written from the top down."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class T:
    """A table: field to ("form", number), T, a list of T, bytes, a text, or an array of numbers."""

    fields: dict[int, Any] = field(default_factory=dict)


def packed(root: T, identifier: bytes = b"TFL3") -> bytes:
    """The file."""
    out = bytearray(struct.pack("<I", 0) + identifier)
    _point(out, 0, _table(out, root))
    return bytes(out)


def _aligned(out: bytearray) -> int:
    out += bytes(-len(out) % 4)
    return len(out)


def _point(out: bytearray, at: int, target: int) -> None:
    out[at : at + 4] = struct.pack("<I", target - at)


def _table(out: bytearray, made: T) -> int:
    """Write a table and all beneath it; where it stands."""
    fields = {number: value for number, value in made.fields.items() if value is not None}
    count = max(fields, default=-1) + 1
    vtable = _aligned(out)
    size = 4 + 8 * len(fields)
    places = dict(zip(fields, range(4, size, 8), strict=True))
    out += struct.pack(f"<2H{count}H", 4 + 2 * count, size, *(places.get(number, 0) for number in range(count)))
    start = _aligned(out)
    out += struct.pack("<i", start - vtable) + bytes(size - 4)
    for number, value in fields.items():
        at = start + places[number]
        if isinstance(value, tuple):
            data = struct.pack("<" + value[0], value[1])
            out[at : at + len(data)] = data
        else:
            _point(out, at, _table(out, value) if isinstance(value, T) else _vector(out, value))
    return start


def _vector(out: bytearray, value: Any) -> int:
    start = _aligned(out)
    if isinstance(value, list):
        out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for number, one in enumerate(value):
            _point(out, start + 4 + 4 * number, _table(out, one))
    elif isinstance(value, (bytes, str)):
        data = value.encode() if isinstance(value, str) else value
        out += struct.pack("<I", len(data)) + data + b"\0"
    else:
        out += struct.pack("<I", len(value)) + np.asarray(value).tobytes()
    _aligned(out)
    return start


def ints(*values: int) -> Any:
    return np.array(values, "<i4")


def tensor(name: str, shape: tuple[int, ...], buffer: int = 0, kind: int = 0, **more: Any) -> T:
    told = more.get("told")
    quantization = more.get("quantization")
    return T(
        {0: ints(*shape), 1: ("b", kind), 2: ("I", buffer), 3: name, 4: quantization, 5: ("b", more.get("variable", 0)),
         7: None if told is None else ints(*told)}
    )  # fmt: skip


def operator(code: int, inputs: tuple[int, ...], outputs: tuple[int, ...], options: tuple[int, T] | None = None) -> T:
    kind, table = options or (0, None)
    return T({0: ("I", code), 1: ints(*inputs), 2: ints(*outputs), 3: ("B", kind), 4: table})


def code(builtin: int, custom: str | None = None) -> T:
    return T({0: ("b", min(builtin, 127)), 1: custom, 2: ("i", 1), 3: ("i", builtin)})


def subgraph(tensors: list[T], inputs: tuple[int, ...], outputs: tuple[int, ...], operators: list[T]) -> T:
    return T({0: tensors, 1: ints(*inputs), 2: ints(*outputs), 3: operators, 4: "main"})


def model(codes: list[T], subgraphs: list[T], buffers: list[bytes], **more: Any) -> T:
    held = [T({0: np.frombuffer(one, "u1")} if one else {}) for one in buffers]
    return T({0: ("I", 3), 1: codes, 2: subgraphs, 3: "made by hand", 4: held, 6: more.get("metadata"),
              7: more.get("entries")})  # fmt: skip


KERNEL = np.arange(6, dtype="<f4").reshape(2, 3)
BIAS = np.array([0.5, -1.0], "<f4")
FULLY_CONNECTED, CONV_2D, ADD, CUSTOM = 9, 3, 0, 32


def dense(**changes: Any) -> T:
    """`x @ KERNEL.T + BIAS`, asked by the names that its signature gives."""
    tensors = [
        tensor("in:0", (1, 3), told=(-1, 3)),
        tensor("kernel", changes.get("kernel", (2, 3)), changes.get("buffer", 1)),
        tensor("bias", (2,), 2),
        tensor("out:0", (1, 2), told=(-1, 2)),
    ]
    call = operator(0, changes.get("inputs", (0, 1, 2)), changes.get("outputs", (3,)), (8, T({0: ("b", 0)})))
    graph = subgraph(tensors, (0,), (3,), [call, *changes.get("calls", [])])
    entry = T({0: [T({0: "x", 1: ("I", 0)})], 1: [T({0: "y", 1: ("I", 3)})], 2: "serving_default"})
    metadata = [T({0: "min_runtime_version", 1: ("I", 3)})]
    codes = [changes.get("code", code(FULLY_CONNECTED)), *changes.get("codes", [])]
    graphs = [graph, *changes.get("graphs", [])]
    buffers = [b"", KERNEL.tobytes(), BIAS.tobytes(), b"1.5.0".ljust(16, b"\0")]
    return model(codes, graphs, buffers, metadata=metadata, entries=[entry])


def convolution(stride: int = 1, channels: int = 1, dilation: int = 1) -> T:
    """A convolution of 2 x 2."""
    kernel = np.ones((1, 2, 2, channels), "<f4")
    tensors = [tensor("in", (1, 4, 4, 1)), tensor("k", kernel.shape, 1), tensor("b", (1,), 2),
               tensor("out", (1, 3, 3, 1))]  # fmt: skip
    options = T({0: ("b", 1), 1: ("i", stride), 2: ("i", stride), 4: ("i", dilation), 5: ("i", dilation)})
    graph = subgraph(tensors, (0,), (3,), [operator(0, (0, 1, 2), (3,), (1, options))])
    return model([code(CONV_2D)], [graph], [b"", kernel.tobytes(), bytes(4)])
