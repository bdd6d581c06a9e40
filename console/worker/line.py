"""The console's end of a child's control socket: non-blocking, on the event loop's own reader callbacks."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter

from console.worker.mailbox import Mailbox
from console.worker.wire import AWAKE_READ_SIZE, BELL, FDS_CAP, READ_SIZE, Decoder, Head, WireError, encode

QUEUE_CAP = 256 << 20
"""Bytes that may wait for a child that does not read."""


class Line:
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
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self.open = True
        self.mailbox: Mailbox | None = None
        """Where frames may lie too, once the child knows of it."""

    def send(self, head: Head, body: bytes = b"", fds: Sequence[int] = (), *, gather: bool = False) -> None:
        """Queue one frame; `fds` are duplicated, so the caller may close its own. Raises WireError.

        With `gather` it leaves together with all others of this turn of the event loop, so that the child finds them
        in one read.
        """
        if len(fds) > FDS_CAP:
            raise WireError(f"{len(fds)} descriptors in one frame")
        self.send_frame(encode({**head, "fds": len(fds)} if fds else head, body), fds, gather=gather)

    def send_frame(self, data: bytes, fds: Sequence[int] = (), *, gather: bool = False) -> None:
        """The same for a frame that is made already. Raises WireError."""
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

    def post(self, data: bytes) -> None:
        """The same for the frame of a call whose answer is held for awake; `rest` must follow. Raises WireError."""
        mailbox = self.mailbox
        if mailbox is None or self._waiting or self._gathered or not self.open:
            self.send_frame(data)
            return
        mailbox.watch()
        if not mailbox.put(data):
            self.send_frame(data)
        elif mailbox.overlooked:
            self.send_frame(BELL)

    def rest(self) -> None:
        """From now on frames come through the socket alone, but for one that has come already."""
        if self.open and self.mailbox is not None:
            self._take_left(self.mailbox.leave())

    def _take_left(self, frame: bytes | None) -> None:
        if frame is not None:
            self._take(frame, by_mailbox=True)

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

    def hold(self, seconds: float, *, awake: bool) -> None:
        """Read what comes as soon as it comes, in place of the event loop, for so many seconds at most.

        `awake`: without going to sleep meanwhile; otherwise waiting ends with the millisecond.
        """
        if awake:
            self._hold_awake(seconds)
        elif self.open and self._poll.poll(seconds * 1e3):
            self.read()

    def _hold_awake(self, seconds: float) -> None:
        until, receive, mailbox = perf_counter() + seconds, self._sock.recv, self.mailbox
        while self.open:
            frame = None if mailbox is None else mailbox.look()
            if frame is not None:
                self._take(frame, by_mailbox=True)
                return
            try:
                data = receive(AWAKE_READ_SIZE)
            except BlockingIOError:
                if perf_counter() > until:
                    return
            except OSError:
                return
            else:
                self._take(data)
                return

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
        return self._take(data)

    def _take(self, data: bytes, *, by_mailbox: bool = False) -> bool:
        """Hand on the frames of what was read, nothing being the end; whether it was not.

        A bell in the mailbox itself rings nothing: a child could lay down one after the other for ever.
        """
        if not data:
            self._end("")
            return False
        try:
            frames = self._decoder.feed(data)
        except WireError as error:
            self._end(str(error))
            return False
        for head, body in frames:
            if "bell" not in head:
                self._on_frame(head, body)
            elif self.open and self.mailbox is not None and not by_mailbox:
                self._take_left(self.mailbox.take())
        return True

    def close(self) -> None:
        """Close without a call of `on_close`. May be called twice."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        if self.mailbox is not None:
            self.mailbox.close()
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
