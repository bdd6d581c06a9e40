"""How honest picklers call the constructors they name: with which arguments, and with what state after it.

A name alone is no harm, a call of it may be: `numpy.ndarray` takes any bytes for addresses of objects, `bytearray`
takes a size. So for the names of numpy, scipy, scikit-learn and of Python itself, whose `__reduce__` is known, whatever
none of them writes is told. Sources: the `__reduce__` methods of CPython's types, numpy/_core/src/multiarray/methods.c
(`array_reduce`, `array_setstate`), numpy/random/_pickle.py, and Cython's Compiler/ParseTreeTransforms.py for
`__pyx_unpickle_*`.
"""

from __future__ import annotations

import re
from typing import Callable, Optional

from backends.pickle_arrays import read_array
from backends.pickle_dtypes import is_record, literal_dtype, read_dtype
from backends.pickle_values import DictValue, Global, Instance, RawArray, SetValue, Span, Value

__all__ = ["forged_array", "odd_call", "odd_state"]

_TEXT = (str, bytes, Span)
_PLAIN = (str, bytes, Span, int, float, bool, complex, type(None))
_GROUPS = (list, tuple, DictValue, SetValue)
_MAX_TEXT = 10_000
_MAX_NUMBER = 1 << 31
_FRACTION = re.compile(r"-?[0-9]+(?:/[0-9]+)?\Z")
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_PACKAGES = ("numpy", "scipy", "sklearn", "_loss")
_CLASS = re.compile(r"_*[A-Z]|(?:bsr|coo|csc|csr|dia|dok|lil)_(?:array|matrix)\Z|make_column_selector\Z|poly1d\Z")
"""How names of classes look in the packages; all others there are functions, which models keep and picklers do not
call."""

Check = Callable[[tuple[Value, ...]], bool]


def _all(kinds: tuple[type, ...], most: int) -> Check:
    return lambda args: len(args) <= most and all(type(item) in kinds for item in args)


def _text_bytes(args: tuple[Value, ...]) -> bool:
    """`bytes` and `bytearray`: of bytes, or of text and its encoding; never of a size."""
    return not args or (type(args[0]) in _TEXT and args[1:] in ((), ("latin-1",), ("latin1",))) or _encoded(args)


def _encoded(args: tuple[Value, ...]) -> bool:
    return len(args) == 1 and _is_bytes(args[0])


def _is_call(value: Value, module: str, names: tuple[str, ...]) -> bool:
    callee = value.callee if type(value) is Instance else None
    return type(callee) is Global and callee.module == module and callee.name in names


def _is_bytes(value: Value) -> bool:
    """Whether a call gives bytes, as protocols before 3 spell them."""
    return _is_call(value, "_codecs", ("encode",)) or _is_call(value, "__builtin__", ("bytes",))


def _codec(args: tuple[Value, ...]) -> bool:
    return len(args) == 2 and type(args[0]) in (str, Span) and args[1] in ("latin1", "latin-1")


def _fraction(args: tuple[Value, ...]) -> bool:
    if len(args) == 1 and type(args[0]) is str:
        return len(args[0]) <= _MAX_TEXT and _FRACTION.match(args[0]) is not None
    return not args or (len(args) == 2 and all(type(item) is int for item in args))


def _short(args: tuple[Value, ...]) -> bool:
    return len(args) == 1 and type(args[0]) is str and len(args[0]) <= _MAX_TEXT


def _times(args: tuple[Value, ...]) -> bool:
    return all(type(item) in _PLAIN or _is_time(item) for item in args) and len(args) <= 9


def _is_time(value: Value) -> bool:
    return _is_call(value, "datetime", ("timezone", "timedelta")) or _is_call(value, "_codecs", ("encode",))


def _default(args: tuple[Value, ...]) -> bool:
    """`defaultdict`: of nothing, or of the class of its values."""
    if not args or args == (None,):
        return True
    kept = args[0]
    return len(args) == 1 and type(kept) is Global and kept.module in ("builtins", "__builtin__", "collections")


