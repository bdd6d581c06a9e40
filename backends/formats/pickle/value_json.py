"""Abstract values of a pickle as JSON-safe ones: plain values as they are, everything else in a few words."""

from __future__ import annotations

import math
import re
from typing import Optional

from backends.core.inspection import Json
from backends.formats.pickle.arrays import ArrayValue, decode, read_array, read_scalar
from backends.formats.pickle.values import DictValue, Global, Instance, Opaque, SetValue, Span, Value

MAX_LABELS = 1000
_MAX_ITEMS = 200
_MAX_TEXT = 2000
_MAX_DEPTH = 6
_CLASS_MAKERS = ("_reconstructor", "__newobj__", "__newobj_ex__")
_TYPES = re.compile(
    r"(?:bool|str|bytes|object)_?|bool8|u?int(?:8|16|32|64)|int[cp]?|float(?:16|32|64)?|complex(?:64|128)?|longdouble"
    r"|list|dict|tuple|set|ndarray|dtype"
)
"""Classes of Python and numpy whose names look like those of functions."""
_FEW_WORDS = {
    "RandomState": "<RandomState>", "__randomstate_ctor": "<RandomState>", "__generator_ctor": "<Generator>",
    "slice": "<slice>", "range": "<range>", "partial": "<partial>",
}  # fmt: skip


def class_of(value: Value) -> Optional[Global]:
    """The class an Instance is of, as far as the stream tells; None for the result of an ordinary function."""
    if type(value) is not Instance or type(value.callee) is not Global:
        return None
    callee, args = value.callee, value.args
    maker = callee.name in _CLASS_MAKERS or callee.name.startswith("__pyx_unpickle_")
    if maker and type(args) is tuple and args and type(args[0]) is Global:
        return args[0]
    named_as_class = callee.name.rsplit(".", 1)[-1].lstrip("_")[:1].isupper()
    return callee if value.new or named_as_class else None


class JsonBudget:
    """How many values and characters one file may turn into JSON: what is shared would unfold without bound."""

    def __init__(self, values: int = 200_000, characters: int = 8_000_000) -> None:
        self.values = values
        self.characters = characters

    def spend(self, value: Value) -> bool:
        """Count one value; false when nothing is left."""
        self.values -= 1
        if type(value) is str:
            self.characters -= min(len(value), _MAX_TEXT)
        return self.values > 0 and self.characters > 0


def to_json(value: Value, depth: int = 0, budget: Optional[JsonBudget] = None) -> Json:
    """A value as JSON, capped in length and depth; nan and infinities become "nan", "inf" and "-inf"."""
    budget = budget or JsonBudget(1000, 100_000)
    if not budget.spend(value):
        return "<…>"
    if value is None or type(value) in (bool, int):
        return value if type(value) is not int or abs(value) < 1 << 128 else "<a very long integer>"
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if type(value) is str:
        return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…"
    if type(value) in (bytes, Span, Opaque):
        return _few_words(value)
    if depth >= _MAX_DEPTH:
        return "<…>"
    if type(value) in (list, tuple, SetValue):
        items = value.items if type(value) is SetValue else value
        return _sequence(items, depth, budget)
    if type(value) is DictValue:
        return _mapping(value, depth, budget)
    if type(value) is Global:
        return f"<{'class' if _names_class(value) else 'function'} {value}>"
    return _object(value)


def _sequence(items: Value, depth: int, budget: JsonBudget) -> Json:
    listed = [to_json(item, depth + 1, budget) for item in items[:_MAX_ITEMS]]
    return [*listed, f"… {len(items) - _MAX_ITEMS} more"] if len(items) > _MAX_ITEMS else listed


def _mapping(value: DictValue, depth: int, budget: JsonBudget) -> Json:
    flat, found = value.flat, {}
    for at in range(0, min(len(flat) - 1, 2 * _MAX_ITEMS), 2):
        key = flat[at] if type(flat[at]) is str else str(to_json(flat[at], depth + 1, budget))
        found[key[:_MAX_TEXT]] = to_json(flat[at + 1], depth + 1, budget)
    return found


def _few_words(value: Value) -> str:
    if type(value) is bytes:
        return f"<{len(value)} bytes>"
    if type(value) is Span:
        return f"<{value.length} bytes>" if value.encoding == "bytes" else f"<text of {value.length} bytes>"
    return f"<{value.text}>"


def _names_class(name: Global) -> bool:
    last = name.name.rsplit(".", 1)[-1]
    return _TYPES.fullmatch(last) is not None or last.lstrip("_")[:1].isupper()


def _object(value: Value) -> Json:
    scalar = read_scalar(value)
    if scalar is not None:
        return to_json(scalar[1]) if scalar[1] is not None else f"<{scalar[0].text}>"
    array = read_array(value)
    if array is not None:
        return f"<array {array.dtype.text} {array.shape}>"
    if type(value) is not Instance or type(value.callee) is not Global:
        return "<object>"
    last = value.callee.name.rsplit(".", 1)[-1]
    kind = class_of(value)
    if last in _FEW_WORDS:
        return _FEW_WORDS[last]
    if last == "dtype" and type(value.args) is tuple and value.args and type(value.args[0]) is str:
        return f"<dtype {value.args[0]}>"
    if kind is None:
        return f"<{value.callee}(…)>"
    name = kind.name.rsplit(".", 1)[-1]
    return f"{name}()" if type(value.state) is DictValue else f"<{name}>"


def labels(value: Value) -> Optional[tuple[Json, ...]]:
    """The labels that an array or a list of arrays holds, up to MAX_LABELS of them; None where it holds none."""
    if type(value) is list:
        inner = [labels(item) for item in value[:MAX_LABELS]]
        return tuple(list(each) for each in inner if each is not None) if inner and None not in inner else None
    array: Optional[ArrayValue] = read_array(value)
    if array is None or len(array.shape) != 1:
        return None
    decoded = decode(array, MAX_LABELS)
    return None if decoded is None else tuple(to_json(item) for item in decoded)
