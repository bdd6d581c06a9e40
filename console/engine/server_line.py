"""The engine's end of one connection: the calls and streams of one client, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from console.engine import codec, protocol
from console.engine.api import EngineApi
from console.engine.callers import Caller, as_told, may_name, names_files
from console.engine.frames import Body, Caps, FrameLine
from console.engine.protocol import Head, Hello, Kind, Method
from console.errors import ConsoleError, NotReadyError, OperationError, OverloadedError, UsageError

__all__ = ["Bounds", "ClientLine", "Served"]

_WAITS = frozenset({"changes", "follow", "jobs.follow", "monitor.finished"})
"""Calls that wait for something to happen: an engine that ends does not wait for them."""
_LOCAL = frozenset({"close"})
"""Methods that are the engine's own process's."""
_head = protocol.head_bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one client: calls and streams that run, bytes that it has not read, sizes of frames."""

    calls: int = 256
    unread: int = 1 << 26
    caps: Caps = field(default_factory=Caps)


class Served(Protocol):
    """The server that a connection belongs to."""

    engine: EngineApi
    root: str
    instance: str
    ending: bool

    def failed(self, error: Exception) -> None:
        """Hear of what nobody expected."""
        ...

    def gone(self, line: ClientLine) -> None:
        """Forget a connection that has ended."""
        ...


class _Call:
    """A call that runs; a stream may send as many items as `granted`."""

    __slots__ = ("granted", "more", "task", "unwanted", "waits")

    def __init__(self, waits: bool) -> None:
        self.waits = waits
        self.unwanted = False
        self.task: asyncio.Task[None] | None = None
        self.granted = protocol.GRANT
        self.more: asyncio.Event | None = None

    def end(self) -> None:
        """Nobody wants the answer any more."""
        self.unwanted = True
        if self.task is not None:
            self.task.cancel()

    def grant(self) -> None:
        """The reader of a stream has taken items."""
        self.granted += protocol.GRANT
        if self.more is not None:
            self.more.set()

    async def may_send(self) -> None:
        """Wait for the reader of a stream."""
        while self.granted <= 0:
            self.more = self.more or asyncio.Event()
            self.more.clear()
            await self.more.wait()
        self.granted -= 1


