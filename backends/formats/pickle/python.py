"""How picklers call what Python itself brings: built-in classes, and values of the standard library.

Sources: the `__reduce__` methods of CPython's types and of the modules named here.
"""

from __future__ import annotations

import re
from typing import Optional

from backends.formats.pickle.checks import GROUPS, PLAIN, TEXT, Check, each, is_bytes, is_call, never, none
from backends.formats.pickle.values import DictValue, Global, Instance, Span, Value

BUILTINS = ("builtins", "__builtin__")
_MAX_TEXT = 10_000
_FRACTION = re.compile(r"-?[0-9]+(?:/[0-9]+)?\Z")
_ZONE = re.compile(r"(?:[A-Za-z0-9_+-]+/){0,3}[A-Za-z0-9_+-]{1,60}\Z")
_WORDS = ("bool", "int", "long", "float", "complex", "str", "unicode")
_PATHS = ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")
_SINGLES = ("Ellipsis", "NotImplemented")
_FORMATS = 21
"""Machine formats that `array` knows."""


def is_zone_name(value: Value) -> bool:
    """Whether this is the name of a time zone: no way out of the directory of zones."""
    return type(value) is str and _ZONE.match(value) is not None


def _text_bytes(args: tuple[Value, ...]) -> bool:
    """`bytes` and `bytearray`: of bytes, or of text and its encoding; never of a size."""
    if not args or (type(args[0]) in TEXT and args[1:] in ((), ("latin-1",), ("latin1",))):
        return True
    return len(args) == 1 and is_bytes(args[0])


def _codec(args: tuple[Value, ...]) -> bool:
    return len(args) == 2 and type(args[0]) in (str, Span) and args[1] in ("latin1", "latin-1")


def _fraction(args: tuple[Value, ...]) -> bool:
    if len(args) == 1 and type(args[0]) is str:
        return len(args[0]) <= _MAX_TEXT and _FRACTION.match(args[0]) is not None
    return not args or (len(args) == 2 and all(type(item) is int for item in args))


def _short(args: tuple[Value, ...]) -> bool:
    return len(args) == 1 and type(args[0]) is str and len(args[0]) <= _MAX_TEXT


def _times(args: tuple[Value, ...]) -> bool:
    """Dates and times: plain numbers, or packed bytes; what comes last may be a time zone of any making."""
    return len(args) <= 9 and all(
        type(item) in PLAIN or is_bytes(item) or (type(item) is Instance and at == len(args) - 1)
        for at, item in enumerate(args)
    )


def _spans(args: tuple[Value, ...]) -> bool:
    """`timedelta` and `timezone`."""
    return len(args) <= 7 and all(type(item) in PLAIN or is_call(item, "datetime", ("timedelta",)) for item in args)


def _default(args: tuple[Value, ...]) -> bool:
    """`defaultdict`: of nothing, or of the class of its values."""
    if not args or args == (None,):
        return True
    kept = args[0]
    return len(args) == 1 and type(kept) is Global and kept.module in (*BUILTINS, "collections")


def _single(args: tuple[Value, ...]) -> bool:
    """`type`: of one of the three objects whose class has no name of its own."""
    made = args[0] if len(args) == 1 else 0
    return made is None or (type(made) is Global and made.module in BUILTINS and made.name in _SINGLES)


def _alias(args: tuple[Value, ...]) -> bool:
    """`GenericAlias`: a built-in class and the classes of what is in it."""
    if len(args) != 2 or type(args[0]) is not Global or type(args[1]) is not tuple:
        return False
    return args[0].module in (*BUILTINS, "collections") and all(
        type(item) is Global or is_call(item, "types", ("GenericAlias",)) for item in args[1]
    )


def _pattern(args: tuple[Value, ...]) -> bool:
    """`re._compile`: a pattern of bounded length, and its flags."""
    if len(args) != 2 or type(args[1]) is not int:
        return False
    return type(args[0]) in (str, bytes) or is_bytes(args[0])


def _logger(args: tuple[Value, ...]) -> bool:
    return not args or _short(args)


def _numbers(args: tuple[Value, ...]) -> bool:
    """`array`: a type code, and numbers or their bytes."""
    if len(args) != 2 or type(args[0]) is not str or len(args[0]) != 1:
        return False
    data = args[1]
    if type(data) is list:
        return all(type(item) in (int, float, str) for item in data)
    return type(data) in (bytes, Span) or is_bytes(data)


def _packed_numbers(args: tuple[Value, ...]) -> bool:
    if len(args) != 4 or type(args[0]) is not Global or str(args[0]) != "array.array":
        return False
    return type(args[2]) is int and 0 <= args[2] <= _FORMATS and _numbers((args[1], args[3]))


