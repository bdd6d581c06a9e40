"""Frames between the console and its children: a capped JSON head, then raw bytes, with descriptors one way only.

A frame is two big-endian uint32 (length of head, length of body), the head and the body. A head is one JSON object in
UTF-8; the numbers of arrays are bodies, as they lie in memory.

Descriptors travel from the console to a child with the first byte of a frame; a child can send none. Nothing that
arrives is ever unpickled. Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import array
import json
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any, Optional

Head = dict[str, Any]

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score")
"""Methods that a model can be asked."""
DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "<u8", "<u4", "<u2", "<c8", "<c16", "|b1", "|i1", "|u1")
"""Dtypes of the arrays that travel, as numpy writes them."""
SIZES = struct.Struct("!II")
"""Begins every frame: the length of the head, and that of the body."""
HEAD_CAP = 16 << 20
BODY_CAP = 64 << 20
FDS_CAP = 253
READ_SIZE = 64 << 10
"""Bytes of one read: small enough that the allocator need not ask the kernel for each."""


class WireError(Exception):
    """The other side broke the protocol, or closed the socket in the middle of a frame."""


def size_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of an array of this dtype and shape. Raises WireError for another dtype than those of DTYPES."""
    if dtype not in DTYPES:
        raise WireError(f"no array of {dtype[:40]} travels")
    size = int(dtype[2:])
    for side in shape:
        if side < 0:
            raise WireError("an array has a negative side")
        size *= side
    return size


def encode(head: Head, body: bytes = b"") -> bytes:
    """One frame as bytes. Raises WireError when head or body is over its cap."""
    text = _ENCODER.encode(head).encode("utf-8", "surrogatepass")
    if len(text) > HEAD_CAP or len(body) > BODY_CAP:
        raise WireError(f"frame too large: head {len(text)} bytes, body {len(body)} bytes")
    return b"".join((SIZES.pack(len(text), len(body)), text, body))


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
        head_size, body_size = SIZES.unpack_from(data, begin)
        if head_size > HEAD_CAP or body_size > BODY_CAP:
            raise WireError(f"frame claims {head_size} + {body_size} bytes, over the cap")
        middle = begin + SIZES.size + head_size
        end = middle + body_size
        if available < end:
            break
        frames.append((_parsed(bytes(data[begin + SIZES.size : middle])), bytes(data[middle:end])))
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

    def receive(self) -> Frame:
        """The next frame with its descriptors, as many as its head counts under `fds`.

        Raises EOFError when the line is closed between frames, WireError when it is closed inside one.
        """
        while not self._ready:
            if not self._read():
                if self._decoder.partial:
                    raise WireError("the line closed inside a frame")
                raise EOFError
        head, body = self._ready.popleft()
        count = head.get("fds", 0)
        if not count:
            return head, body, []
        fds, self._fds = self._fds[:count], self._fds[count:]
        return head, body, fds

    def peek(self) -> Optional[Head]:
        """The head of the next frame, if it was read already."""
        return self._ready[0][0] if self._ready else None

    def _read(self) -> bool:
        """Take one chunk from the socket; whether there was one."""
        data, ancillary, _flags, _address = self._sock.recvmsg(READ_SIZE, _SPACE)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
                self._fds.extend(received)
        self._ready.extend(self._decoder.feed(data))
        return bool(data)


_SPACE = socket.CMSG_SPACE(FDS_CAP * array.array("i").itemsize)