def _partial(args: tuple[Value, ...]) -> bool:
    """`functools.partial`: of one function, whose arguments come with the state."""
    return len(args) == 1 and type(args[0]) is Global and not _constructs(args[0])


def _constructs(known: Global) -> bool:
    """Whether a name stands for a constructor of plain data or arrays, which would take a size or an address."""
    if known.module in ("builtins", "__builtin__", "collections", "functools", "_codecs", "copyreg", "copy_reg"):
        return True
    return (known.module.partition(".")[0] == "numpy" and known.name in _ARRAYS) or known.name in _FUNCTIONS


def _reconstructor(args: tuple[Value, ...]) -> bool:
    """`copyreg._reconstructor`: class, the built-in class below it, and a plain value of that."""
    if len(args) != 3 or type(args[0]) is not Global or type(args[1]) is not Global:
        return False
    check = _BASES.get(args[1].name) if args[1].module in ("builtins", "__builtin__") else None
    return check is not None and check(args[2])


def _dtype(args: tuple[Value, ...]) -> bool:
    if len(args) not in (1, 3):
        return False
    try:
        return is_record(args[0]) or (type(args[0]) is str and literal_dtype(args[0]) is not None)
    except ValueError:
        return False


def _blank_array(args: tuple[Value, ...]) -> bool:
    """`_reconstruct`: a class of arrays, an empty shape, bytes."""
    made = args[-1] if args else None
    letter = made in ("b", b"b") if type(made) in (str, bytes) else _is_call(made, "_codecs", ("encode",))
    return len(args) == 3 and type(args[0]) is Global and args[1] == (0,) and letter


def _blank_masked(args: tuple[Value, ...]) -> bool:
    return len(args) == 4 and type(args[0]) is Global and type(args[1]) is Global and _blank_array(args[1:])


def _scalar(args: tuple[Value, ...]) -> bool:
    """`scalar`: a dtype without objects, and bytes."""
    if len(args) != 2:
        return False
    try:
        objects = read_dtype(args[0]).objects
    except ValueError:
        return False
    return not objects and (type(args[1]) in _TEXT or _is_bytes(args[1]))


def _from_buffer(args: tuple[Value, ...]) -> bool:
    if len(args) != 4 or type(args[2]) is not tuple:
        return False
    try:
        return not read_dtype(args[1]).objects
    except ValueError:
        return False


def _random(args: tuple[Value, ...]) -> bool:
    """What numpy.random's makers take: the name of a generator, its class, or what another of them made."""
    return len(args) <= 2 and all(type(item) is str or _of_random(item) for item in args)


def _of_random(value: Value) -> bool:
    named = value.callee if type(value) is Instance else value
    return type(named) is Global and named.module.startswith("numpy.random")


def _one_class(args: tuple[Value, ...]) -> bool:
    return len(args) == 1 and type(args[0]) is Global


def _tree(args: tuple[Value, ...]) -> bool:
    """`Tree`: how many features, how many classes each output has, how many outputs: it reads as many as it is told."""
    classes = read_array(args[1]) if len(args) == 3 else None
    return classes is not None and _few_numbers((args[0], args[2])) and args[2] == classes.size


def _few_numbers(args: tuple[Value, ...]) -> bool:
    """Nothing, or the numbers of a loss or a boundary; a class of Python is made of nothing and given its state."""
    return len(args) <= 2 and all(
        type(item) in (float, bool) or (type(item) is int and abs(item) < _MAX_NUMBER) for item in args
    )


def _ufunc(args: tuple[Value, ...]) -> bool:
    """`_ufunc_reconstruct`, how numpy before 1.17 names a ufunc: a module and a name, written out."""
    return len(args) == 2 and all(type(item) is str for item in args)


def _cython(args: tuple[Value, ...]) -> bool:
    return len(args) == 3 and type(args[0]) is Global and type(args[1]) is int and type(args[2]) in (tuple, type(None))


