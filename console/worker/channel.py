"""The console's end of a child's control socket: non-blocking, on the event loop's own reader callbacks."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from console.worker.wire import FDS_CAP, READ_SIZE, Decoder, Head, WireError, encode

QUEUE_CAP = 256 << 20
"""Bytes that may wait for a child that does not read."""


class Channel:
    """Frames over one socket. `on_frame(head, body)` runs for each, `on_close(reason)` once.

    The reason is what the child did wrong, or "" when the line just ended, be it in the middle of a frame: whoever is
    killed while writing leaves such an end, and how the process ended tells more.
    """

    def __init__(
        self, sock: socket.socket, on_frame: Callable[[Head, bytes], None], on_close: Callable[[str], None]
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_frame = on_frame
        self._on_close = on_close
        self._decoder = Decoder()
        self._waiting: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._gathered: list[bytes] = []
        self._queued = 0
        self._blocked = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)
        self.open = True

    def send(self, head: Head, body: bytes = b"", fds: Sequence[int] = (), *, gather: bool = False) -> None:
        """Queue one frame; `fds` are duplicated, so the caller may close its own. Raises WireError.

        With `gather` it leaves together with all others of this turn of the event loop, so that the child finds them
        in one read.
        """
        if len(fds) > FDS_CAP:
            raise WireError(f"{len(fds)} descriptors in one frame")
        data = encode({**head, "fds": len(fds)} if fds else head, body)
        if not self.open:
            raise WireError("the line is closed")
        if self._queued + len(data) > QUEUE_CAP:
            raise WireError("the child does not read what it is sent")
        if not (gather or fds or self._waiting or self._gathered or len(data) > READ_SIZE):
            data = self._sent_at_once(data)
            if not data:
                return
        self._queued += len(data)
        if gather and not fds:
            if not self._gathered:
                self._loop.call_soon(self._flush)
            self._gathered.append(data)
            return
        self._flush()
        self._waiting.append((memoryview(data), tuple(os.dup(fd) for fd in fds)))
        if not self._blocked:
            self._writable()

    def _sent_at_once(self, data: bytes) -> bytes:
        """Send as much as the child has room for; what is left of it, which was not sent."""
        try:
            sent = self._sock.send(data)
        except OSError:
            return data
        return data[sent:]

    def _flush(self) -> None:
        """Put what was gathered behind what waits."""
        if self._gathered and self.open:
            self._waiting.append((memoryview(b"".join(self._gathered)), ()))
            self._gathered.clear()
            if not self._blocked:
                self._writable()

    def _writable(self) -> None:
        try:
            while self._waiting:
                data, fds = self._waiting[0]
                sent = socket.send_fds(self._sock, [data], list(fds)) if fds else self._sock.send(data)
                _close(fds)
                self._queued -= sent
                if sent < len(data):
                    self._waiting[0] = (data[sent:], ())
                else:
                    self._waiting.popleft()
        except BlockingIOError:
            if not self._blocked:
                self._blocked = True
                self._loop.add_writer(self._sock, self._writable)
        except OSError:
            self._end("")
        else:
            if self._blocked:
                self._blocked = False
                self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        self.read()

    def read(self) -> bool:
        """Take one chunk and hand on its frames; whether there was one. Called to drain a dead child too."""
        if not self.open:
            return False
        try:
            data = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end("")
            return False
        try:
            frames = self._decoder.feed(data)
        except WireError as error:
            self._end(str(error))
            return False
        for head, body in frames:
            self._on_frame(head, body)
        return True

    def close(self) -> None:
        """Close without a call of `on_close`. May be called twice."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        for _data, fds in self._waiting:
            _close(fds)
        self._waiting.clear()
        self._gathered.clear()

    def _end(self, reason: str) -> None:
        if self.open:
            self.close()
            self._on_close(reason)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
