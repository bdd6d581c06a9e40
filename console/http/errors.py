"""Errors as answers: a status, and JSON whose `error` is a sentence, as clients of every protocol read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from console.errors import (
    AccessDeniedError,
    ConflictError,
    ConsoleError,
    DeadlineError,
    EngineGoneError,
    InputError,
    NotReadyError,
    NotServedError,
    OverloadedError,
    UsageError,
)
from console.http.json_text import encode
from console.http.messages import Response
from console.records import Principal

OVERLOADED = 429
_STATUS: tuple[tuple[type[ConsoleError], int], ...] = (
    (NotServedError, 404),
    (ConflictError, 409),
    (InputError, 400),
    (UsageError, 400),
    (AccessDeniedError, 403),
    (OverloadedError, OVERLOADED),
    (NotReadyError, 503),
    (EngineGoneError, 503),
    (DeadlineError, 504),
)
REASONS: Mapping[int, str] = {
    100: "Continue",
    200: "OK",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    499: "Client Closed Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


class Refused(Exception):
    """A request that the front answers itself, with this status and sentence."""

    def __init__(
        self, status: int, message: str, *, code: str = "", hint: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or _code(status)
        self.hint = hint
        self.headers = headers

    def response(self, request_id: str = "") -> Response:
        """The answer."""
        told = {"error": self.message, "code": self.code, "hint": self.hint or None, "request_id": request_id or None}
        return Response(self.status, (encode(told),), headers=self.headers)


def status_of(error: ConsoleError) -> int:
    """The status of an error; 500 where the model raised, or something here did."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def response_to(error: ConsoleError, request_id: str, principal: Principal) -> Response:
    """The answer to an error of the engine. Tracebacks are for those who may operate."""
    told: dict[str, Any] = {
        "error": error.message,
        "code": error.code,
        "hint": error.hint,
        "request_id": request_id or None,
    }
    if (failure := error.failure) is not None:
        if failure.differences:
            told["differences"] = msgspec.to_builtins(failure.differences)
        if failure.chain and principal.role in ("operate", "administer"):
            told["traceback"] = msgspec.to_builtins(failure.chain)
        elif failure.chain:
            told["type"] = failure.chain[-1].type
    return Response(status_of(error), (encode(told),), headers=_retry(error))


def defect(request_id: str) -> Response:
    """The answer to what nobody foresaw."""
    told = {
        "error": "the server met an error of its own",
        "code": "internal",
        "hint": "its account is in the log of the server, under this id",
        "request_id": request_id or None,
    }
    return Response(500, (encode(told),))


def _retry(error: ConsoleError) -> tuple[tuple[str, str], ...]:
    """When to ask again, for those who may."""
    if isinstance(error, OverloadedError):
        return (("Retry-After", str(max(1, math.ceil(error.retry_s)))),)
    return (("Retry-After", "1"),) if isinstance(error, (NotReadyError, EngineGoneError)) else ()


def _code(status: int) -> str:
    return REASONS.get(status, "refused").lower().replace(" ", "-")
