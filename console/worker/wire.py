"""Frames between the console and its children: a capped head, then raw bytes, with descriptors one way only.

A frame is two big-endian uint32 (length of head, length of body), the head and the body. A head is one JSON object in
UTF-8. The heads of an array call and of its answer, which may travel ten thousand times a second, have a packed form
too, which the top bit of the first number tells; both forms decode to the same object and pass the same checks:

    call    !BBBBQ  1, methods (bit i = METHODS[i]), dtype (index in DTYPES), ndim, id; then ndim uint64 sides
    answer  !BBQQ   2, number of arrays, id, nanoseconds in the model; then for each array
            !BBB    method (index), dtype (index), ndim; then ndim uint64 sides; the body holds the arrays in turn

Descriptors travel from the console to a child with the first byte of a frame; a child can send none. Nothing that
arrives is ever unpickled. Python 3.9: children run this module under a model's own interpreter.
"""

from __future__ import annotations

import array
import json
import select
import socket
import struct
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Optional

HEAD_CAP = 16 << 20
BODY_CAP = 64 << 20
FDS_CAP = 16
SIDES_CAP = 8
READ_SIZE = 64 << 10
"""Bytes of one read: small enough that the allocator need not ask the kernel for each."""

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score")
"""What a model can be asked, in an order that the packed form relies on."""
DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "<u8", "<u4", "<u2", "<c8", "<c16", "|b1", "|i1", "|u1")
"""The arrays that travel, as numpy writes their dtypes; the packed form relies on the order."""
_ITEM_SIZES = (8, 4, 2, 8, 4, 2, 8, 4, 2, 8, 16, 1, 1, 1)
_DTYPE_INDEX = {name: index for index, name in enumerate(DTYPES)}
_METHOD_INDEX = {name: index for index, name in enumerate(METHODS)}

_SIZES = struct.Struct("!II")
_PACKED = 1 << 31
_CALL, _ANSWER = 1, 2
_CALL_HEAD = struct.Struct("!BBBBQ")
_ANSWER_HEAD = struct.Struct("!BBQQ")
_PLACE_HEAD = struct.Struct("!BBB")
_FORM_ENDS, _FORM_GOES_ON = _SIZES.size + 4, _SIZES.size + _CALL_HEAD.size
"""Where the number stands in the frame of a call."""
_SIDES = tuple(struct.Struct(f"!{count}Q") for count in range(SIDES_CAP + 1))
_REPEATED_CAP = 256
"""So many heads that only differ from one before in numbers are known by heart, if they are as short as this."""
_CALL_FIELDS = frozenset({"op", "id", "dtype", "shape", "methods"})
_ANSWER_FIELDS = frozenset({"id", "worker_ns", "arrays"})

Head = dict[str, Any]


class WireError(Exception):
    """The other side broke the protocol, or closed the line in the middle of a frame."""


def encode(head: Head, body: bytes = b"") -> bytes:
    """One frame as bytes. Raises WireError when head or body is over its cap."""
    text = _packed(head)
    mark = _PACKED
    if text is None:
        text = _ENCODER.encode(head).encode("utf-8", "surrogatepass")
        mark = 0
    if len(text) > HEAD_CAP or len(body) > BODY_CAP:
        raise WireError(f"frame too large: head {len(text)} bytes, body {len(body)} bytes")
    return b"".join((_SIZES.pack(mark | len(text), len(body)), text, body))


def _packed(head: Head) -> Optional[bytes]:
    """The packed form of a head that has one."""
    try:
        if head.keys() == _CALL_FIELDS and head["op"] == "call_array":
            shape, methods = head["shape"], 0
            for name in head["methods"]:
                methods |= 1 << _METHOD_INDEX[name]
            fixed = _CALL_HEAD.pack(_CALL, methods, _DTYPE_INDEX[head["dtype"]], len(shape), head["id"])
            return fixed + _SIDES[len(shape)].pack(*shape)
        if head.keys() == _ANSWER_FIELDS:
            places = head["arrays"]
            fixed = _ANSWER_HEAD.pack(_ANSWER, len(places), head["id"], head["worker_ns"])
            return fixed + _packed_places(tuple(places))
    except (KeyError, IndexError, TypeError, struct.error):
        pass
    return None


@lru_cache(maxsize=_REPEATED_CAP)
def _packed_places(places: tuple[tuple[str, str, tuple[int, ...]], ...]) -> bytes:
    parts = []
    for name, dtype, shape in places:
        parts.append(_PLACE_HEAD.pack(_METHOD_INDEX[name], _DTYPE_INDEX[dtype], len(shape)))
        parts.append(_SIDES[len(shape)].pack(*shape))
    return b"".join(parts)


def packed_call(fields: Head, body_size: int) -> Optional[bytes]:
    """The frame of a call, but for its body and with the number 0; None where it has no packed form."""
    head = _packed({**fields, "id": 0})
    return None if head is None else _SIZES.pack(_PACKED | len(head), body_size) + head


def call_form(frame: bytes) -> bytes:
    """What a frame of a packed call has in common with all of the same sizes, dtype, shape and methods."""
    return frame[:_FORM_ENDS] + frame[_FORM_GOES_ON : _FORM_GOES_ON + 8 * frame[_FORM_ENDS - 1]]


