"""One connection: requests in the order they came, each answered before the next is looked at; and time limits."""

from __future__ import annotations

import asyncio
import select
import socket
from collections import deque
from typing import cast

from console.http import responses
from console.http.connections import Connections, Origin
from console.http.errors import Refused
from console.http.messages import Response
from console.http.parsing import Message, Reader

_TOGETHER = 64 << 10
"""Up to this size head and body are joined, so that they leave in one packet or a few."""
_AT_ONCE = 16 << 10
"""Bytes that are read in one go, which bounds how many requests come of them."""
_LINGERING = 64
"""How many connections over the limit are told so at leisure; the others are closed at once."""
_TOO_MANY = Refused(503, "there are too many connections", code="overloaded")
_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"


class Connection(asyncio.Protocol):
    """A connection of a client, from its first byte to its last."""

    def __init__(self, connections: Connections, origin: Origin) -> None:
        self._all = connections
        self._limits = connections.limits
        self._origin = origin
        self._reader = Reader(connections.limits, connections.held)
        self._queue: deque[Message | Refused] = deque()
        self._task: asyncio.Task[None] | None = None
        self._answering: Message | None = None
        self._transport: asyncio.Transport | None = None
        self._blocked: asyncio.Future[None] | None = None
        self._unread = memoryview(b"")
        self._peer = ""
        self._paused = False
        self._closing = False
        self._since = 0.0
        self._write_until = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing was asked that is not answered, and nothing is being asked."""
        return self._task is None and self._reader.reading is None and not self._closing

    def is_slow(self, now: float) -> bool:
        """Whether half of a request has come, and the rest is late."""
        reading, limits = self._reader.reading, self._limits
        if reading is None or self._task is not None or self._closing:
            return False
        return now >= self._since + limits.crowded_s + reading.size / limits.slowest

    @property
    def since(self) -> float:
        """When it became what it is."""
        return self._since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = self._all.now()
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family != socket.AF_UNIX:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._all.enter(self):
            self._end_with(_TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Read on; begin to answer what is whole."""
        if not self._closing:
            self._unread = memoryview(self._unread.tobytes() + data if self._unread else data)
            self._read()

    def _read(self) -> None:
        """Read what came, until enough waits to be answered."""
        most = self._limits.pipelined
        while self._unread and len(self._queue) < most and not self._closing:
            piece, self._unread = self._unread[:_AT_ONCE], self._unread[_AT_ONCE:]
            self._feed(piece)
        if self._unread or len(self._queue) >= most:
            self._pause()
        else:
            self._resume()

    def _feed(self, piece: memoryview) -> None:
        reader = self._reader
        before, in_body = reader.reading, reader.in_body
        reader.feed(piece)
        if reader.reading is not before or reader.in_body is not in_body:
            self._since = self._all.now()
        if reader.ready:
            self._queue.extend(reader.ready)
            reader.ready.clear()
            if self._task is None:
                self._task = self._all.loop.create_task(self._serve())
        elif reader.in_body and reader.reading is not None and reader.reading.continues and self._task is None:
            self._continue(reader.reading)

    def connection_lost(self, error: Exception | None) -> None:
        """The client has gone: nobody waits for what is being done."""
        self._closing = True
        self._all.leave(self)
        if self._task is not None:
            self._task.cancel()
        self._forget()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        self._blocked = self._all.loop.create_future()

    def resume_writing(self) -> None:
        """It has read."""
        blocked, self._blocked = self._blocked, None
        if blocked is not None and not blocked.done():
            blocked.set_result(None)

    def look(self, now: float) -> None:
        """End what takes too long."""
        transport, limits, reading = self._transport, self._limits, self._reader.reading
        assert transport is not None
        if transport.get_write_buffer_size():
            if now > self._write_until:
                transport.abort()
        elif self._closing:
            if now > self._since + limits.linger_s:
                transport.abort()
        elif self._task is not None:
            if self._paused and _has_gone(transport):
                transport.abort()
        elif reading is None:
            if now > self._since + limits.idle_s:
                self.close()
        elif not self._reader.in_body:
            if now > self._since + limits.head_s:
                self._end_with(Refused(408, f"the head of the request took longer than {limits.head_s:g} s"))
        elif now > self._since + limits.body_s + reading.size / limits.slowest:
            self._end_with(Refused(408, "the body of the request came too slowly"))

    def close(self) -> None:
        """End it once what was written has left."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def make_room(self) -> None:
        """End it for another one, and say so."""
        self._end_with(_TOO_MANY)
        self.close()

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    async def _serve(self) -> None:
        """Answer what waits, one after another."""
        try:
            while self._queue:
                message = self._queue.popleft()
                if isinstance(message, Refused):
                    self._end_with(message)
                    return
                self._answering = message
                response, identity = await self._all.answerer.answer(message, self._origin, self._peer)
                if responses.worth_compressing(response, message.headers.get(b"accept-encoding")):
                    response = await asyncio.to_thread(responses.compressed, response)
                self._write(response, identity, message)
                self._answered(message)
                if self._closing:
                    return
                if self._blocked is not None:
                    await self._blocked
                if self._paused:
                    self._read()
        except Exception as error:
            self._all.loop.call_exception_handler({"message": "a response could not be sent", "exception": error})
            self.abort()
            return
        finally:
            self._task = None
        self._after()

    def _answered(self, message: Message) -> None:
        self._answering = None
        self._all.held.give(message.size)
        self._since = self._all.now()

    def _after(self) -> None:
        """All that was whole is answered: go on with what is half read."""
        reading = self._reader.reading
        if reading is None and self._all.draining:
            self.close()
        elif reading is not None and reading.continues and self._reader.in_body:
            self._continue(reading)

    def _write(self, response: Response, identity: bytes, message: Message) -> None:
        """One response; closes the connection behind it where it is the last."""
        transport = self._transport
        assert transport is not None
        length = sum(map(len, response.body))
        last = not message.keep_alive or self._all.draining
        word = _CLOSE if last else _KEEP if message.old else b""
        parts = [responses.head(response, identity, length, word)]
        if message.method != "HEAD" and response.status not in (204, 304):
            parts += response.body
        self._write_until = self._all.now() + self._limits.write_s + length / self._limits.slowest
        if length <= _TOGETHER:
            transport.write(b"".join(parts))
        else:
            transport.writelines(parts)
        if last:
            self.close()

    def _end_with(self, refused: Refused) -> None:
        """The last response; then what the client still sends is thrown away for a while."""
        transport = self._transport
        assert transport is not None
        response, identity = self._all.answerer.refuse(refused)
        self._forget()
        self._closing = True
        self._since = self._all.now()
        self._write_until = self._since + self._limits.write_s
        transport.write(
            responses.head(response, identity, sum(map(len, response.body)), _CLOSE) + b"".join(response.body)
        )
        self._resume()
        if transport.can_write_eof() and len(self._all) < self._limits.connections + _LINGERING:
            transport.write_eof()
        else:
            transport.close()

    def _forget(self) -> None:
        """Let go of all bodies."""
        self._reader.drop()
        for waiting in self._queue:
            if isinstance(waiting, Message):
                self._all.held.give(waiting.size)
        self._queue.clear()
        self._unread = memoryview(b"")
        if self._answering is not None:
            self._all.held.give(self._answering.size)
            self._answering = None

    def _continue(self, reading: Message) -> None:
        """Tell a client that waits with its body to send it."""
        reading.continues = False
        if self._transport is not None:
            self._transport.write(responses.CONTINUE)

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()


def _has_gone(transport: asyncio.BaseTransport) -> bool:
    """Whether a client has closed its end, where nothing is read that would tell."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