def _zone(args: tuple[Value, ...]) -> bool:
    return len(args) == 2 and is_zone_name(args[0]) and type(args[1]) in (bool, int)


def _reconstructor(args: tuple[Value, ...]) -> bool:
    """`copyreg._reconstructor`: class, the built-in class below it, and a plain value of that."""
    if len(args) != 3 or type(args[0]) is not Global or type(args[1]) is not Global:
        return False
    if str(args[1]) == "datetime.tzinfo":
        return is_call(args[2], "datetime", ("tzinfo",))
    check = _BASES.get(args[1].name) if args[1].module in BUILTINS else None
    return check is not None and check((args[2],))


_BASES: dict[str, Check] = {
    "object": lambda args: args == (None,),
    **dict.fromkeys(("list", "tuple", "dict", "set", "frozenset"), each(GROUPS, 1)),
    **dict.fromkeys(("int", "long", "float", "complex", "bool"), each((int, float, complex, bool), 1)),
    **dict.fromkeys(("str", "unicode"), each(TEXT, 1)),
    **dict.fromkeys(("bytes", "bytearray"), lambda args: type(args[0]) in TEXT or is_bytes(args[0])),
}
"""The built-in classes below others, and what value of them a pickler writes."""

_CLASSES: dict[str, Check] = {
    **dict.fromkeys(_WORDS, each((str, Span, int, float, bool), 2)),
    **dict.fromkeys(("bytes", "bytearray"), _text_bytes),
    **dict.fromkeys(("set", "frozenset"), each(GROUPS, 1)),
    **dict.fromkeys(("list", "tuple", "dict", "object"), lambda args: not args),
    **dict.fromkeys(("range", "xrange", "slice"), each((int, type(None)), 3)),
    "type": _single,
}
"""Built-in classes by name."""
_ERROR = re.compile(r"[A-Za-z]*(?:Error|Warning|Exception)\Z|StopIteration\Z|StopAsyncIteration\Z")
_error = each(PLAIN, 5)
_NAMED: dict[tuple[str, str], Check] = {
    **dict.fromkeys((("collections", name) for name in ("OrderedDict", "Counter")), each(GROUPS, 1)),
    **dict.fromkeys((("collections", name) for name in ("ChainMap", "UserDict", "UserList")), none),
    ("UserDict", "IterableUserDict"): none,
    ("UserList", "UserList"): none,
    ("collections", "defaultdict"): _default,
    ("collections", "deque"): each((list, tuple, int, type(None)), 2),
    **dict.fromkeys((("datetime", name) for name in ("date", "datetime", "time")), _times),
    **dict.fromkeys((("datetime", name) for name in ("timedelta", "timezone")), _spans),
    ("datetime", "tzinfo"): none,
    ("zoneinfo", "ZoneInfo"): never,
    ("zoneinfo", "ZoneInfo._unpickle"): _zone,
    ("decimal", "Decimal"): _short,
    ("fractions", "Fraction"): _fraction,
    ("_codecs", "encode"): _codec,
    ("uuid", "UUID"): each((str,), 1),
    **dict.fromkeys(((module, name) for module in ("pathlib", "pathlib._local") for name in _PATHS), each((str,), 100)),
    **dict.fromkeys(((module, "_reconstructor") for module in ("copyreg", "copy_reg")), _reconstructor),
    ("types", "SimpleNamespace"): lambda args: not args or (len(args) == 1 and type(args[0]) is DictValue),
    ("types", "GenericAlias"): _alias,
    ("re", "_compile"): _pattern,
    ("random", "Random"): none,
    ("logging", "getLogger"): _logger,
    ("array", "array"): _numbers,
    ("array", "_array_reconstructor"): _packed_numbers,
}
_NEVER_CALLED = ("_abcoll", "collections.abc", "datetime", "math", "typing")
"""Modules of which models only keep names, apart from those above."""


def python_check(module: str, name: str) -> Optional[Check]:
    """The check of the arguments of a name of Python's own; None where nothing is known of it."""
    if module in BUILTINS:
        return _CLASSES.get(name) or (_error if _ERROR.match(name) else never)
    if module == "exceptions":
        return _error
    return _NAMED.get((module, name)) or (never if module in _NEVER_CALLED else None)


def makes_data(known: Global) -> bool:
    """Whether a name stands for a constructor that a function of one argument must not be: it would take a size."""
    if known.module in BUILTINS:
        return known.name in _CLASSES and known.name not in _WORDS
    return known.module in ("copyreg", "copy_reg", "functools") or (known.module, known.name) in _NAMED
