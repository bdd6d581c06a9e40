"""The names of a pickle, and what some of them mean to joblib: after a wrapper's BUILD it reads an array."""

from __future__ import annotations

import re
from typing import Optional

from backends.formats.pickle.reader import Stopped
from backends.formats.pickle.values import DictValue, Global, Instance, Value

MAX_NAMES = 10_000
_MAX_LENGTH = 8 << 20
"""Characters of all names together."""

GETATTR, VECTORIZE = "getattr", "vectorize"
DILL_GETATTR, DILL_TYPE, DILL_ARRAY = "dill-getattr", "dill-type", "dill-array"
COUNTED = (GETATTR, VECTORIZE, DILL_GETATTR, DILL_TYPE, DILL_ARRAY)
"""Roles of names that are harmless in one use alone, so that all their uses are counted."""
_ROLES = {
    ("numpy", "vectorize"): VECTORIZE,
    ("numpy.lib.function_base", "vectorize"): VECTORIZE,
    ("builtins", "getattr"): GETATTR,
    ("__builtin__", "getattr"): GETATTR,
    ("dill._dill", "_getattr"): DILL_GETATTR,
    ("dill._dill", "_load_type"): DILL_TYPE,
    ("dill._dill", "_create_array"): DILL_ARRAY,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): "wrapper",
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"): "wrapper",
    ("copy_reg", "_reconstructor"): "reconstructor",
    ("copyreg", "_reconstructor"): "reconstructor",
}

DISTRIBUTION_METHODS = ("_entropy", "_ppf_single")
"""Methods of a discrete distribution that it keeps, to be called for each number of an array."""
_SINGLE_TYPES = ("EllipsisType", "NoneType", "NotImplementedType")
_PLAIN_TYPES = frozenset(
    "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple type".split()  # noqa: SIM905
)
MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_LOWER_CASE = ("builtins", "__builtin__", "datetime", "numpy", "scipy", "sklearn", "pandas")
_PART = re.compile(r"(?!__)[A-Za-z_]\w*\Z", re.ASCII)

_WRAPPERS = frozenset(("NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"))
"""Classes after whose BUILD joblib reads an array, whatever module they were fetched from."""


class Names:
    """The globals of a file, one object for each, in order of appearance."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Global] = {}
        self._length = 0

    def get(self, module: str, name: str, offset: int) -> Global:
        """The Global of this name; its first use sets its offset. Raises Stopped when there are too many."""
        known = self.found.get((module, name))
        if known is None:
            if len(self.found) >= MAX_NAMES:
                raise Stopped("limit", f"more than {MAX_NAMES} globals", offset)
            self._length += len(module) + len(name)
            if self._length > _MAX_LENGTH:
                raise Stopped("limit", f"globals whose names are longer than {_MAX_LENGTH} characters", offset)
            meaning = _ROLES.get((module, name), "")
            if not meaning and name.rpartition(".")[2] in _WRAPPERS:
                meaning = "legacy-wrapper"
            known = self.found[module, name] = Global(module, name, offset, meaning)
        return known


def makes_wrappers(callee: Value) -> bool:
    """Whether a call of this gives an array wrapper in one of the ways that picklers write."""
    return type(callee) is Global and callee.role not in ("", *COUNTED)


def stands_for(callee: Global, args: Value) -> Optional[tuple[str, str]]:
    """Module and name of what a call gives, where all it does is to reach a class or a method of one.

    That is `getattr(class, "attribute")`, as picklers write methods of classes, and dill's own spellings of it. None
    for any other call: attributes of objects (but what scipy.stats keeps of its own distributions), of attributes, and
    those whose name is computed.
    """
    if type(args) is not tuple or not args:
        return None
    if callee.role == DILL_TYPE:
        return _loaded_type(args)
    if callee.role == DILL_GETATTR:
        args = args[:2] if len(args) == 3 and _is_method(*args) else ()
    elif callee.role != GETATTR:
        return None
    if len(args) != 2 or type(args[1]) is not str:
        return None
    owner, name = args
    if type(owner) is Instance and owner.new and name in DISTRIBUTION_METHODS:
        owner = owner.callee if str(owner.callee).startswith("scipy.stats._discrete_distns.") else None
    if type(owner) is not Global or not _may_be_class(owner) or not _PART.match(name):
        return None
    return owner.module, f"{owner.name}.{name}"


def _may_be_class(owner: Global) -> bool:
    """Whether a name looks like that of a class, which modules do not, or belongs to libraries with other manners."""
    if "." in owner.name:
        return False
    return owner.name.lstrip("_")[:1].isupper() or owner.module.partition(".")[0] in _LOWER_CASE


def _loaded_type(args: tuple[Value, ...]) -> Optional[tuple[str, str]]:
    """dill's `_load_type`: a built-in class by its name."""
    name = args[0] if len(args) == 1 and type(args[0]) is str else ""
    if name in _SINGLE_TYPES:
        return "types", name
    return ("builtins", name) if name in _PLAIN_TYPES else None


def _is_method(owner: Value, name: Value, described: Value) -> bool:
    """dill's `_getattr` evaluates what stands in the third text, which must be nothing but the class."""
    if type(owner) is not Global or type(name) is not str or type(described) is not str:
        return False
    return described in (f"<method '{name}' of '{known}' objects>" for known in (owner.name, str(owner)))


def makes_array(callee: Value, args: Value) -> bool:
    """Whether this is dill's `_create_array` of numpy's own maker, its arguments and the array's state."""
    if type(callee) is not Global or callee.role != DILL_ARRAY or type(args) is not tuple or len(args) not in (3, 4):
        return False
    maker = args[0]
    named = type(maker) is Global and maker.name == "_reconstruct" and maker.module in MULTIARRAY
    return named and type(args[1]) is tuple and type(args[2]) is tuple and args[3:] in ((), (None,))


def role(made: Instance) -> str:
    """The role of the class that an object is of."""
    callee = made.callee
    named = callee.role if type(callee) is Global else ""
    if named == "reconstructor" and type(made.args) is tuple and made.args:
        first = made.args[0]
        return first.role if type(first) is Global else ""
    return named


def companion(wrapper: Instance) -> str:
    """The file in the same directory that joblib before 0.10 kept this array in; "" for any other way to a file."""
    callee, state = wrapper.callee, wrapper.state
    filename = state.get("filename") if type(state) is DictValue else None
    known = type(callee) is Global and callee.name in ("NDArrayWrapper", "ZNDArrayWrapper")
    if type(filename) is not str or not known or filename in (".", "..") or re.search(r"[/\\\0]", filename):
        return ""
    return filename[:200]
