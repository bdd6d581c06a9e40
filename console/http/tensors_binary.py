"""Triton's extension of the Open Inference Protocol: a JSON head, and behind it the tensors' bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console.errors import InputError, UsageError
from console.http.tensors_json import SIZES, count_of, kind_of

HEAD_LENGTH = "Inference-Header-Content-Length"
_LENGTH = struct.Struct("<I")


def split_body(body: bytes, headers: Mapping[bytes, bytes]) -> tuple[bytes, memoryview | None]:
    """The head and the tensors behind it, which is None where all of the body is the head. Raises UsageError."""
    said = headers.get(HEAD_LENGTH.lower().encode())
    if said is None:
        return body, None
    if not said.isdigit() or len(said) > 12 or int(said) > len(body):
        shown = said[:20].decode("latin-1")
        raise UsageError(f"{HEAD_LENGTH}: expected a length of up to the body's {len(body)} bytes, found {shown!r}.")
    return body[: int(said)], memoryview(body)[int(said) :]


class BinaryParts:
    """The tensors behind a head, taken one by one in its order."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, name: str, size: Any) -> memoryview:
        """The next so many bytes. Raises UsageError."""
        left = len(self._data) - self._at
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= left:
            raise UsageError(f"Input {name!r}: binary_data_size is {str(size)[:20]}, but {left} bytes are left.")
        self._at += size
        return self._data[self._at - size : self._at]

    def end(self) -> None:
        """Raises UsageError where bytes are left over."""
        left = len(self._data) - self._at
        if left:
            raise UsageError(f"The body has {left} bytes more than its inputs' binary_data_size say.")


def check_size(name: str, datatype: str, shape: Sequence[int], size: int) -> None:
    """Raises InputError, UsageError where a tensor's bytes are not as many as its datatype and shape say."""
    kind_of(datatype)
    expected = count_of(name, shape) * SIZES[datatype]
    if size != expected:
        raise InputError(f"Input {name!r}: {datatype} of shape {list(shape)} expects {expected} bytes, found {size}.")


def check_bools(name: str, data: memoryview) -> None:
    """Raises InputError for bytes that are neither 0 nor 1."""
    if wrong := data.tobytes().translate(None, b"\x00\x01"):
        raise InputError(f"Input {name!r}: expected bytes 0 or 1 as BOOL, found {wrong[0]}.")


def read_texts(name: str, shape: Sequence[int], data: memoryview) -> list[str]:
    """The elements of a BYTES tensor. Raises InputError, UsageError."""
    expected = count_of(name, shape)
    found: list[str] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data) or at + 4 + (size := _LENGTH.unpack_from(data, at)[0]) > len(data):
            raise InputError(f"Input {name!r}: element {len(found)} of its BYTES ends beyond the tensor's end.")
        found.append(text_of(name, bytes(data[at + 4 : at + 4 + size])))
        at += 4 + size
    if len(found) != expected:
        raise InputError(f"Input {name!r}: shape {list(shape)} expects {expected} elements, found {len(found)}.")
    return found


def text_of(name: str, data: bytes) -> str:
    """Bytes as the text that they are. Raises InputError."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"Input {name!r}: expected text in UTF-8, found other bytes.") from error


def written_texts(texts: Iterable[str]) -> bytes:
    """Texts as the elements of a BYTES tensor."""
    parts: list[bytes] = []
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)


def raw_shape(name: str, datatype: str, shape: Sequence[int], size: int) -> tuple[int, ...]:
    """The shape of a tensor that is the whole body: what the metadata leaves open follows from its size.

    Raises InputError.
    """
    if datatype == "BYTES":
        return (1, 1)
    row = SIZES[datatype]
    for length in shape:
        row *= max(length, 1)
    count, rest = divmod(size, row)
    open_sizes = sum(length < 0 for length in shape)
    if rest or open_sizes > 1 or (not open_sizes and count != 1):
        raise InputError(
            f"Input {name!r}: a body without a head must be {datatype} of shape {list(shape)}, found {size} bytes.",
            hint="send a head that says the shape",
        )
    return tuple(count if length < 0 else length for length in shape)
