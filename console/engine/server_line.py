"""The engine's end of one connection: the calls and streams of one client, within bounds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from console.engine import codec, protocol
from console.engine.api import EngineApi
from console.engine.callers import Caller, may_name, names_files
from console.engine.frames import Body, Caps, FrameLine
from console.engine.protocol import Head, Hello, Kind, Method
from console.errors import ConsoleError, NotReadyError, OperationError, OverloadedError, UsageError

__all__ = ["Bounds", "ClientLine", "Served"]

_WAITS = frozenset({"changes", "follow", "jobs.follow", "monitor.finished"})
"""Calls that wait for something to happen, which an engine that ends does not wait for."""
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

    __slots__ = ("granted", "more", "task", "waits")

    def __init__(self, waits: bool) -> None:
        self.waits = waits
        self.task: asyncio.Task[None] | None = None
        self.granted = protocol.GRANT
        self.more: asyncio.Event | None = None

    def grant(self) -> None:
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
    """One client. It is read once its caller is known."""

    def __init__(self, server: Served, bounds: Bounds) -> None:
        super().__init__(bounds.caps)
        self._server, self._bounds = server, bounds
        self._caller: Caller | None = None
        self._hello: Hello | None = None
        self._early: list[tuple[bytes, Body]] = []
        self._calls: dict[int, _Call] = {}

    def identified(self, caller: Caller) -> None:
        """Take what a client has sent, and from now on sends."""
        self._caller = caller
        early, self._early = self._early, []
        for head, body in early:
            self._take(head, body)
        self._regard_reading()

    def refuse(self, sentence: str) -> None:
        """End the connection, and say why."""
        if not self.lost.done():
            self.send(_head(Head(Kind.REFUSED, 0, name=sentence)))
            self.close()

    def under_way(self) -> list[asyncio.Task[None]]:
        """Calls that are to be finished before the engine ends."""
        return [one.task for one in self._calls.values() if one.task is not None and not one.waits]

    # FrameLine

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        server = self._server
        self.send(codec.encode(protocol.hello(server.root, os.getpid(), server.instance)))
        self._regard_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(error)
        for one in list(self._calls.values()):
            if one.task is not None:
                one.task.cancel()
        self._server.gone(self)

    def pause_writing(self) -> None:
        """See asyncio.Protocol: who does not read is not read."""
        super().pause_writing()
        self._regard_reading()

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
            self._early.append((head, body))
        else:
            self._take(head, body)

    # inside

    def _regard_reading(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._caller is None or self.blocked:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _take(self, head: bytes, body: Body) -> None:
        if self._hello is None:
            self._greet(cast(Hello, codec.decode(head, Hello)))
            return
        found = protocol.head_from(head)
        if found.kind is Kind.CALL:
            self._begin(found, body)
        elif (call := self._calls.get(found.id)) is None:
            return
        elif found.kind is Kind.MORE:
            call.grant()
        elif found.kind is Kind.CANCEL and call.task is not None:
            call.task.cancel()

    def _greet(self, hello: Hello) -> None:
        self._hello = hello
        try:
            protocol.agree(protocol.hello("", 0), hello, "the program that asks")
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
            arguments = method.arguments(body, head.json)
            context = self._caller.context(head.handle)
        except ConsoleError as error:
            self._fail(head.id, error)
            return
        call = self._calls[head.id] = _Call(method.streams or head.name in _WAITS)
        work = self._run(head.id, call, method, arguments)
        call.task = self._loop.create_task(work, context=context)

    async def _run(self, number: int, call: _Call, method: Method, arguments: dict[str, Any]) -> None:
        try:
            if not self._caller_is_trusted and names_files(arguments):
                await may_name(arguments, self._server.root, self._server.engine)
            engine: Any = self._server.engine
            function = getattr(getattr(engine, method.room) if method.room else engine, method.attribute)
            if method.streams:
                await self._stream(number, call, function(**arguments))
            else:
                await self._answer(number, method, await function(**arguments))
        except ConsoleError as error:
            self._fail(number, error)
        except ConnectionError:
            pass
        except Exception as error:
            self._server.failed(error)
            words = f"the engine could not do this ({method.name}): {type(error).__name__}: {error}"
            self._fail(number, OperationError(words, hint="its log has the account of this defect"))
        finally:
            self._calls.pop(number, None)

    @property
    def _caller_is_trusted(self) -> bool:
        return self._caller is not None and self._caller.trusted

    async def _answer(self, number: int, method: Method, value: Any) -> None:
        if not method.is_long(value):
            self._send(Kind.ANSWER, number, value)
            return
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
        self._send(Kind.FAILED, number, codec.error_record(error))

    def _send(self, kind: Kind, number: int, value: Any, name: str = "") -> None:
        body, json = protocol.to_body(value)
        self._send_head(Head(kind, number, json, name), body)

    def _send_head(self, head: Head, body: Body = b"") -> None:
        if self.lost.done():
            return
        self.send(_head(head), body)
        if self.blocked and self.unread() > self._bounds.unread:
            self.abort()
