"""How honest picklers call the constructors they name: with which arguments, and with what state after it.

A name alone is no harm, a call of it may be: `numpy.ndarray` takes any bytes for addresses of objects, `bytearray`
takes a size. So for the names of numpy, scipy, scikit-learn and of Python itself, whose `__reduce__` is known, whatever
none of them writes is told. Sources: the `__reduce__` methods of CPython's types, numpy/_core/src/multiarray/methods.c
(`array_reduce`, `array_setstate`), numpy/random/_pickle.py, and Cython's Compiler/ParseTreeTransforms.py for
`__pyx_unpickle_*`.
"""

from __future__ import annotations

import re
from typing import Optional

from backends.formats.pickle.arrays import read_array
from backends.formats.pickle.checks import TEXT, Check, is_bytes, is_call, made_by, never, none, unpickled
from backends.formats.pickle.dtypes import is_record, is_strings, literal_dtype, read_dtype
from backends.formats.pickle.frames import frame_check, makes_frames
from backends.formats.pickle.names import DISTRIBUTION_METHODS
from backends.formats.pickle.python import makes_data, python_check
from backends.formats.pickle.values import DictValue, Global, Instance, RawArray, Span, Value

_MAX_NUMBER = 1 << 31
_PACKAGES = ("numpy", "scipy", "sklearn", "_loss")
_PACKED = (*_PACKAGES, "pandas", "functools", "collections", "copyreg", "copy_reg")
_CLASS = re.compile(r"_*[A-Z]|(?:bsr|coo|csc|csr|dia|dok|lil)_(?:array|matrix)\Z|make_column_selector\Z|poly1d\Z")
"""How names of classes look in the packages; all others there are functions, which models keep and picklers do not
call."""

_TEMPLATE = re.compile(
    r"\ndef _parse_args\(self, (?P<shapes>(?:[A-Za-z_]\w*, )*) (?P<taken>loc=0(?:, scale=1)?)\):\n"
    r"    return \((?P=shapes)\), (?P<given>loc, (?:scale|1))\n\n"
    r"def _parse_args_rvs\(self, (?P=shapes) (?P=taken), size=None\):\n"
    r"    return self\._argcheck_rvs\((?P=shapes) (?P=given), size=size\)\n\n"
    r"def _parse_args_stats\(self, (?P=shapes) (?P=taken), moments='mv'\):\n"
    r"    return \((?P=shapes)\), (?P=given), moments\n\Z",
    re.ASCII,
)
"""The program that scipy.stats writes for each distribution: scipy/stats/_distn_infrastructure.py,
`parse_arg_template`."""


def _partial(args: tuple[Value, ...]) -> bool:
    """`functools.partial`: of one function, whose arguments come with the state."""
    return len(args) == 1 and type(args[0]) is Global and not _constructs(args[0])


def _constructs(known: Global) -> bool:
    """Whether a name stands for a constructor of plain data or arrays, which would take a size or an address."""
    if makes_data(known) or makes_frames(known):
        return True
    return (known.module.partition(".")[0] == "numpy" and known.name in _ARRAYS) or known.name in _FUNCTIONS


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
    letter = made in ("b", b"b") if type(made) in (str, bytes) else is_call(made, "_codecs", ("encode",))
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
    return not objects and (type(args[1]) in TEXT or is_bytes(args[1]))


def _from_buffer(args: tuple[Value, ...]) -> bool:
    if len(args) != 4 or type(args[2]) is not tuple:
        return False
    try:
        return not read_dtype(args[1]).objects
    except ValueError:
        return False


def _random(args: tuple[Value, ...]) -> bool:
    """Check of numpy.random's constructors: the name of a generator, its class, or what another of them made."""
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


_ARRAYS = frozenset(
    ("ndarray", "recarray", "record", "matrix", "MaskedArray", "array", "asarray", "memmap", "chararray")
)
_FUNCTIONS: dict[str, Check] = {
    "dtype": _dtype,
    "_reconstruct": _blank_array,
    "_mareconstruct": _blank_masked,
    "scalar": _scalar,
    "_frombuffer": _from_buffer,
    "newObj": _one_class,
    "_ufunc_reconstruct": _ufunc,
    "_convert_to_stringdtype_kwargs": is_strings,
    **dict.fromkeys(("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor", "__RandomState_ctor"), _random),
}
"""Functions of the packages that their picklers do call."""
_CLASSES: dict[str, Check] = {"Tree": _tree, "_ImputerTriplet": lambda args: len(args) == 3}
"""Classes of the packages that are made with more than a few numbers."""


def _check(callee: Global, new: bool) -> Optional[Check]:
    """The check of the arguments of this name; None where nothing is known of it. `new`: it can only be a class."""
    module, name = callee.module, callee.name
    if (module, name) == ("functools", "partial"):
        return _partial
    known = python_check(module, name) or frame_check(callee)
    if known is not None or module.partition(".")[0] not in _PACKAGES:
        return known
    if name.startswith("__pyx_unpickle_"):
        return unpickled
    if name in _ARRAYS:
        return never
    if _CLASS.match(name):
        return _CLASSES.get(name, _few_numbers)
    return _FUNCTIONS.get(name, none if new and module.startswith("scipy.") else never)


