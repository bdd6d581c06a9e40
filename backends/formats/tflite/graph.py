"""The parts of a TensorFlow Lite model, as its schema numbers them:
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from backends.core.errors import Damaged
from backends.formats.tflite.flatbuffer import FlatBuffer, Table

_DTYPES = (
    "float32 32|float16 16|int32 32|uint8 8|int64 64|str 0|bool 8|int16 16|complex64 64|int8 8|float64 64"
    "|complex128 128|uint64 64|resource 0|variant 0|uint32 32|uint16 16|int4 4|bfloat16 16|int2 2|uint4 4"
    "|float8e4m3fn 8|float8e5m2 8"
)
DTYPES = {number: (name, int(bits)) for number, (name, bits) in enumerate(one.split() for one in _DTYPES.split("|"))}
"""Element types of tensors: name and bits; what has no size of its own has none."""
CUSTOM, _PLACEHOLDER = 32, 127
MOST_RANK = 16
_MOST_SUBGRAPHS = 1000


@dataclass
class Data:
    """The bytes of one buffer: none where it is empty."""

    start: int = 0
    size: int = 0


@dataclass
class Quantization:
    """Numbers that stand for others: a scale and a zero point, of the whole tensor or of each place on one side."""

    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    side: int = 0


@dataclass
class Tensor:
    """One tensor: `shape` as it is laid out, `told` with -1 for sides of any length, `buffer` its place in the file."""

    name: str
    shape: tuple[int, ...]
    told: tuple[int, ...]
    kind: int
    buffer: int
    variable: bool
    sparse: bool
    quantization: Quantization


@dataclass
class Operator:
    """One call: indices of tensors that go in (-1 = left out) and come out, and its options."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: Optional[Table]
    options_2: Optional[Table]


@dataclass
class Subgraph:
    """One graph of the model; the first is what is run."""

    name: str
    tensors: list[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: list[Operator]


@dataclass
class Code:
    """One operator that the model uses: a builtin by its number, or one of its own by a name."""

    builtin: int
    custom: str
    version: int

    @property
    def name(self) -> str:
        """Its name in the schema, or the model's own."""
        if self.builtin == CUSTOM:
            return self.custom
        known = builtin_names()
        return known[self.builtin] if 0 <= self.builtin < len(known) else f"operator {self.builtin}"


@dataclass
class Entry:
    """A way to ask the model: names of tensors of one subgraph."""

    key: str
    subgraph: int
    inputs: list[tuple[str, int]]
    outputs: list[tuple[str, int]]


@dataclass
class Model:
    """All of it."""

    version: int
    description: str
    codes: list[Code] = field(default_factory=list)
    subgraphs: list[Subgraph] = field(default_factory=list)
    buffers: list[Data] = field(default_factory=list)
    metadata: list[tuple[str, int]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    external: bool = False

    def is_constant(self, tensor: Tensor) -> bool:
        """Whether a tensor is a constant: its numbers are in the file."""
        return tensor.buffer < len(self.buffers) and self.buffers[tensor.buffer].size > 0


@functools.cache
def builtin_names() -> tuple[str, ...]:
    """Names of the builtin operators by their codes."""
    lines = Path(__file__).with_name("operators.txt").read_text(encoding="ascii").splitlines()
    return tuple(line for line in lines if line and line[0] != "#")


def read_model(buffer: FlatBuffer) -> Model:
    """The model in a file. Raises Damaged."""
    root = buffer.root()
    model = Model(root.number(0, "I"), root.text(3))
    model.codes = [_code(one) for one in root.tables(1)]
    model.buffers = [_data(one, buffer) for one in root.tables(4)]
    subgraphs = root.tables(2)
    if not subgraphs or len(subgraphs) > _MOST_SUBGRAPHS:
        raise Damaged(f"a model of {len(subgraphs):,} subgraphs", offset=root.position)
    model.subgraphs = [_subgraph(one) for one in subgraphs]
    model.metadata = [(one.text(0), one.number(1, "I")) for one in root.tables(6)]
    model.entries = [_entry(one) for one in root.tables(7)]
    model.external = bool(root.tables(8) or root.tables(9))
    return model


def _code(table: Table) -> Code:
    """Builtins beyond 127 stand in a field of their own, which older writers leave out."""
    builtin = max(table.number(0, "b"), table.number(3, "i"))
    return Code(builtin, table.text(1)[:200], table.number(2, "i", 1))


def _data(table: Table, buffer: FlatBuffer) -> Data:
    """Bytes in the vector, or behind the tables where the file is larger than offsets reach."""
    start, size = table.number(1, "Q"), table.number(2, "Q")
    if start > 1:
        buffer.claim(start, size)
        return Data(start, size)
    vector = table.vector(0, 1)
    return Data() if vector is None else Data(vector.start, vector.length)


def _subgraph(table: Table) -> Subgraph:
    return Subgraph(
        table.text(4),
        [_tensor(one) for one in table.tables(0)],
        table.numbers(1, "i"),
        table.numbers(2, "i"),
        [_operator(one) for one in table.tables(3)],
    )


def _tensor(table: Table) -> Tensor:
    shape = table.vector(0, 4)
    if shape is not None and shape.length > MOST_RANK:
        raise Damaged(f"a tensor of {shape.length:,} sides", offset=table.position)
    held = table.table(4)
    quantization = Quantization()
    if held is not None:
        quantization = Quantization(held.numbers(2, "f"), held.numbers(3, "q"), held.number(6, "i"))
    return Tensor(
        table.text(3),
        table.numbers(0, "i"),
        table.numbers(7, "i", MOST_RANK),
        table.number(1, "b"),
        table.number(2, "I"),
        bool(table.number(5, "b")),
        table.table(6) is not None,
        quantization,
    )


def _operator(table: Table) -> Operator:
    table.vector(5, 1)
    return Operator(
        table.number(0, "I"),
        table.numbers(1, "i"),
        table.numbers(2, "i"),
        table.numbers(8, "i"),
        table.table(4),
        table.table(12),
    )


def _entry(table: Table) -> Entry:
    inputs = [(one.text(0), one.number(1, "I")) for one in table.tables(0)]
    outputs = [(one.text(0), one.number(1, "I")) for one in table.tables(1)]
    return Entry(table.text(2), table.number(4, "I"), inputs, outputs)