_BASES: dict[str, Callable[[Value], bool]] = {
    "object": lambda value: value is None,
    **dict.fromkeys(("list", "tuple", "dict", "set", "frozenset"), lambda value: type(value) in _GROUPS),
    **dict.fromkeys(
        ("int", "long", "float", "complex", "bool"), lambda value: type(value) in (int, float, complex, bool)
    ),
    **dict.fromkeys(("str", "unicode"), lambda value: type(value) in _TEXT),
    **dict.fromkeys(("bytes", "bytearray"), lambda value: type(value) in _TEXT or _is_bytes(value)),
}
"""The built-in classes below others, and what value of them a pickler writes."""

_ARRAYS = frozenset(
    ("ndarray", "recarray", "record", "matrix", "MaskedArray", "array", "asarray", "memmap", "chararray")
)
_WORDS = ("bool", "int", "long", "float", "complex", "str", "unicode")
_STRINGS = (("numpy", "StringDType"), ("numpy", "_convert_to_stringdtype_kwargs"))
_PATHS = ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")
_BUILTINS: dict[str, Check] = {
    **dict.fromkeys(_WORDS, _all((str, Span, int, float, bool), 2)),
    **dict.fromkeys(("bytes", "bytearray"), _text_bytes),
    **dict.fromkeys(("set", "frozenset"), _all(_GROUPS, 1)),
    **dict.fromkeys(("list", "tuple", "dict"), _all((), 0)),
    **dict.fromkeys(("range", "xrange", "slice"), _all((int, type(None)), 3)),
    "object": _all((), 0),
    "FutureWarning": _all((str,), 1),
}
_NAMED: dict[tuple[str, str], Check] = {
    ("collections", "OrderedDict"): _all(_GROUPS, 1),
    ("collections", "Counter"): _all(_GROUPS, 1),
    ("collections", "defaultdict"): _default,
    ("collections", "deque"): _all((list, tuple, int, type(None)), 2),
    **dict.fromkeys((("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")), _times),
    ("decimal", "Decimal"): _short,
    ("fractions", "Fraction"): _fraction,
    ("functools", "partial"): _partial,
    ("_codecs", "encode"): _codec,
    ("uuid", "UUID"): _all((str,), 1),
    **dict.fromkeys(((module, name) for module in ("pathlib", "pathlib._local") for name in _PATHS), _all((str,), 100)),
    **dict.fromkeys(((module, "_reconstructor") for module in ("copyreg", "copy_reg")), _reconstructor),
}
_FUNCTIONS: dict[str, Check] = {
    "dtype": _dtype,
    "_reconstruct": _blank_array,
    "_mareconstruct": _blank_masked,
    "scalar": _scalar,
    "_frombuffer": _from_buffer,
    "newObj": _one_class,
    "_ufunc_reconstruct": _ufunc,
    **dict.fromkeys(("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor", "__RandomState_ctor"), _random),
}
"""Functions of the packages that their picklers do call."""
_CLASSES: dict[str, Check] = {"Tree": _tree, "_ImputerTriplet": lambda args: len(args) == 3}
"""Classes of the packages that are made with more than a few numbers."""


def _check(callee: Global) -> Optional[Check]:
    """What arguments of this name must be like; None where nothing is known of it."""
    module, name = callee.module, callee.name
    if module in ("builtins", "__builtin__"):
        return _BUILTINS.get(name, _never)
    named = _NAMED.get((module, name))
    if named is not None or module.partition(".")[0] not in _PACKAGES:
        return named
    if name.startswith("__pyx_unpickle_"):
        return _cython
    if name in _ARRAYS:
        return _never
    if _CLASS.match(name):
        return _CLASSES.get(name, _few_numbers)
    return _FUNCTIONS.get(name, _never)


def _never(args: tuple[Value, ...]) -> bool:
    return False