class ClientLine(FrameLine):
    """One client. It is greeted, and read, once its caller is known."""

    def __init__(self, server: Served, bounds: Bounds) -> None:
        super().__init__(bounds.caps)
        self._server, self._bounds = server, bounds
        self.uid: int | None = None
        """The user of a client that came by the socket."""
        self._caller: Caller | None = None
        self._hello: Hello | None = None
        self._early: tuple[bytes, Body] | None = None
        self._greeted = False
        self._largest = 0
        self._calls: dict[int, _Call] = {}

    def identified(self, caller: Caller) -> None:
        """Take what a client has sent, and from now on sends."""
        self._caller = caller
        self._introduce()
        try:
            if self._early is not None:
                self.frame_received(*self._early)
        except ValueError as error:
            self.broken(error)
        self._regard_reading()

    def refuse(self, sentence: str) -> None:
        """End the connection, and say why."""
        if not self.lost.done():
            self._introduce()
            self.send(_head(Head(Kind.REFUSED, 0, name=sentence)))
            self.close()

    def under_way(self) -> list[asyncio.Task[None]]:
        """Calls that are to be finished before the engine ends."""
        return [one.task for one in self._calls.values() if one.task is not None and not one.waits]

    # FrameLine

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._regard_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(error)
        for one in list(self._calls.values()):
            one.end()
        self._server.gone(self)

    def pause_writing(self) -> None:
        """See asyncio.Protocol: who does not read is not read."""
        super().pause_writing()
        self._regard_reading()
        self._regard_bound()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        super().resume_writing()
        if not self.lost.done():
            self._regard_reading()

    def broken(self, error: ValueError) -> None:
        """See FrameLine."""
        self.refuse(f"the engine ended the connection, because what it was sent is no call: {error}")

    def frame_received(self, head: bytes, body: Body) -> None:
        """See FrameLine."""
        if self._caller is None:
            if self._early is not None:
                raise ValueError("a call before the engine has introduced itself")
            self._early = head, body
        elif self._hello is None:
            self._greet(cast(Hello, codec.decode(head, Hello)))
        else:
            self._take(protocol.head_from(head), body)

    # inside

    def _introduce(self) -> None:
        if not self._greeted:
            self._greeted = True
            server = self._server
            self.send(codec.encode(protocol.hello(server.root, server.instance, self._bounds.caps.body)))

    def _regard_reading(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._caller is None or self.blocked:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _take(self, head: Head, body: Body) -> None:
        if head.kind is Kind.CALL:
            self._begin(head, body)
        elif head.kind not in (Kind.MORE, Kind.CANCEL):
            raise ValueError("an answer to nothing")
        elif (call := self._calls.get(head.id)) is not None:
            call.grant() if head.kind is Kind.MORE else call.end()

    def _greet(self, hello: Hello) -> None:
        self._hello = hello
        try:
            protocol.agree(protocol.hello(""), hello, "the program that asks")
        except OperationError as error:
            self.refuse(f"{error.message}; {error.hint}")

    def _begin(self, head: Head, body: Body) -> None:
        """Start a call: its task acts for its caller."""
        assert self._caller is not None
        if head.id in self._calls:
            raise ValueError("two calls have the same number")
        try:
            if self._server.ending:
                raise NotReadyError("the engine is ending", hint="ask again once it has been started anew")
            if len(self._calls) >= self._bounds.calls:
                raise OverloadedError(f"more than {self._bounds.calls} calls wait for the engine")
            method = protocol.method(head.name)
            if head.name in _LOCAL:
                raise UsageError(f"{head.name} is not for clients")
            self._caller.require(method)
            arguments = method.arguments(body, head.json)
            context = self._caller.context(head.handle)
        except ConsoleError as error:
            self._fail(head.id, error)
            return
        call = self._calls[head.id] = _Call(head.name in _WAITS)
        work = self._run(head.id, call, method, arguments, trusted=self._caller.trusted)
        call.task = self._loop.create_task(work, context=context)

    async def _run(self, number: int, call: _Call, method: Method, arguments: dict[str, Any], *, trusted: bool) -> None:
        try:
            if not trusted and names_files(method):
                await may_name(arguments, self._server.root, self._server.engine)
            engine: Any = self._server.engine
            function = getattr(getattr(engine, method.room) if method.room else engine, method.attribute)
            if method.streams:
                await self._stream(number, call, function(**arguments))
            elif method.is_long(value := await function(**arguments)):
                await self._in_parts(number, method, value)
            else:
                self._send(Kind.ANSWER, number, value)
        except ConsoleError as error:
            self._fail(number, error)
        except asyncio.CancelledError:
            if not call.unwanted:
                self._fail(number, OperationError("this was ended before it was done"))
            raise
        except Exception as error:
            if not self.lost.done():
                self._server.failed(error)
                self._fail(number, _unforeseen(method, error))
        finally:
            self._calls.pop(number, None)

    async def _in_parts(self, number: int, method: Method, value: Any) -> None:
        for name, piece in method.pieces(value):
            self._send(Kind.PART if name else Kind.ANSWER, number, piece, name)
            await self._yield()

    async def _stream(self, number: int, call: _Call, items: AsyncIterator[Any]) -> None:
        async with aclosing(cast(Any, items)):
            await call.may_send()
            async for item in items:
                self._send(Kind.ITEM, number, item)
                await self._yield()
                await call.may_send()
        self._send_head(Head(Kind.END, number))

    async def _yield(self) -> None:
        """Let others on, and wait for a client that reads slowly."""
        await asyncio.sleep(0)
        if self.blocked:
            await self.writable()

    def _fail(self, number: int, error: ConsoleError) -> None:
        self._send(Kind.FAILED, number, as_told(codec.error_record(error)))

    def _send(self, kind: Kind, number: int, value: Any, name: str = "") -> None:
        body, json = protocol.to_body(value)
        if self._hello is not None and len(body) > self._hello.body:
            raise OperationError(f"the answer has {len(body)} bytes, and this program takes {self._hello.body}")
        self._send_head(Head(kind, number, json, name), body)

    def _send_head(self, head: Head, body: Body = b"") -> None:
        if self.lost.done():
            return
        self.send(_head(head), body, alone=len(self._calls) == 1)
        self._largest = max(self._largest, len(body))
        if self.blocked:
            self._regard_bound()

    def _regard_bound(self) -> None:
        if self.unread() > self._bounds.unread + self._largest:
            self.abort()


def _unforeseen(method: Method, error: Exception) -> OperationError:
    words = f"the engine could not do this ({method.name}): {type(error).__name__}: {error}"
    return OperationError(words, hint="its log has the account of this defect")
