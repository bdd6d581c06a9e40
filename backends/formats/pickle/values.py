"""Abstract values that stand for what a pickle would build: nothing here is ever imported, called, hashed or compared.

Literals stay Python literals; a tuple is a tuple and a list a list of such values. Values may be shared and cyclic,
and nested without bound, so whoever goes over them must neither recurse nor hash.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.core.source import Source

Value = Any
"""None, bool, int, float, str, bytes, tuple, list, or one of the classes below."""


class Global:
    """A name, as the stream spells it; one object for each name in a walk. `offset` is where it stands first.

    `arguments` are what it is called with the first time. `uses` counts how often a name
    that is harmless in one use alone (names.COUNTED) was taken for another.
    """

    __slots__ = ("arguments", "called", "module", "name", "offset", "role", "uses")

    def __init__(self, module: str, name: str, offset: int, role: str = "") -> None:
        self.module = module
        self.name = name
        self.offset = offset
        self.role = role
        self.called = False
        self.arguments: Value = None
        self.uses = 0

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Instance:
    """Result of calling `callee` with `args`, and what was done to it then: state set, items added.

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


class Extension(Opaque):
    """A global that the stream gives by its number in the registry of copyreg."""


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
    objects: Value = None
    extra: dict[str, Any] = field(default_factory=dict)


_LITERALS = (str, bytes, int, float, bool, type(None))
_ITEMS = 4
_WORDS_CAP = 160


def literal_words(arguments: Value) -> Optional[str]:
    """Arguments of a call as Python would write them: literals and names shortened, the rest as `…`.

    None where they are no tuple or hold neither literal nor name. Looks at a few items of each, one level down.
    """
    if type(arguments) is not tuple or not any(_tells(item) for item in arguments[:_ITEMS]):
        return None
    words = ", ".join(_words(item) for item in arguments[:_ITEMS])
    return (words + ", …" if len(arguments) > _ITEMS else words)[:_WORDS_CAP]


def _tells(value: Value) -> bool:
    if type(value) in (tuple, list):
        return any(type(item) in _LITERALS or type(item) is Global for item in value[:_ITEMS])
    return type(value) in _LITERALS or type(value) in (Global, Span)


def _words(value: Value, deeper: bool = True) -> str:
    if type(value) in (str, bytes):
        return repr(value[:80]) + ("…" if len(value) > 80 else "")
    if type(value) is Global:
        return str(value)[:80]
    if type(value) is Span:
        return f"{value.length} bytes"
    if type(value) is int and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if type(value) in _LITERALS:
        return repr(value)
    if deeper and type(value) in (tuple, list):
        items = [_words(item, False) for item in value[:_ITEMS]] + ["…"] * (len(value) > _ITEMS)
        if type(value) is list:
            return f"[{', '.join(items)}]"
        return f"({', '.join(items)}{',' if len(value) == 1 else ''})"
    return "…"


_WORDS: dict[type, str] = {
    Instance: "a computed object",
    DictValue: "a dict",
    SetValue: "a set",
    RawArray: "an array",
    Opaque: "an outside object",
    Extension: "an outside object",
    Span: "a long string",
    str: "a string",
    bytes: "bytes",
    list: "a list",
    tuple: "a tuple",
    type(None): "None",
}


def kind(value: Value) -> str:
    """A value in two or three words, for findings."""
    if type(value) is Global:
        return f"the name {value}"
    return _WORDS.get(type(value), "a number")