def odd_call(callee: Global, args: Value, kwargs: Value = None) -> str:
    """In words what is odd about calling this name so; "" for what a pickler writes and for names of other packages."""
    if type(args) is not tuple:
        return ""
    if callee.name == "__newobj__" and callee.module in ("copyreg", "copy_reg"):
        made = args[0] if args else None
        return odd_call(made, args[1:], kwargs) if type(made) is Global else "makes an object of no named class"
    check = _check(callee)
    if check is None:
        return ""
    if kwargs is not None and not (type(kwargs) is DictValue and not kwargs.flat):
        return f"calls {callee} with arguments by name, as no pickler does"
    if check(args):
        return ""
    if check is _never:
        return f"calls {callee}, which models only refer to"
    return f"calls {callee} with arguments that no pickler gives it"


def odd_state(target: Instance) -> str:
    """In words what is odd about the state just set: what a partial calls, a class of arrays kept to be called, a
    state that is computed (so that nobody has seen what it sets)."""
    state = target.state
    if type(state) is Instance and _is_packed(target.callee):
        return "sets a state that is computed, not written"
    if type(state) is tuple and type(target.callee) is Global and str(target.callee) == "functools.partial":
        return "" if len(state) == 4 and _partial(state[:1]) else "a partial of something else than a function"
    for part in state if type(state) is tuple else (state,):
        if type(part) is Instance and type(state) is tuple and len(state) == 2 and _like_dict(part):
            return "sets attributes from a computed mapping"
        if type(part) is DictValue:
            for value in part.flat[1::2]:
                if type(value) is Global and _kept_to_call(value):
                    return f"keeps {value}, as no model does"
    return _odd_dtype(target)


def _is_packed(callee: Value) -> bool:
    """Whether the name belongs to a package whose pickling is known."""
    package = callee.module.partition(".")[0] if type(callee) is Global else ""
    return package in (*_PACKAGES, "functools", "collections", "copyreg", "copy_reg")


def _like_dict(value: Instance) -> bool:
    """Whether a call gives a mapping or a sequence whose content decides which attributes are set."""
    callee = value.callee
    if value.pairs is not None or type(callee) is not Global:
        return True
    if callee.name == "_reconstructor" and type(value.args) is tuple and len(value.args) == 3:
        return value.args[2] is not None
    return callee.module in ("builtins", "__builtin__", "collections")


def _kept_to_call(value: Global) -> bool:
    return value.module.partition(".")[0] == "numpy" and (value.name in _ARRAYS or value.name in _FUNCTIONS)


def _odd_dtype(target: Instance) -> str:
    if type(target.callee) is not Global or target.callee.name != "dtype":
        return ""
    try:
        read_dtype(target)
    except ValueError as error:
        return str(error)
    return ""


def _of_strings(state: Value) -> bool:
    """Whether this is the state of an array of numpy's StringDType, whose maker is no listed name."""
    kind = state[2] if type(state) is tuple and len(state) == 5 else None
    callee = kind.callee if type(kind) is Instance else None
    return type(callee) is Global and (callee.module.partition(".")[0], callee.name) in _STRINGS


def forged_array(target: Instance) -> str:
    """In words why numpy would read beyond the objects that an array was given, or take bytes for their addresses.

    "" for a sound one. numpy checks the length of bytes, but not that of a list of objects (`_setlist_pkl`).
    """
    if type(target.callee) is not Global or target.callee.name not in ("_reconstruct", "_mareconstruct"):
        return ""
    array = read_array(target)
    if array is None:
        return "" if _of_strings(target.state) else "an array that numpy would not write"
    if type(array.data) is RawArray or not array.dtype.objects:
        known = type(array.data) is bytes or (type(array.data) is Span and array.data.encoding == "bytes")
        given = len(array.data) if type(array.data) is bytes else array.data.length if known else array.nbytes
        return "" if given == array.nbytes else f"an array of {array.nbytes} bytes where {given} are given"
    if type(array.data) is not list:
        return "an array whose bytes would be taken for addresses of objects"
    given = len(array.data)
    return "" if given == array.size else f"an array of {array.size} objects where {given} are given"
