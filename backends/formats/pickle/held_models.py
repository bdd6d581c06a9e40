"""Models that pickled objects hold in the format of another library, which reads them while the pickle is loaded.

Each is read by its own format as the object's state is set, since that is when the library would.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any, Optional

from backends.core.descriptors import built_in
from backends.core.errors import ArtifactError
from backends.core.format import Format
from backends.core.source import MemorySource, Part, Source
from backends.formats.pickle.checks import is_call, made_by
from backends.formats.pickle.values import DictValue, Global, Instance, Span, Value

_OBJECT = ("builtins.object", "__builtin__.object")
_MOST_BYTES = 32 << 20
"""Bytes of such models that are read in one file; those beyond are not, and count so."""
_PLAIN = ("bytes", "utf-8", "utf8", "ascii")


@lru_cache(maxsize=1)
def _formats() -> dict[str, tuple[Format, tuple[str, ...]]]:
    return {name: (each, keys) for each in built_in() for name, keys in each.pickled.items()}


class HeldModels:
    """Counts the objects that hold such a model, and those whose model was read to its end."""

    def __init__(self) -> None:
        self._made: Counter[str] = Counter()
        self._read: Counter[str] = Counter()
        self._left = _MOST_BYTES

    def made(self, value: Instance) -> None:
        """Note that an object is made, whatever its class; one whose constructor is called counts as never read."""
        name = _class_of(value)
        if name in _formats():
            self._made[name] += 1 if _is_new(value) else 2

    def built(self, value: Instance, state: Value) -> None:
        """Read the model in a state that is set now. Raises OSError."""
        name = _class_of(value)
        if name not in _formats() or type(state) is not DictValue:
            return
        found, keys = _formats()[name]
        names = state.flat[::2]
        if not all(type(one) is str for one in names):
            return
        held = [state.get(key) for key in keys if key in names]
        if all(one is None or self._is_sound(found, _source_of(one)) for one in held):
            self._read[name] += 1

    def _is_sound(self, found: Format, source: Optional[Source]) -> bool:
        """Whether a format has accounted for every byte of what its library would read. Raises OSError."""
        if source is None or source.size > self._left:
            return False
        self._left -= source.size
        code: Any = found.code()
        try:
            inspection = getattr(code, "inspect_pickled", code.inspect)(source)
        except ArtifactError:
            return False
        return bool(inspection.complete and not inspection.findings)

    def are_read(self, known: Global) -> bool:
        """Whether there are objects of this class, and the model in each of them was read to its end."""
        name = str(known)
        return 0 < self._made[name] == self._read[name]


def _class_of(value: Instance) -> str:
    made = made_by(value)
    return str(made) if type(made) is Global else ""


def _is_new(value: Instance) -> bool:
    """Whether an object is made as picklers make one, without a call of its constructor."""
    if value.kwargs is not None or type(value.args) is not tuple:
        return False
    if made_by(value) is value.callee:
        return value.new and not value.args
    rest = value.args[1:]
    return not rest or (len(rest) == 2 and str(rest[0]) in _OBJECT and rest[1] is None)


def _source_of(value: Value) -> Optional[Source]:
    """The bytes of a value that is bytes, a bytearray of such that nothing was added to, or text; None for others."""
    if is_call(value, "builtins", ("bytearray",)):
        whole = type(value.args) is tuple and len(value.args) == 1 and value.items is None and value.kwargs is None
        value = value.args[0] if whole else None
    if type(value) is bytes:
        return MemorySource(value)
    if type(value) is str:
        return MemorySource(value.encode("utf-8", "surrogatepass"))
    if type(value) is Span and value.encoding in _PLAIN:
        return Part(value.source, value.offset, value.length)
    return None
