"""The methods of the engine's API with the types of what they take and give, as its Protocols say."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from console.engine.api import EngineApi


@dataclass(frozen=True)
class Method:
    """One method: `room` is the attribute of the engine that has it, "" for the engine itself."""

    room: str
    name: str
    takes: dict[str, Any]
    gives: Any
    streams: bool

    def __str__(self) -> str:
        return f"{self.room}.{self.name}".lstrip(".")


def rooms() -> dict[str, type]:
    """The Protocol of each room, by its attribute; that of the engine itself under ""."""
    found: dict[str, type] = {"": EngineApi}
    for name, member in vars(EngineApi).items():
        if isinstance(member, property):
            found[name] = get_type_hints(member.fget)["return"]
    return found


def methods() -> Iterator[Method]:
    """All of them."""
    attributes = rooms()
    for room, protocol in attributes.items():
        for name in _members(protocol):
            if room or name not in attributes:
                yield _method(room, name, getattr(protocol, name, None))


def _members(protocol: type) -> list[str]:
    """The public names of a Protocol and of those it extends, be they methods or not."""
    bases = [base for base in protocol.__mro__ if base.__module__.startswith("console.")]
    names = {name for base in bases for name in (*vars(base), *vars(base).get("__annotations__", ()))}
    return sorted(name for name in names if not name.startswith("_"))


def _method(room: str, name: str, function: Any) -> Method:
    assert inspect.isfunction(function), f"{room}.{name} is no method"
    hints = get_type_hints(function)
    gives = hints.pop("return")
    streams = get_origin(gives) is AsyncIterator
    assert streams != inspect.iscoroutinefunction(function), f"{room}.{name} is neither async nor an async iterator"
    assert set(hints) == set(inspect.signature(function).parameters) - {"self"}, f"{room}.{name} has untyped arguments"
    return Method(room, name, hints, get_args(gives)[0] if streams else gives, streams)
