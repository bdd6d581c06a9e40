"""The names of a pickle, and what some of them mean to joblib: after a wrapper's BUILD it reads an array."""

from __future__ import annotations

import re
from typing import Optional

from backends.pickle_reader import Stopped
from backends.pickle_values import DictValue, Global, Instance, Value

__all__ = ["COUNTED", "DISTRIBUTION_METHODS", "GETATTR", "VECTORIZE", "Names", "attribute", "companion", "makes_wrappers", "role"]

MAX_NAMES = 10_000
_MAX_LENGTH = 8 << 20
"""Characters of all names together."""

GETATTR, VECTORIZE = "getattr", "vectorize"
COUNTED = (GETATTR, VECTORIZE)
"""Roles of names that are harmless in one use alone, so that all their uses are counted."""
_ROLES = {
    ("numpy", "vectorize"): VECTORIZE,
    ("numpy.lib.function_base", "vectorize"): VECTORIZE,
    ("builtins", "getattr"): GETATTR,
    ("__builtin__", "getattr"): GETATTR,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): "wrapper",
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"): "wrapper",
    ("copy_reg", "_reconstructor"): "reconstructor",
    ("copyreg", "_reconstructor"): "reconstructor",
}

DISTRIBUTION_METHODS = ("_entropy", "_ppf_single")
"""Methods of a discrete distribution that it keeps, to be called for each number of an array."""
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


def attribute(callee: Value, args: Value, kwargs: Value = None) -> Optional[tuple[str, str]]:
    """Module and dotted name that `getattr(class, "attribute")` stands for, as picklers write methods of classes.

    None for any other call: attributes of objects (but what scipy.stats keeps of its own distributions), of attributes,
    and those whose name is computed.
    """
    if type(callee) is not Global or callee.role != GETATTR or kwargs is not None:
        return None
    if type(args) is not tuple or len(args) != 2 or type(args[1]) is not str:
        return None
    owner, name = args
    if type(owner) is Instance and owner.new and name in DISTRIBUTION_METHODS:
        owner = owner.callee if str(owner.callee).startswith("scipy.stats._discrete_distns.") else None
    if type(owner) is not Global or "." in owner.name or not _PART.match(name):
        return None
    return owner.module, f"{owner.name}.{name}"


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
