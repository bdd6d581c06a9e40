"""The engine's API as messages: one table of its methods, compiled from the type hints of the Protocols.

A frame's head is a `Head`, its body the value that goes with it: msgpack, or JSON (`console.engine.codec`) where that
cannot hold a value, as names of files that are no UTF-8. The first frame of each side is a `Hello` in JSON, so that any
two releases can read it.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import AsyncIterator, Callable, Iterator
from enum import IntEnum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

import console
from console.engine import codec
from console.engine.api import EngineApi
from console.engine.frames import Body
from console.errors import OperationError, UsageError
from console.records import ErrorRecord

__all__ = ["GRANT", "PROTOCOL", "Head", "Hello", "Kind", "Method", "agree", "from_body", "method", "rooms", "to_body"]

PROTOCOL = 1
"""Rises with every change that an older side would misread."""
GRANT = 8
"""Items of a stream that are sent before its reader has taken any; it grants as many again with `MORE`."""
PIECE = 1000
"""Records of a long answer that travel together."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of each side. `instance` names one life of an engine, whose events are numbered on their own;
    `body` is the largest body that this side takes."""

    protocol: int
    build: str
    root: str
    pid: int
    instance: str = ""
    body: int = 0


class Kind(IntEnum):
    """Kinds of frames; the first three are a client's."""

    CALL = 0
    CANCEL = 1
    MORE = 2
    ANSWER = 3
    PART = 4
    ITEM = 5
    END = 6
    FAILED = 7
    REFUSED = 8


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The head of a frame: `name` is the method that is called, or the field that a part belongs to; `handle` names
    the principal a call is made for."""

    kind: Kind
    id: int
    json: bool = False
    name: str = ""
    handle: str = ""


_ENCODER = msgspec.msgpack.Encoder()
head_bytes = _ENCODER.encode
head_from = msgspec.msgpack.Decoder(Head).decode
_Decode = Callable[[Body], Any]


def to_body(value: object) -> tuple[bytes, bool]:
    """A value as bytes, and whether they are JSON."""
    try:
        return _ENCODER.encode(value), False
    except (UnicodeEncodeError, OverflowError):
        return codec.encode(value), True


def from_body(body: Body, json: bool, kind: Any, decode: _Decode) -> Any:
    """The value again. Raises ValueError."""
    try:
        return codec.decode(bytes(body), kind) if json else decode(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class Method:
    """One method: what it takes is a struct, what it gives a value or (`streams`) values one by one."""

    def __init__(self, name: str, function: Any) -> None:
        hints = get_type_hints(function)
        gives = hints.pop("return")
        self.name = name
        self.room, _, self.attribute = name.rpartition(".")
        self.streams = get_origin(gives) is AsyncIterator
        self.gives = get_args(gives)[0] if self.streams else gives
        self.takes = _struct(name, function, hints)
        self._given: _Decode = msgspec.msgpack.Decoder(self.takes).decode
        self._gives: _Decode = msgspec.msgpack.Decoder(self.gives).decode
        self._long = _long_fields(self.gives)

    def arguments(self, body: Body, json: bool) -> dict[str, Any]:
        """The arguments of a call by name. Raises UsageError."""
        try:
            return msgspec.structs.asdict(from_body(body, json, self.takes, self._given))
        except ValueError as error:
            raise UsageError(f"{self.name} was asked with arguments that it does not take: {error}") from None

    def value(self, body: Body, json: bool) -> Any:
        """An answer. Raises ValueError."""
        return from_body(body, json, self.gives, self._gives)

    def part(self, field: str, body: Body, json: bool) -> Any:
        """A part of a long answer. Raises ValueError."""
        kind = self._long.get(field)
        if kind is None:
            raise ValueError(f"{self.name} has no parts of {field!r}")
        return from_body(body, json, kind, _decoder(kind))

    def is_long(self, value: Any) -> bool:
        """Whether an answer travels in parts."""
        return bool(self._long) and any(len(_field(value, field)) > PIECE for field in self._long)

    def pieces(self, value: Any) -> Iterator[tuple[str, Any]]:
        """The parts of a long answer by field, then (under "") what is left of it."""
        for field in self._long:
            whole = _field(value, field)
            if len(whole) > PIECE:
                for start in range(0, len(whole), PIECE):
                    yield field, whole[start : start + PIECE]
                value = dataclasses.replace(value, **{field: ()}) if field != _WHOLE else ()
        yield "", value

    def together(self, value: Any, parts: dict[str, list[Any]]) -> Any:
        """A long answer from its parts."""
        if _WHOLE in parts:
            return tuple(parts[_WHOLE])
        return dataclasses.replace(value, **{field: tuple(part) for field, part in parts.items()}) if parts else value


_WHOLE = "*"
"""The field of an answer that is a tuple itself."""


def _field(value: Any, field: str) -> Any:
    return value if field == _WHOLE else getattr(value, field)


def _long_fields(kind: Any) -> dict[str, Any]:
    """Tuples of records that may become long: the answer itself, or fields of it, with their types."""
    if _is_long(kind):
        return {_WHOLE: kind}
    hints = get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    return {name: hint for name, hint in hints.items() if _is_long(hint)}


def _is_long(kind: Any) -> bool:
    parts = get_args(kind)
    return get_origin(kind) is tuple and parts[-1] is Ellipsis and dataclasses.is_dataclass(parts[0])


@cache
def _decoder(kind: Any) -> _Decode:
    return msgspec.msgpack.Decoder(kind).decode


def _struct(name: str, function: Any, hints: dict[str, Any]) -> Any:
    """A struct of the arguments, made with positions and names as the function is called."""
    known = inspect.signature(function).parameters
    fields = [
        (one, hint) if known[one].default is inspect.Parameter.empty else (one, hint, known[one].default)
        for one, hint in hints.items()
    ]
    return msgspec.defstruct(name.replace(".", "_"), fields, omit_defaults=True, gc=False)


@cache
def rooms() -> dict[str, type]:
    """The Protocol of each room by its attribute; that of the engine itself under ""."""
    found: dict[str, type] = {"": EngineApi}
    for name, member in vars(EngineApi).items():
        if isinstance(member, property):
            found[name] = get_type_hints(member.fget)["return"]
    return found


@cache
def _compiled(name: str) -> Method:
    room, _, attribute = name.rpartition(".")
    return Method(name, _members(rooms()[room])[attribute])


def _members(protocol: type) -> dict[str, Any]:
    """The public methods of a Protocol and of those it extends."""
    bases = [base for base in reversed(protocol.__mro__) if base.__module__.startswith("console.")]
    found = {name: member for base in bases for name, member in vars(base).items()}
    return {name: one for name, one in found.items() if inspect.isfunction(one) and not name.startswith("_")}


def method(name: str) -> Method:
    """The method of this name, "room.method". Raises UsageError where the API has none."""
    try:
        return _compiled(name)
    except KeyError:
        raise UsageError(f"the engine's API has no {name!r}") from None


def agree(own: Hello, other: Hello, whose: str) -> None:
    """See that both sides speak the same. Raises OperationError with which one to upgrade."""
    if (own.protocol, own.build) == (other.protocol, other.build):
        return
    older = (other.protocol, _order(other.build)) < (own.protocol, _order(own.build))
    which = whose if older else ("this program" if whose == "the engine" else "the engine")
    raise OperationError(
        f"{whose} (process {other.pid}) is model-console {other.build} and this is {own.build}",
        hint=f"upgrade {which}, or start it again where that was done",
    )


def _order(build: str) -> list[int]:
    return [int(one) if one.isdecimal() else -1 for one in build.split(".")]


def hello(root: str, instance: str = "", body: int = 0) -> Hello:
    """The first frame of this side."""
    return Hello(PROTOCOL, console.__version__, root, os.getpid(), instance, body)


def error_from_body(body: Body, json: bool) -> Exception:
    """The error that is to be raised. Raises ValueError."""
    return codec.error_from(from_body(body, json, ErrorRecord, _decoder(ErrorRecord)))
