"""Frames between the console and its children: a capped JSON head, then raw bytes, with descriptors one way only.

A frame is two big-endian uint32 (length of head, length of body), the head (one JSON object in UTF-8) and the body.
Descriptors travel from the console to a child with the first byte of a frame; a child can send none. Nothing that
arrives is ever unpickled. Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import array
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

HEAD_CAP = 16 << 20
BODY_CAP = 64 << 20
FDS_CAP = 16
_SIZES = struct.Struct("!II")

Head = dict[str, Any]


class WireError(Exception):
    """The other side broke the protocol, or closed the line in the middle of a frame."""


def encode(head: Head, body: bytes = b"") -> bytes:
    """One frame as bytes. Raises WireError when head or body is over its cap."""
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode("utf-8", "surrogatepass")
    if len(text) > HEAD_CAP or len(body) > BODY_CAP:
        raise WireError(f"frame too large: head {len(text)} bytes, body {len(body)} bytes")
    return _SIZES.pack(len(text), len(body)) + text + body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


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
        self._buffer += data
        frames = []
        while len(self._buffer) >= _SIZES.size:
            head_size, body_size = _SIZES.unpack_from(self._buffer)
            if head_size > HEAD_CAP or body_size > BODY_CAP:
                raise WireError(f"frame claims {head_size} + {body_size} bytes, over the cap")
            end = _SIZES.size + head_size + body_size
            if len(self._buffer) < end:
                break
            text = bytes(self._buffer[_SIZES.size : _SIZES.size + head_size])
            body = bytes(self._buffer[_SIZES.size + head_size : end])
            del self._buffer[:end]
            try:
                head = json.loads(text.decode("utf-8", "surrogatepass"), parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                raise WireError(f"head is not JSON: {type(error).__name__}") from None
            if not isinstance(head, dict):
                raise WireError("head is not an object")
            frames.append((head, body))
        return frames


def send(sock: socket.socket, head: Head, body: bytes = b"", fds: Sequence[int] = ()) -> None:
    """Send one frame on a blocking socket, `fds` with its first byte. Raises OSError, WireError."""
    data = encode({**head, "fds": len(fds)} if fds else head, body)
    if fds:
        sent = socket.send_fds(sock, [data], list(fds))
        data = data[sent:]
    if data:
        sock.sendall(data)


class Receiver:
    """Blocking reader for a child's end of the line: frames with the descriptors that came along."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = Decoder()
        self._ready: list[tuple[Head, bytes]] = []
        self._fds: list[int] = []

    def receive(self) -> tuple[Head, bytes, list[int]]:
        """The next frame with its descriptors, as many as its head counts under `fds`.

        Raises EOFError when the line is closed between frames, WireError when it is closed inside one.
        """
        while not self._ready:
            space = socket.CMSG_SPACE(FDS_CAP * array.array("i").itemsize)
            data, ancillary, _flags, _address = self._sock.recvmsg(1 << 20, space)
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    received = array.array("i")
                    received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
                    self._fds.extend(received)
            if not data:
                if self._decoder.partial:
                    raise WireError("the line closed inside a frame")
                raise EOFError
            self._ready = self._decoder.feed(data)
        head, body = self._ready.pop(0)
        count = head.get("fds", 0)
        fds, self._fds = self._fds[:count], self._fds[count:]
        return head, body, fds