def call_number(frame: bytes) -> int:
    """The number in a frame of a packed call."""
    return int.from_bytes(frame[_FORM_ENDS:_FORM_GOES_ON], "big")


def _unpacked(text: bytes) -> Head:
    """The object of a packed head. Raises WireError for whatever is not exactly one."""
    try:
        head = _unpacked_call(text) if text[0] == _CALL else _unpacked_answer(text)
    except (IndexError, struct.error):
        raise WireError("packed head is cut off") from None
    return head


def _unpacked_call(text: bytes) -> Head:
    _kind, mask, dtype, sides, number = _CALL_HEAD.unpack_from(text)
    shape = _SIDES[sides].unpack_from(text, _CALL_HEAD.size)
    if len(text) != _CALL_HEAD.size + 8 * sides or mask >> len(METHODS):
        raise WireError("packed head of a call is malformed")
    methods = [name for index, name in enumerate(METHODS) if mask >> index & 1]
    return {"op": "call_array", "id": number, "dtype": DTYPES[dtype], "shape": shape, "methods": methods}


def _unpacked_answer(text: bytes) -> Head:
    kind, count, number, spent = _ANSWER_HEAD.unpack_from(text)
    if kind != _ANSWER:
        raise WireError(f"packed head of unknown kind {kind}")
    rest = text[_ANSWER_HEAD.size :]
    places = _repeated_places(rest, count) if len(rest) <= _REPEATED_CAP else _unpacked_places(rest, count)
    return {"id": number, "worker_ns": spent, "arrays": list(places)}


def _unpacked_places(text: bytes, count: int) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    places, at = [], 0
    for _ in range(count):
        method, dtype, sides = _PLACE_HEAD.unpack_from(text, at)
        shape = _SIDES[sides].unpack_from(text, at + _PLACE_HEAD.size)
        at += _PLACE_HEAD.size + 8 * sides
        places.append((METHODS[method], DTYPES[dtype], shape))
    if at != len(text):
        raise WireError("packed head of an answer is malformed")
    return tuple(places)


_repeated_places = lru_cache(maxsize=_REPEATED_CAP)(_unpacked_places)


def size_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of an array of this dtype and shape. Raises WireError for another dtype than those of DTYPES."""
    index = _DTYPE_INDEX.get(dtype)
    if index is None:
        raise WireError(f"no array of {dtype[:40]} travels")
    size = _ITEM_SIZES[index]
    for side in shape:
        if side < 0:
            raise WireError("an array has a negative side")
        size *= side
    return size


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
    while available - begin >= _SIZES.size:
        first, body_size = _SIZES.unpack_from(data, begin)
        head_size = first & ~_PACKED
        if head_size > HEAD_CAP or body_size > BODY_CAP:
            raise WireError(f"frame claims {head_size} + {body_size} bytes, over the cap")
        middle = begin + _SIZES.size + head_size
        end = middle + body_size
        if available < end:
            break
        text = bytes(data[begin + _SIZES.size : middle])
        head = _unpacked(text) if first & _PACKED else _parsed(text)
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

    def receive(self) -> Frame:
        """The next frame with its descriptors, as many as its head counts under `fds`.

        Raises EOFError when the line is closed between frames, WireError when it is closed inside one.
        """
        while not self._ready:
            if not self._read():
                if self._decoder.partial:
                    raise WireError("the line closed inside a frame")
                raise EOFError
        return self._next()

    def chunk(self) -> bytes:
        """What one read brings, if nothing was read that was not handed out; it must be given to `feed` or answered.

        Raises EOFError like `receive`.
        """
        if self._ready or self._fds or self._decoder.partial:
            return b""
        data = self._chunk()
        if not data:
            raise EOFError
        if self._fds:
            self.feed(data)
            return b""
        return data

    def feed(self, data: bytes) -> None:
        """Take what was read as the next of the stream. Raises WireError."""
        self._ready.extend(self._decoder.feed(data))

    def peek(self) -> Optional[Head]:
        """The head of the next frame, if it was read already."""
        return self._ready[0][0] if self._ready else None

    def wait(self, seconds: float) -> Optional[Head]:
        """The head of the next frame, if it comes within so many seconds. Raises WireError."""
        while not self._ready:
            if not self._poll.poll(seconds * 1e3) or not self._read():
                return None
        return self._ready[0][0]

    def _read(self) -> bool:
        """Take one chunk from the socket; whether there was one."""
        data = self._chunk()
        if data:
            self._ready.extend(self._decoder.feed(data))
        return bool(data)

    def _chunk(self) -> bytes:
        data, ancillary, _flags, _address = self._sock.recvmsg(READ_SIZE, _SPACE)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
                self._fds.extend(received)
        return data

    def _next(self) -> Frame:
        head, body = self._ready.popleft()
        count = head.get("fds", 0)
        if not count:
            return head, body, []
        fds, self._fds = self._fds[:count], self._fds[count:]
        return head, body, fds


_SPACE = socket.CMSG_SPACE(FDS_CAP * array.array("i").itemsize)
