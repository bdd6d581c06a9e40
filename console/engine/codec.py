"""Records as bytes: whatever an engine is asked and answers, for a client in another process.

Text may hold what no UTF-8 does (file names are as os.fsdecode gives them), so that the bytes are JSON in ASCII.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from console import errors
from console.errors import ConsoleError, OverloadedError
from console.records import ErrorRecord

__all__ = ["decode", "encode", "error_from", "error_record"]


def encode(value: object) -> bytes:
    """A record, or what is made of them, as bytes."""
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode("ascii")


def decode(data: bytes, kind: Any) -> Any:
    """The value of this type again. Raises ValueError for bytes that are none."""
    try:
        return msgspec.convert(json.loads(data), kind, str_keys=True)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def error_record(error: ConsoleError) -> ErrorRecord:
    """An error as a record; one of a class that only some room knows goes by the class of `console.errors` it is of."""
    known = next(base.__name__ for base in type(error).__mro__ if vars(errors).get(base.__name__) is base)
    retry_s = error.retry_s if isinstance(error, OverloadedError) else None
    return ErrorRecord(known, error.code, error.message, error.hint, error.failure, retry_s)


def error_from(record: ErrorRecord) -> ConsoleError:
    """The error that a record tells of, to be raised."""
    kind = vars(errors).get(record.error)
    if not (isinstance(kind, type) and issubclass(kind, ConsoleError)):
        kind = ConsoleError
    error = kind(record.message, hint=record.hint, failure=record.failure)
    error.code = record.code
    if isinstance(error, OverloadedError) and record.retry_s is not None:
        error.retry_s = record.retry_s
    return error
