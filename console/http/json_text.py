"""JSON in answers, with the numbers that JSON does not have as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from console.http.messages import Response

SPELLED: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How numbers that JSON does not have are written: as protocol buffers' JSON does, in a string."""
_ENCODER = msgspec.json.Encoder()


def spelled(values: Iterable[Any], nan: Any = "NaN") -> list[Any]:
    """Numbers with those that JSON does not have as text, and not-a-number as `nan`."""
    return [
        value
        if not isinstance(value, float) or math.isfinite(value)
        else nan
        if value != value
        else "Infinity"
        if value > 0
        else "-Infinity"
        for value in values
    ]


def encoded_numbers(values: Sequence[Any]) -> msgspec.Raw:
    """A list of numbers as JSON."""
    text = _ENCODER.encode(values)
    if b"null" in text:
        text = _ENCODER.encode(spelled(values))
    return msgspec.Raw(text)


def encode(value: object) -> bytes:
    """Any record or value as JSON; text that no UTF-8 holds, as of the name of a file, is written with ?."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(_as_utf8(msgspec.to_builtins(value, enc_hook=_raw)))


def _raw(value: Any) -> Any:
    return msgspec.json.decode(value)


def _as_utf8(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_as_utf8(key): _as_utf8(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_utf8(one) for one in value]
    return value


def json_response(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """An answer in JSON."""
    return Response(status, (encode(value),), headers=headers)
