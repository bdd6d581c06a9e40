"""Frames between the console and its children: a capped head, then raw bytes, with descriptors one way only.

A frame is two big-endian uint32 (length of head, length of body), the head and the body. A head is one JSON object in
UTF-8, or packed (see `packed`), which the top bit of the first number tells; both forms decode to the same object and
pass the same checks.

Descriptors travel from the console to a child with the first byte of a frame; a child can send none. Nothing that
arrives is ever unpickled. Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Optional

from console.worker.binary_frames import DTYPES, METHODS, PACKED, SIZES, Head, WireError, packed, size_of, unpacked

__all__ = [
    "DTYPES",
    "METHODS",
    "TAKEN_BACK",
    "TAKE_BACK",
    "Decoder",
    "Frame",
    "Head",
    "Receiver",
    "WireError",
    "encode",
    "send",
    "size_of",
]

HEAD_CAP = 16 << 20
BODY_CAP = 64 << 20
FDS_CAP = 253
AWAKE_S = 1.2e-3
"""For so long both sides stay awake for the next frame, where the last one came within it: to wake an idle processor
takes longer than most small models take to answer. It is twice what a row takes from a caller over HTTP and back (one
caller: 1.6 times as many calls a second)."""
TAKE_BACK = "take_back"
"""The operation of a frame, answered by nothing, that takes back the request with the number in `of`."""
TAKEN_BACK = "taken_back"
"""The field that marks a request nobody waits for any more."""
READ_SIZE = 64 << 10
"""Bytes of one read: small enough that the allocator need not ask the kernel for each."""


def encode(head: Head, body: bytes = b"") -> bytes:
    """One frame as bytes. Raises WireError when head or body is over its cap."""
    text = packed(head)
    mark = PACKED
    if text is None:
        text = _ENCODER.encode(head).encode("utf-8", "surrogatepass")
        mark = 0
    if len(text) > HEAD_CAP or len(body) > BODY_CAP:
        raise WireError(f"frame too large: head {len(text)} bytes, body {len(body)} bytes")
    return b"".join((SIZES.pack(mark | len(text), len(body)), text, body))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class Decoder:
    """Turns a stream of chunks into frames; holds at most one frame's bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a frame has begun that has not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[tuple[Head, bytes]]:
        """The frames that `data` completes, in order. Raises WireError on false sizes or a head that is no object."""
        held = self._buffer
        if held:
            held += data
            frames, used = _frames(held)
            del held[:used]
        else:
            frames, used = _frames(data)
            if used < len(data):
                held += data[used:]
        return frames


def _frames(data: bytes | bytearray) -> tuple[list[tuple[Head, bytes]], int]:
    """The whole frames at the beginning of `data`, and how many bytes they take."""
    frames: list[tuple[Head, bytes]] = []
    begin, available = 0, len(data)
    while available - begin >= SIZES.size:
        first, body_size = SIZES.unpack_from(data, begin)
        head_size = first & ~PACKED
        if head_size > HEAD_CAP or body_size > BODY_CAP:
            raise WireError(f"frame claims {head_size} + {body_size} bytes, over the cap")
        middle = begin + SIZES.size + head_size
        end = middle + body_size
        if available < end:
            break
        text = bytes(data[begin + SIZES.size : middle])
        head = unpacked(text) if first & PACKED else _parsed(text)
        frames.append((head, bytes(data[middle:end])))
        begin = end
    return frames, begin


def _parsed(text: bytes) -> Head:
    try:
        head = _DECODER.decode(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise WireError(f"head is not JSON: {type(error).__name__}") from None
    if not isinstance(head, dict):
        raise WireError("head is not an object")
    return head


def send(sock: socket.socket, head: Head, body: bytes = b"", fds: Sequence[int] = ()) -> None:
    """Send one frame on a blocking socket, `fds` with its first byte. Raises OSError, WireError."""
    data = encode({**head, "fds": len(fds)} if fds else head, body)
    if fds:
        sent = socket.send_fds(sock, [data], list(fds))
        data = data[sent:]
    if data:
        sock.sendall(data)


Frame = tuple[Head, bytes, list[int]]
"""Head, body, and the descriptors that came along."""


class Receiver:
    """Blocking reader for a child's end of the line: frames with the descriptors that came along."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = Decoder()
        self._ready: deque[tuple[Head, bytes]] = deque()
        self._fds: list[int] = []
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._busy = False

    def receive(self) -> Frame:
        """The next frame with its descriptors, as many as its head counts under `fds`.

        Raises EOFError when the line is closed between frames, WireError when it is closed inside one.
        """
        while not self._ready:
            self._await()
            if not self._read():
                if self._decoder.partial:
                    raise WireError("the line closed inside a frame")
                raise EOFError
        return self._next()

    def peek(self) -> Optional[Head]:
        """The head of the next frame, if it was read already."""
        return self._ready[0][0] if self._ready else None

    def look(self) -> None:
        """Read what has come behind the frames that wait already: some of them may have been taken back."""
        if self._ready and self._poll.poll(0):
            self._read()

    def wait(self, seconds: float) -> Optional[Head]:
        """The head of the next frame, if it comes within so many seconds. Raises WireError."""
        while not self._ready:
            if not self._poll.poll(seconds * 1e3) or not self._read():
                return None
        return self._ready[0][0]

    def _await(self) -> None:
        """Wait for bytes, awake for the first moment where the last ones came as soon."""
        begun = time.perf_counter()
        while self._busy and not self._poll.poll(0):
            self._busy = time.perf_counter() - begun < AWAKE_S
            os.sched_yield()
        self._poll.poll()
        self._busy = time.perf_counter() - begun < AWAKE_S

    def _read(self) -> bool:
        """Take one chunk from the socket; whether there was one."""
        data, ancillary, _flags, _address = self._sock.recvmsg(READ_SIZE, _SPACE)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
                self._fds.extend(received)
        for head, body in self._decoder.feed(data):
            if head.get("op") == TAKE_BACK:
                self._take_back(head.get("of"))
            else:
                self._ready.append((head, body))
        return bool(data)

    def _take_back(self, number: object) -> None:
        """Mark a request that has not begun; its answer is that it was taken back."""
        for head, _body in self._ready:
            if head.get("id") == number:
                head[TAKEN_BACK] = True

    def _next(self) -> Frame:
        head, body = self._ready.popleft()
        count = head.get("fds", 0)
        if not count:
            return head, body, []
        fds, self._fds = self._fds[:count], self._fds[count:]
        return head, body, fds


_SPACE = socket.CMSG_SPACE(FDS_CAP * array.array("i").itemsize)
