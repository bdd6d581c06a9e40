"""numpy's dtype as a pickle describes it, read without numpy: size, kind, fields and spelling.

Format: numpy/_core/src/multiarray/descriptor.c, `arraydescr_reduce` (arguments: literal, align, copy; state: version,
byte order, subarray, names, fields, itemsize, alignment, flags[, metadata]).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Optional

from backends.formats.pickle.values import DictValue, Global, Instance, Value

_LITERAL = re.compile(r"([<>|=]?)([?biufcmMSUVaO])([0-9]{0,9})\Z")
_NATIVE = {
    "b1": "bool", "?": "bool", "?1": "bool", "f2": "float16", "f4": "float32", "f8": "float64", "f16": "float128",
    "c8": "complex64", "c16": "complex128", "c32": "complex256",
    **{f"{kind}{size}": f"{'u' if kind == 'u' else ''}int{size * 8}" for kind in "iu" for size in (1, 2, 4, 8)},
}  # fmt: skip
_SIZES = {
    "?": (0, 1),
    "b": (1,),
    "i": (1, 2, 4, 8),
    "u": (1, 2, 4, 8),
    "f": (2, 4, 8, 10, 12, 16),
    "c": (8, 16, 20, 24, 32),
}
_HAS_OBJECT = 0x01
_MAX_DEPTH = 16
_MAX_FIELDS = 1000
_MAX_TEXT = 2000


@dataclass(frozen=True)
class DType:
    """`kind` is numpy's letter (b i u f c m M S U V O), `itemsize` in bytes, `order` "<", ">" or "|".

    `numbers` is how many numbers one element holds: 1, or the count of a record's numeric fields.
    """

    kind: str
    itemsize: int
    order: str
    text: str
    objects: bool = False
    fields: tuple[tuple[str, DType], ...] = ()
    numbers: int = 0


def structured(fields: list[tuple[str, DType]], itemsize: int) -> DType:
    """The dtype of a record."""
    text = "[" + ", ".join(f"('{name}', '{inner.text}')" for name, inner in fields) + "]"
    text = text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…]"
    numbers = sum(1 for _, inner in fields if inner.numbers)
    return DType("V", itemsize, "|", text, any(inner.objects for _, inner in fields), tuple(fields), numbers)


@functools.lru_cache(maxsize=1024)
def literal_dtype(text: str, order: str = "") -> DType:
    """The dtype of a literal such as "f8", "<U5" or "O". Raises ValueError for any other spelling."""
    match = _LITERAL.match(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no plain dtype")
    mark, kind, digits = match.groups()
    order = order or mark
    kind = {"a": "S"}.get(kind, kind)
    if kind == "O":
        return DType("O", 8, "|", "object", objects=True)
    size = int(digits or 0)
    if kind in _SIZES and size not in _SIZES[kind]:
        raise ValueError(f"{text!r} is no plain dtype")
    if kind in "mM" and size not in (0, 8):
        raise ValueError(f"{text!r} is no plain dtype")
    itemsize = {"U": 4 * size, "m": 8, "M": 8, "?": 1}.get(kind, size)
    plain = kind in "?bSV" or itemsize == 1
    order = "|" if plain else (order if order in "<>" and order else "<")
    native = _NATIVE.get(f"{kind}{digits}", "")
    kind = "b" if kind == "?" else kind
    numbers = 1 if kind in "biufc" else 0
    if native and order in "<|":
        return DType(kind, itemsize, order, native, numbers=numbers)
    name = {"m": "timedelta64", "M": "datetime64"}.get(kind, "")
    return DType(kind, itemsize, order, name or f"{order}{kind}{digits}", numbers=numbers)


def read_dtype(value: Value, depth: int = 0) -> DType:
    """The dtype that `value` (a call of numpy.dtype and its state) would give.

    Raises ValueError for whatever numpy itself does not write: then nothing about its size can be trusted.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("a dtype nested too deep")
    if type(value) is Instance and type(value.known) is DType:
        return value.known
    if type(value) is not Instance or type(value.callee) is not Global:
        raise ValueError("a dtype that numpy.dtype does not make")
    args, state = value.args, value.state
    if _makes_strings(value.callee) and is_strings(args) and state is None and value.kwargs is None:
        return _STRINGS
    if not _is_dtype(value.callee):
        raise ValueError("a dtype that numpy.dtype does not make")
    if type(args) is not tuple or len(args) not in (1, 3) or value.kwargs is not None:
        raise ValueError("a dtype made from something else than a literal")
    if len(args) == 3 and not (_is_flag(args[1]) and _is_flag(args[2])):
        raise ValueError("a dtype with odd flags")
    if state is not None and (type(state) is not tuple or not 7 <= len(state) <= 9):
        raise ValueError("a dtype with an odd state")
    literal = f"V{state[5]}" if state is not None and is_record(args[0]) else args[0]
    if type(literal) is not str:
        raise ValueError("a dtype made from something else than a literal")
    known = literal_dtype(literal) if state is None else _with_state(literal, state, depth)
    value.known = known
    return known


