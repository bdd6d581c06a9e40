"""Predicates over the arguments of a call that several tables of known constructors share."""

from __future__ import annotations

from typing import Callable

from backends.formats.pickle.values import DictValue, Global, Instance, SetValue, Span, Value

Check = Callable[[tuple[Value, ...]], bool]
TEXT = (str, bytes, Span)
PLAIN = (str, bytes, Span, int, float, bool, complex, type(None))
GROUPS = (list, tuple, DictValue, SetValue)


def each(kinds: tuple[type, ...], most: int) -> Check:
    """At most so many arguments, all of these kinds."""
    return lambda args: len(args) <= most and all(type(item) in kinds for item in args)


def none(args: tuple[Value, ...]) -> bool:
    """No arguments: what there is to say comes with the state."""
    return not args


def never(args: tuple[Value, ...]) -> bool:
    """A name that models keep and picklers do not call."""
    return False


def unpickled(args: tuple[Value, ...]) -> bool:
    """Check of Cython's `__pyx_unpickle_*`: a class, a checksum, and a state or none."""
    return len(args) == 3 and type(args[0]) is Global and type(args[1]) is int and type(args[2]) in (tuple, type(None))


def made_by(value: Instance) -> Value:
    """The name that makes an object: that of its class, where copyreg makes it."""
    callee, args = value.callee, value.args
    known = type(callee) is Global and callee.module in ("copyreg", "copy_reg") and type(args) is tuple and args
    return args[0] if known and type(args[0]) is Global else callee


def is_call(value: Value, module: str, names: tuple[str, ...]) -> bool:
    """Whether a value is what one of these names gave."""
    callee = value.callee if type(value) is Instance else None
    return type(callee) is Global and callee.module == module and callee.name in names


def is_bytes(value: Value) -> bool:
    """Whether a call gives bytes, as protocols before 3 spell them."""
    return is_call(value, "_codecs", ("encode",)) or is_call(value, "__builtin__", ("bytes",))
