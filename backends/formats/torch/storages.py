"""Storages, which hold the numbers, and the tensors that are views of them: shape, offset and strides in elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Optional

from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding
from backends.formats.pickle.arrays import is_shape
from backends.formats.pickle.values import Global, Instance, Value
from backends.formats.torch.contents import Tensor
from backends.formats.torch.names import DTYPES, REBUILDERS, STORAGES, is_storage

_MAX_TOLD = 20


@dataclass(frozen=True)
class Storage:
    """The numbers behind tensors: `count` elements of the type called `kind`, under `key`."""

    kind: str
    key: str
    count: int

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return STORAGES[self.kind][1]


class Storages:
    """Knows a tensor's persistent id; what it knew, by key."""

    def __init__(self, length: int) -> None:
        self.found: dict[str, Storage] = {}
        self.modules = 0
        self.odd = 0
        self._length = length

    def __call__(self, persistent_id: Value) -> Value:
        """The storage of this id, None for any other id."""
        if type(persistent_id) is not tuple or not persistent_id or type(persistent_id[0]) is not str:
            return None
        if persistent_id[0] == "module" and self._length == 6 and len(persistent_id) == 4:
            self.modules += 1
            return persistent_id[1] if type(persistent_id[1]) is Global else None
        if persistent_id[0] != "storage" or len(persistent_id) != self._length:
            return None
        kind, key, location, count = persistent_id[1:5]
        if type(kind) is not Global or not is_storage(kind.module, kind.name):
            return None
        if type(key) is not str or type(location) is not str or type(count) is not int or not 0 <= count < 1 << 62:
            return None
        storage = Storage(kind.name, key, count)
        if self.found.setdefault(key, storage) != storage:
            self.odd += 1
        return storage


class Tensors:
    """Knows the tensors of a pickle; `outside` are the names of those that reach beyond their storage."""

    def __init__(self) -> None:
        self.outside: list[str] = []

    def __call__(self, name: str, value: Value) -> Optional[Tensor]:
        """The tensor that this value is, or a parameter around one; None for any other value."""
        if type(value) is not Instance or type(value.callee) is not Global or type(value.args) is not tuple:
            return None
        args = value.args
        if value.callee.module == "torch._utils" and value.callee.name == "_rebuild_parameter" and args:
            return self(name, args[0])
        if (value.callee.module, value.callee.name) not in REBUILDERS or len(args) < 4 or not name:
            return None
        storage, offset, shape, strides = args[:4]
        if type(storage) is not Storage or not is_shape(shape):
            return None
        info = ArrayInfo(name, shape, DTYPES.get(storage.kind, storage.kind), storage.itemsize * prod(shape))
        if not _lies_within(storage.count, offset, shape, strides):
            self.outside.append(name)
            return Tensor(info, f"{storage.key} outside", len(self.outside), ())
        return Tensor(info, storage.key, offset, strides)

    def findings(self) -> list[Finding]:
        """One for each tensor that reaches beyond its storage."""
        return [
            finding("torch-storage", f"the tensor {name[:100]!r} reaches beyond its numbers", 0)
            for name in self.outside[:_MAX_TOLD]
        ]


def _lies_within(count: int, offset: Value, shape: tuple[int, ...], strides: Value) -> bool:
    """Whether the first and the last element of such a view are among `count` elements."""
    if type(offset) is not int or offset < 0 or not is_shape(strides) or len(strides) != len(shape):
        return False
    if 0 in shape:
        return offset <= count
    last: int = offset + sum((side - 1) * stride for side, stride in zip(shape, strides))
    return last < count
