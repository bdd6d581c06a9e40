"""JSON in bodies of requests: read strictly, or leniently where a client wrote the numbers that JSON does not have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import msgspec

from console.errors import UsageError
from console.http.errors import Refused

T = TypeVar("T")
P = ParamSpec("P")

MOST_JSON = 16 << 20
"""Bytes of JSON that are read; numbers take a tenth of the time as binary tensors."""
_LARGE = 256 << 10
_MOST_BARE = 1 << 20
"""Bytes that Python's own reader is given, which takes seconds for some."""

_ENCODER = msgspec.json.Encoder()
_BARE = (b"NaN", b"Infinity")


def read_json(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as the decoder's type; bare NaN and Infinity, as Python's json writes them, are read too.

    Raises UsageError, Refused (413)."""
    if len(body) > MOST_JSON:
        hint = "send fewer rows at a time, or binary tensors"
        raise Refused(413, f"{len(body):,} bytes of JSON are more than {MOST_JSON:,}", hint=hint)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise UsageError(f"The body is not what is expected: {error}.") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if isinstance(error, msgspec.DecodeError) and any(word in body for word in _BARE):
            return _read_bare(body, decoder)
        raise UsageError(f"The body is no valid JSON: {_why(error)}.") from error


async def aside(size: int, read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """The reading of JSON of this size: of much of it on a thread, so that others are answered meanwhile."""
    return read(*args, **more) if size < _LARGE else await asyncio.to_thread(read, *args, **more)


def _read_bare(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The same by Python's own reader, with what JSON does not have in strings."""
    if len(body) > _MOST_BARE:
        raise UsageError(f'NaN is written "NaN", and Infinity "Infinity", in JSON of more than {_MOST_BARE:,} bytes.')
    try:
        value = json.loads(body, parse_constant=str)
        return decoder.decode(_ENCODER.encode(value))
    except msgspec.ValidationError as error:
        raise UsageError(f"The body is not what is expected: {error}.") from error
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise UsageError(f"The body is no valid JSON: {_why(error)}.") from error


def _why(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).removeprefix("JSON is malformed: ")
