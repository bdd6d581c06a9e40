"""The client's end of a connection to an engine: calls and streams that are under way."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from typing import Any, cast

from console.engine import codec, protocol
from console.engine.frames import Body, Caps, FrameLine
from console.engine.protocol import Head, Hello, Kind, Method
from console.engine.unix_socket import widen
from console.errors import ConsoleError, EngineGoneError, OperationError, UsageError

__all__ = ["END", "GONE", "Line"]

GONE = "the engine has ended, or the line to it has"
_HELLO_S = 10.0
_CAPS = Caps(body=1 << 30)
END = object()
"""Comes after the last item of a stream."""


class _Asked:
    """A call that is under way: its future has the frame that ends it."""

    __slots__ = ("done", "parts")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[tuple[Head, Body]] = loop.create_future()
        self.parts: list[tuple[Head, Body]] = []

    def take(self, head: Head, body: Body) -> bool:
        """Take a frame; whether it is the last."""
        if head.kind is Kind.PART:
            self.parts.append((head, body))
            return False
        if not self.done.done():
            self.done.set_result((head, body))
        return True

    def fail(self, error: ConsoleError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Reading:
    """A stream that is under way, with the frames that nobody has taken yet."""

    def __init__(self, line: Line, method: Method, number: int) -> None:
        self.id = number
        self._line, self._method = line, method
        self._frames: deque[tuple[Head, Body]] = deque()
        self._error: ConsoleError | None = None
        self._news = asyncio.Event()
        self._taken = 0

    def take(self, head: Head, body: Body) -> bool:
        """Take a frame; whether it is the last."""
        self._frames.append((head, body))
        self._news.set()
        return head.kind is not Kind.ITEM

    def fail(self, error: ConsoleError) -> None:
        self._error = error
        self._news.set()

    async def next(self) -> Any:
        """The next item, or END."""
        while not self._frames:
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()
        head, body = self._frames.popleft()
        if head.kind is Kind.END:
            return END
        item = _value(self._method, head, body, Kind.ITEM)
        self._taken += 1
        if self._taken % protocol.GRANT == 0:
            self._line.grant(self.id)
        return item


class Line(FrameLine):
    """The client's end of one connection."""

    def __init__(self, root: str) -> None:
        super().__init__(_CAPS)
        self._root = root
        self._number = 0
        self._waiting: dict[int, _Asked | _Reading] = {}
        self._greeted: asyncio.Future[Hello] = self._loop.create_future()
        self._why: ConsoleError = EngineGoneError(GONE)
        self.hello = Hello(0, "", "", 0)

    @classmethod
    async def over(cls, sock: socket.socket, root: str) -> Line:
        """A connection on which both sides have introduced themselves. Raises OperationError, EngineGoneError."""
        line = cls(root)
        widen(sock)
        await line._loop.connect_accepted_socket(lambda: line, sock)
        line.send(codec.encode(protocol.hello(root, body=_CAPS.body)))
        try:
            async with asyncio.timeout(_HELLO_S):
                line.hello = await line._greeted
        except TimeoutError:
            line.abort()
            hint = "its process is stopped or too busy: look at it, or start it anew"
            raise EngineGoneError("the engine does not answer", hint=hint) from None
        except BaseException:
            line.abort()
            raise
        return line

    async def ask(self, method: Method, arguments: Any, handle: str) -> Any:
        """Call a method. Raises what it raises, EngineGoneError."""
        asked = _Asked(self._loop)
        number = self._begin(method, arguments, handle, asked)
        try:
            if self.blocked:
                with suppress(ConnectionError):
                    await self.writable()
            head, body = await asked.done
        except asyncio.CancelledError:
            self.let_go(number)
            raise
        answer = _value(method, head, body, Kind.ANSWER)
        return await _whole(method, answer, asked.parts) if asked.parts else answer

    def stream(self, method: Method, arguments: Any, handle: str) -> _Reading:
        """Call a method that streams."""
        reading = _Reading(self, method, self._number + 1)
        self._begin(method, arguments, handle, reading)
        return reading

    def grant(self, number: int) -> None:
        """Have a stream go on."""
        self.send(protocol.head_bytes(Head(Kind.MORE, number)))

    def let_go(self, number: int) -> None:
        """End a call or a stream that nobody waits for."""
        if self._waiting.pop(number, None) is not None and not self.lost.done():
            self.send(protocol.head_bytes(Head(Kind.CANCEL, number)))

    def frame_received(self, head: bytes, body: Body) -> None:
        """See FrameLine."""
        if not self._greeted.done():
            self._greet(cast(Hello, codec.decode(head, Hello)))
            return
        found = protocol.head_from(head)
        if found.kind is Kind.REFUSED:
            self._why = OperationError(found.name)
            return
        waiting = self._waiting.get(found.id)
        if waiting is not None and waiting.take(found, body):
            del self._waiting[found.id]

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(error)
        if not self._greeted.done():
            self._greeted.set_exception(self._why)
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.fail(EngineGoneError(self._why.message))

    def _begin(self, method: Method, arguments: Any, handle: str, waiting: _Asked | _Reading) -> int:
        if self.lost.done():
            raise EngineGoneError(GONE)
        self._number = number = self._number + 1
        body, json = protocol.to_body(arguments)
        if len(body) > self.hello.body:
            raise UsageError(f"{method.name} was asked with {len(body)} bytes, and the engine takes {self.hello.body}")
        self._waiting[number] = waiting
        head = protocol.head_bytes(Head(Kind.CALL, number, json, method.name, handle))
        self.send(head, body, alone=len(self._waiting) == 1)
        return number

    def _greet(self, hello: Hello) -> None:
        try:
            protocol.agree(protocol.hello(""), hello, "the engine")
        except OperationError as error:
            self._greeted.set_exception(error)
        else:
            self._greeted.set_result(hello)


def _value(method: Method, head: Head, body: Body, kind: Kind) -> Any:
    """The value in a frame of this kind. Raises the error in one of another, OperationError."""
    try:
        if head.kind is kind:
            return method.value(body, head.json)
        error = protocol.error_from_body(body, head.json)
    except ValueError as why:
        raise OperationError(f"the engine's answer to {method.name} cannot be read: {why}") from None
    raise error


async def _whole(method: Method, answer: Any, parts: list[tuple[Head, Body]]) -> Any:
    """A long answer from its parts, a part in one turn of the loop."""
    found: dict[str, list[Any]] = {}
    for head, body in parts:
        found.setdefault(head.name, []).extend(method.part(head.name, body, head.json))
        await asyncio.sleep(0)
    return method.together(answer, found)
