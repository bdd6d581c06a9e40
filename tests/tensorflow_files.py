"""Files of TensorFlow made by hand: graphs, SavedModels, and the index of a checkpoint."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.backends.protobuf import field, number, text, varint

FLOAT, STRING, RESOURCE = 1, 7, 20


def shape(*sides: int) -> bytes:
    return b"".join(field(2, number(1, side)) for side in sides)


def node(name: str, operator: str, *inputs: str, **attributes: bytes) -> bytes:
    taken = b"".join(text(3, one) for one in inputs)
    said = b"".join(field(5, text(1, key) + field(2, value)) for key, value in attributes.items())
    return field(1, text(1, name) + text(2, operator) + taken + said)


def placeholder(name: str, *sides: int) -> bytes:
    return node(name, "Placeholder", dtype=number(6, FLOAT), shape=field(7, shape(*sides)))


def constant(name: str, *sides: int) -> bytes:
    return node(name, "Const", dtype=number(6, FLOAT), value=field(8, number(1, FLOAT) + field(2, shape(*sides))))


def function(name: str, *operators: str) -> bytes:
    nodes = b"".join(field(3, text(1, f"n{at}") + text(2, one)) for at, one in enumerate(operators))
    return field(1, field(1, text(1, name)) + nodes)


def graph(*operators: str, functions: bytes = b"") -> bytes:
    """A product, and calls of these operators."""
    calls = b"".join(node(f"c{at}", one, "product") for at, one in enumerate(operators))
    nodes = placeholder("row", -1, 4) + constant("w", 4, 2) + node("product", "MatMul", "row", "w:0") + calls
    return nodes + (field(2, functions) if functions else b"") + field(4, number(1, 27))


def info(name: str, kind: int, *sides: int) -> bytes:
    return text(1, name) + number(2, kind) + field(3, shape(*sides))


def saved_model(*operators: str, functions: bytes = b"", rest: bytes = b"") -> bytes:
    told = field(2, b"") + text(4, "serve") + text(5, "2.21.0")
    sides = field(1, text(1, "row") + field(2, info("row:0", FLOAT, -1, 4)))
    sides += field(2, text(1, "scores") + field(2, info("product:0", FLOAT, -1, 2)))
    signature = field(5, text(1, "serving_default") + field(2, sides + text(3, "tensorflow/serving/predict")))
    meta = field(1, told) + field(2, graph(*operators, functions=functions)) + signature + rest
    return number(1, 1) + field(2, meta)


def _entries(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A block of a table: entries that share nothing, one restart, and no compression."""
    data = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs)
    return data + struct.pack("<II", 0, 1)


def index(variables: dict[str, tuple[int, ...]], shards: int = 1) -> bytes:
    """The index of a checkpoint of float32 variables, one behind the other."""
    pairs, offset = [(b"", number(1, shards) + field(3, number(1, 1)))], 0
    for name, sides in sorted(variables.items()):
        size = 4
        for side in sides:
            size *= side
        entry = number(1, FLOAT) + field(2, shape(*sides)) + number(4, offset) + number(5, size)
        pairs.append((name.encode(), entry + varint(6 << 3 | 5) + bytes(4)))
        offset += size
    blocks, handles = b"", []
    for block in (_entries(pairs), _entries([])):
        handles.append(varint(len(blocks)) + varint(len(block)))
        blocks += block + bytes(5)
    top = _entries([(b"~", handles[0])])
    handle = varint(len(blocks)) + varint(len(top))
    footer = (handles[1] + handle).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    return blocks + top + bytes(5) + footer


def write_saved_model(place: Path, *operators: str, **more: bytes) -> Path:
    """A SavedModel as it lies in a directory, with 8 variables' worth of bytes."""
    (place / "variables").mkdir(parents=True)
    (place / "assets").mkdir()
    (place / "saved_model.pb").write_bytes(saved_model("VarHandleOp", *operators, **more))
    (place / "variables" / "variables.index").write_bytes(index({"dense/kernel": (4, 2), "dense/bias": (2,)}))
    (place / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(40))
    return place