_STRINGS = DType("T", 16, "|", "StringDType", objects=True)
"""Texts of any length: a pickle holds each by itself, as it does objects."""


def is_record(value: Value) -> bool:
    """Whether a dtype made from this is one of records: numpy names the class of its elements, not their size."""
    return type(value) is Global and value.module == "numpy" and value.name in ("record", "void")


class _HiddenObjects(ValueError):
    """The flags of a dtype do not tell of the Python objects in it: its bytes would be taken for addresses."""


def hides_objects(value: Instance) -> bool:
    """Whether this dtype holds objects and says it does not (or the other way round)."""
    try:
        read_dtype(value)
    except _HiddenObjects:
        return True
    except ValueError:
        pass
    return False


def _is_dtype(callee: Global) -> bool:
    return callee.module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and callee.name == "dtype"


def _makes_strings(callee: Global) -> bool:
    module = callee.module in ("numpy._core._internal", "numpy.core._internal")
    return module and callee.name == "_convert_to_stringdtype_kwargs"


def is_strings(args: Value) -> bool:
    """Whether these make a StringDType: if it takes other objects than text, and what stands for a missing text."""
    if type(args) is not tuple or len(args) not in (1, 2) or not _is_flag(args[0]):
        return False
    missing = args[1] if len(args) == 2 else None
    return type(missing) in (type(None), str, float) or (type(missing) is Global and missing.name == "NA")


def _is_flag(value: Value) -> bool:
    return value is True or value is False or (type(value) is int and value in (0, 1))


def _with_state(literal: str, state: tuple[Value, ...], depth: int) -> DType:
    order, subarray, names, fields, itemsize = state[1:6]
    flags = state[7] if len(state) > 7 else None
    if not (type(order) is str and order in "<>|=" and type(itemsize) is int and type(flags) in (int, type(None))):
        raise ValueError("a dtype with an odd state")
    base = literal_dtype(literal, "<" if order == "=" else order)
    if subarray is None and names is None and fields is None:
        return _plain(base, itemsize, flags, state[8] if len(state) > 8 else None)
    if base.kind != "V" or itemsize != base.itemsize:
        raise ValueError("a structured dtype whose sizes disagree")
    inner = _subarray(subarray, itemsize, depth) if subarray is not None else _fields(names, fields, itemsize, depth)
    made = structured(inner, itemsize)
    if flags is not None and made.objects != bool(flags & _HAS_OBJECT):
        raise _HiddenObjects("a structured dtype whose flags hide objects")
    return made


def _plain(base: DType, itemsize: int, flags: Optional[int], metadata: Value) -> DType:
    if flags is not None and bool(flags & _HAS_OBJECT) != base.objects:
        raise _HiddenObjects("a dtype whose flags hide objects")
    if base.kind in "SUV" and itemsize != base.itemsize:
        raise ValueError("a dtype whose sizes disagree")
    unit = _unit(metadata) if base.kind in "mM" else ""
    return DType(base.kind, base.itemsize, base.order, base.text + unit, base.objects, numbers=base.numbers)


def _unit(metadata: Value) -> str:
    inner: Value = metadata[1] if type(metadata) is tuple and len(metadata) == 2 else None
    if type(inner) is not tuple or not inner or type(inner[0]) not in (str, bytes):
        return ""
    return f"[{inner[0] if type(inner[0]) is str else inner[0].decode('latin-1')}]"


def _subarray(subarray: Value, itemsize: int, depth: int) -> list[tuple[str, DType]]:
    if type(subarray) is not tuple or len(subarray) != 2:
        raise ValueError("an odd subarray dtype")
    inner, shape = read_dtype(subarray[0], depth + 1), subarray[1]
    count = 1
    for length in shape if type(shape) is tuple else (shape,):
        if type(length) is not int or not 0 <= length < 1 << 31:
            raise ValueError("an odd subarray dtype")
        count *= length
    if count * inner.itemsize != itemsize:
        raise ValueError("a subarray dtype whose sizes disagree")
    return [("", inner)]


def _fields(names: Value, fields: Value, itemsize: int, depth: int) -> list[tuple[str, DType]]:
    if type(names) is not tuple or type(fields) is not DictValue or len(names) > _MAX_FIELDS:
        raise ValueError("odd fields in a dtype")
    entries = fields.text_items()
    found: list[tuple[str, DType]] = []
    for name in names:
        entry: Optional[Value] = entries.get(name) if type(name) is str else None
        if type(entry) is not tuple or len(entry) not in (2, 3) or type(entry[1]) is not int:
            raise ValueError("odd fields in a dtype")
        inner = read_dtype(entry[0], depth + 1)
        if not 0 <= entry[1] <= itemsize - inner.itemsize:
            raise ValueError("a field outside its dtype")
        found.append((name, inner))
    if len(entries) > 2 * len(names):
        raise ValueError("odd fields in a dtype")
    return found
