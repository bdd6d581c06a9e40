"""Records and values as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


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
