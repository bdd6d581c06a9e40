"""The content of a PyTorch pickle: tensors by their place in the module tree, and what stands beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from backends.core.counted import counted
from backends.core.inspection import ArrayInfo, Json
from backends.formats.pickle.values import DictValue, Global, Instance, Value

_MOST_TENSORS = 100_000
_MOST_VALUES = 1_000_000
_DEPTH = 64
_TOLD = 40
_PARTS = ("_parameters", "_buffers", "_modules")
"""Dictionaries of a module, whose names are no part of the place of what they hold."""
_WEIGHTS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
_OPTIMIZERS = ("optimizer", "optimizer_states", "optimizer_state_dict", "optim", "opt")
_LIGHTNING = "pytorch-lightning_version"


class Tensor(NamedTuple):
    """A tensor: a view of the storage under `key` from `offset` on, in elements, which others may show too."""

    info: ArrayInfo
    key: str
    offset: int
    strides: tuple[int, ...]

    @property
    def numbers(self) -> tuple[str, int, tuple[int, ...], tuple[int, ...]]:
        """The same for tensors that show the same numbers alike."""
        return self.key, self.offset, self.info.shape, self.strides


AsTensor = Callable[[str, Value], Optional[Tensor]]


@dataclass
class Contents:
    """`views` are the tensors by dotted names, `values` those of the outermost dictionary that are plain, `kind` tells
    in a word or two."""

    kind: str = ""
    views: list[Tensor] = field(default_factory=list)
    values: dict[str, Json] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    """Names of tensors that show the numbers of one before them."""

    @property
    def tensors(self) -> list[ArrayInfo]:
        """The tensors without where their numbers lie."""
        return [one.info for one in self.views]

    def parameters(self) -> int:
        """Elements of the tensors of the model, without those of an optimiser."""
        return sum(_elements(one) for one in self._weights() if one.name not in self.repeated)

    def summary(self) -> str:
        """The kind, the number of parameters and their dtype."""
        weights = self._weights()
        dtypes = Counter(one.dtype for one in weights)
        many = f"{counted(self.parameters())} params" if weights else ""
        epoch = self.values.get("epoch")
        parts = [self.kind, f"epoch {epoch}" if type(epoch) is int else "", many]
        return " · ".join(filter(None, (*parts, dtypes.most_common(1)[0][0] if dtypes else "")))

    def details(self) -> dict[str, Json]:
        """Facts that the overview shows beside the tensors."""
        sizes: Counter[str] = Counter()
        for one in self.tensors:
            sizes[one.dtype] += one.bytes
        inside = [one for one in self.tensors if one.name.partition(".")[0] in _OPTIMIZERS]
        found: dict[str, Json] = {
            "holds": self.kind or None,
            "parameters": self.parameters(),
            "bytes_by_dtype": dict(sizes),
            "optimiser": f"{len(inside)} tensors, {sum(one.bytes for one in inside):,} bytes" if inside else None,
            "beside": dict(list(self.values.items())[:_TOLD]),
        }
        return {name: value for name, value in found.items() if value not in (None, {}, 0)}

    def _weights(self) -> list[ArrayInfo]:
        tensors = self.tensors
        named = [one for one in tensors if one.name.partition(".")[0] in _WEIGHTS]
        others = (one for one in tensors if one.name.partition(".")[0] not in _OPTIMIZERS)
        return named or list(others)


def contents_of(root: Value, as_tensor: AsTensor) -> Contents:
    """All that lies in dictionaries, lists and modules beneath the root, as far as a file may be nested."""
    found = Contents()
    pairs = _pairs(root)
    if pairs is not None:
        keys = [key for key, _value in pairs if type(key) is str]
        found.values = {key[:100]: plain for key, value in pairs if type(key) is str and (plain := _plain(value))}
        found.kind = _kind(keys, pairs, as_tensor)
    elif (single := as_tensor("tensor", root)) is not None:
        found.kind, found.views = "one tensor", [single]
        return found
    elif type(root) is Instance:
        found.kind = f"module {str(root.callee).rpartition('.')[2]}"
    seen, shown, left = set[int](), set[Any](), _MOST_VALUES
    waiting: list[tuple[str, Value, int]] = [("", root, 0)]
    while waiting and left and len(found.views) < _MOST_TENSORS:
        place, value, depth = waiting.pop()
        left -= 1
        tensor = as_tensor(place, value)
        if tensor is not None:
            found.views.append(tensor)
            if tensor.numbers in shown:
                found.repeated.add(tensor.info.name)
            shown.add(tensor.numbers)
        elif depth < _DEPTH and id(value) not in seen:
            if type(value) in (DictValue, Instance, list, tuple):
                seen.add(id(value))
            waiting.extend(reversed([(name, one, depth + 1) for name, one in _beneath(place, value)]))
    return found


def _kind(keys: list[str], pairs: list[tuple[Value, Value]], as_tensor: AsTensor) -> str:
    if _LIGHTNING in keys:
        return "Lightning checkpoint"
    if pairs and all(as_tensor("x", value) is not None for _key, value in pairs):
        return "state dict"
    return "checkpoint" if any(key in (*_WEIGHTS, *_OPTIMIZERS, "epoch") for key in keys) else ""


def _beneath(place: str, value: Value) -> Iterator[tuple[str, Value]]:
    if type(value) in (list, tuple):
        yield from ((_joined(place, str(at)), one) for at, one in enumerate(value))
        return
    pairs = _pairs(value)
    if pairs is None and type(value) is Instance:
        state = value.state if type(value.state) is DictValue else None
        pairs = [] if state is None else _pairs(state)
    for key, one in pairs or ():
        if type(key) is str and key in _PARTS:
            yield place, one
        elif type(key) in (str, int):
            yield _joined(place, str(key)), one


def _pairs(value: Value) -> Optional[list[tuple[Value, Value]]]:
    """The items of a dictionary, or of an ordered one however it was written; None for anything else."""
    if type(value) is DictValue:
        flat = value.flat
    elif type(value) is Instance and type(value.callee) is Global and value.callee.name in ("OrderedDict", "dict"):
        flat = value.pairs or []
        first = value.args[0] if type(value.args) is tuple and value.args else None
        if not flat and type(first) is list:
            return [(one[0], one[1]) for one in first if type(one) in (list, tuple) and len(one) == 2]
    else:
        return None
    return list(zip(flat[::2], flat[1::2]))


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}"[:400] if place else name[:400]


def _plain(value: Value) -> Json:
    """A value that can be told in a line; None for others, and for what tells nothing."""
    if type(value) is str:
        return value[:100]
    return value if type(value) in (int, float, bool) else None


def _elements(one: ArrayInfo) -> int:
    count = 1
    for side in one.shape:
        count *= side
    return count