def odd_call(callee: Global, args: Value, kwargs: Value = None, new: bool = False) -> str:
    """In words what is odd about calling this name so; "" for what a pickler writes and for names of other packages."""
    if type(args) is not tuple:
        return ""
    if callee.name == "__newobj__" and callee.module in ("copyreg", "copy_reg"):
        made = args[0] if args else None
        return odd_call(made, args[1:], kwargs, True) if type(made) is Global else "makes an object of no named class"
    check = _check(callee, new)
    if check is None:
        return ""
    if kwargs is not None and not (type(kwargs) is DictValue and not kwargs.flat):
        return f"calls {callee} with arguments by name, as picklers are not known to"
    if check(args):
        return ""
    if check is never:
        return f"calls {callee}, which models are only known to refer to"
    return f"calls {callee} with other arguments than picklers are known to give it"


def odd_state(target: Instance) -> str:
    """In words what is odd about the state just set: what a partial calls, a class of arrays kept to be called, a
    state that is computed (so that nobody has seen what it sets)."""
    state = target.state
    if type(state) is Instance and _is_packed(target.callee):
        return "sets a state that is computed, not written"
    if type(state) is tuple and type(target.callee) is Global and str(target.callee) == "functools.partial":
        return "" if len(state) == 4 and _partial(state[:1]) else "a partial of something else than a function"
    if type(target.callee) is Global:
        odd = _odd_target(target)
        if odd:
            return odd
    for part in state if type(state) is tuple else (state,):
        if type(part) is Instance and type(state) is tuple and len(state) == 2 and _like_dict(part):
            return "sets attributes from a computed mapping"
        if type(part) is DictValue:
            for value in part.flat[1::2]:
                if type(value) is Global and _kept_to_call(value):
                    return f"keeps {value}, as no model does"
    return _odd_dtype(target)


def keeps_function(target: Instance) -> bool:
    """Whether this is a fresh `numpy.vectorize` that is given one named function, as a partial is."""
    state = target.state
    if not target.new or target.args != () or target.kwargs is not None or type(state) is not DictValue:
        return False
    kept = [value for key, value in zip(state.flat[::2], state.flat[1::2]) if key == "pyfunc"]
    return all(type(key) is str for key in state.flat[::2]) and len(kept) == 1 and _partial((kept[0],))


def _odd_target(target: Instance) -> str:
    """In words what is odd about setting the state of this at all, or this state."""
    made = str(made_by(target))
    if made in ("builtins.type", "__builtin__.type", "logging.getLogger"):
        return f"sets the state of what {made} gives, which is not new"
    return _odd_distribution(target.state) if made.startswith("scipy.stats.") else ""


def _odd_distribution(state: Value) -> str:
    """In words what is odd about the state of a distribution, of which scipy runs one text as a program."""
    if type(state) is not DictValue or not all(type(key) is str for key in state.flat[::2]):
        return "sets attributes of a distribution from something else than a plain dict"
    for key, value in zip(state.flat[::2], state.flat[1::2]):
        if key in DISTRIBUTION_METHODS:
            return f"replaces {key} of a distribution"
        if key == "_parse_arg_template" and not (type(value) is str and _TEMPLATE.match(value)):
            return "a text that scipy would run as a program, and did not write"
    return ""


def _is_packed(callee: Value) -> bool:
    """Whether the name belongs to a package whose pickling is known."""
    return type(callee) is Global and callee.module.partition(".")[0] in _PACKED


def _like_dict(value: Instance) -> bool:
    """Whether a call gives a mapping or a sequence whose content decides which attributes are set."""
    callee = value.callee
    if value.pairs is not None or type(callee) is not Global:
        return True
    if callee.name == "_reconstructor" and type(value.args) is tuple and len(value.args) == 3:
        return value.args[2] is not None
    return callee.module in ("builtins", "__builtin__", "collections")


def _kept_to_call(value: Global) -> bool:
    return makes_frames(value) or (
        value.module.partition(".")[0] == "numpy" and (value.name in _ARRAYS or value.name in _FUNCTIONS)
    )


def _odd_dtype(target: Instance) -> str:
    if type(target.callee) is not Global or target.callee.name != "dtype":
        return ""
    try:
        read_dtype(target)
    except ValueError as error:
        return str(error)
    return ""


def forged_array(target: Instance) -> str:
    """In words why numpy would read beyond the objects that an array was given, or take bytes for their addresses.

    "" for a sound one. numpy checks the length of bytes, but not that of a list of objects (`_setlist_pkl`).
    """
    if type(target.callee) is not Global or target.callee.name not in ("_reconstruct", "_mareconstruct"):
        return ""
    array = read_array(target)
    if array is None:
        return "an array that numpy would not write"
    if type(array.data) is RawArray or not array.dtype.objects:
        known = type(array.data) is bytes or (type(array.data) is Span and array.data.encoding == "bytes")
        given = len(array.data) if type(array.data) is bytes else array.data.length if known else array.nbytes
        return "" if given == array.nbytes else f"an array of {array.nbytes} bytes where {given} are given"
    if type(array.data) is not list:
        return "an array whose bytes would be taken for addresses of objects"
    given = len(array.data)
    return "" if given == array.size else f"an array of {array.size} objects where {given} are given"
