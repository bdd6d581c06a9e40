"""An engine of which everything that is asked and answered goes through bytes, as it will between processes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, cast

from console.engine.api import EngineApi
from console.engine.codec import decode, encode, error_from, error_record
from console.errors import ConsoleError
from console.records import ErrorRecord
from tests.engine.surface import Method, methods, rooms


def through_bytes(engine: EngineApi) -> EngineApi:
    """The same engine as a client in another process would see it."""
    return cast(EngineApi, _Room(engine, ""))


class _Room:
    """One room, or the engine itself with its rooms."""

    def __init__(self, target: Any, room: str) -> None:
        self._target = target
        self._methods = {method.name: method for method in _all_methods() if method.room == room}
        self._rooms = () if room else tuple(rooms())

    def __getattr__(self, name: str) -> Any:
        if name in self._rooms:
            return _Room(getattr(self._target, name), name)
        method = self._methods[name]
        function = getattr(self._target, name)
        return _stream(function, method) if method.streams else _call(function, method)


@cache
def _all_methods() -> tuple[Method, ...]:
    return tuple(methods())


def _call(function: Any, method: Method) -> Any:
    async def call(*given: Any, **named: Any) -> Any:
        try:
            answer = await function(**_passed(function, method, given, named))
        except ConsoleError as error:
            raise _raised(error) from None
        return decode(encode(answer), method.gives)

    return call


def _stream(function: Any, method: Method) -> Any:
    async def stream(*given: Any, **named: Any) -> AsyncIterator[Any]:
        try:
            async for answer in function(**_passed(function, method, given, named)):
                yield decode(encode(answer), method.gives)
        except ConsoleError as error:
            raise _raised(error) from None

    return stream


def _passed(function: Any, method: Method, given: Any, named: Any) -> dict[str, Any]:
    arguments = inspect.signature(function).bind(*given, **named).arguments
    return {name: decode(encode(value), method.takes[name]) for name, value in arguments.items()}


def _raised(error: ConsoleError) -> ConsoleError:
    return error_from(decode(encode(error_record(error)), ErrorRecord))
