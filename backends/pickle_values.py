"""What a pickle would build, as inert values: nothing here is ever imported, called, hashed or compared.

Literals stay Python literals; a tuple is a tuple and a list a list of such values. Values may be shared and cyclic,
and nested without bound, so whoever goes over them must neither recurse nor hash.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.base import Source

__all__ = ["DictValue", "Global", "Instance", "Opaque", "RawArray", "SetValue", "Span", "Value"]

Value = Any
"""None, bool, int, float, str, bytes, tuple, list, or one of the classes below."""


class Global:
    """A name, as the stream spells it; one object for each name in a walk. `offset` is where it stands first."""

    __slots__ = ("called", "module", "name", "offset", "role")

    def __init__(self, module: str, name: str, offset: int, role: str = "") -> None:
        self.module = module
        self.name = name
        self.offset = offset
        self.role = role
        self.called = False

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Instance:
    """What calling `callee` with `args` would give, and what was done to it then: state set, items added.

    `new` is true where the callee must be a class (NEWOBJ, OBJ, INST), false where it may be any function (REDUCE).
    `known` is for readers: what they made of it once its state is set, so that they do it once.
    """

    __slots__ = ("args", "callee", "items", "known", "kwargs", "new", "pairs", "state")

    def __init__(self, callee: Value, args: Value, kwargs: Value = None, new: bool = False) -> None:
        self.new = new
        self.known: Any = None
        self.callee = callee
        self.args = args
        self.kwargs = kwargs
        self.state: Value = None
        self.items: Optional[list[Value]] = None
        self.pairs: Optional[list[Value]] = None


class DictValue:
    """A dict as written: `flat` is key, value, key, value, … with later ones winning."""

    __slots__ = ("flat",)

    def __init__(self, flat: list[Value]) -> None:
        self.flat = flat

    def get(self, name: str) -> Value:
        """The last value under a string key, or None."""
        flat = self.flat
        for index in range(len(flat) - 2, -1, -2):
            key = flat[index]
            if type(key) is str and key == name:
                return flat[index + 1]
        return None

    def text_items(self, limit: int = 100_000) -> dict[str, Value]:
        """The entries whose key is a string among the first `limit`, later ones winning."""
        flat = self.flat
        return {flat[at]: flat[at + 1] for at in range(0, min(len(flat) - 1, 2 * limit), 2) if type(flat[at]) is str}


class SetValue:
    """A set or frozenset as written."""

    __slots__ = ("frozen", "items")

    def __init__(self, items: list[Value], frozen: bool) -> None:
        self.items = items
        self.frozen = frozen


class Span:
    """Bytes or text too long to keep: where they stand in the file and how they are encoded there."""

    __slots__ = ("encoding", "length", "offset", "source")

    def __init__(self, source: Source, offset: int, length: int, encoding: str) -> None:
        self.source = source
        self.offset = offset
        self.length = length
        self.encoding = encoding

    def read(self, limit: int) -> Any:
        """The first bytes (or characters) of it, reading at most `limit` bytes of the file. Raises OSError."""
        data = self.source.read(self.offset, min(limit, self.length))
        if self.encoding == "bytes":
            return data
        if self.encoding == "escaped":
            return _unescape(data)
        return data.decode(self.encoding, "replace")


def _unescape(quoted: bytes) -> str:
    body = quoted[1:-1] if quoted[-1:] == quoted[:1] else quoted[1:].rsplit(b"\\", 1)[0]
    try:
        return codecs.escape_decode(body)[0].decode("latin-1")
    except ValueError:
        return ""


class Opaque:
    """A value the file does not hold: a persistent id, an extension code, an out-of-band buffer."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass
class RawArray:
    """An array whose bytes stand between the opcodes, as joblib writes them: `length` bytes at `offset` of the file.

    `objects` is the abstract root of the nested pickle where the dtype holds Python objects.
    """

    dtype: Any
    shape: tuple[int, ...]
    order: str
    offset: int
    length: int
    mappable: bool = False
    objects: Value = None
    extra: dict[str, Any] = field(default_factory=dict)
