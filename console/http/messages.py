"""A request as it was parsed, and the response to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from console.records import ANYBODY, Principal

JSON = "application/json"
BINARY = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"


@dataclass(slots=True)
class Request:
    """One request: `path` was split at its slashes, then percent-decoded; names of headers are lower-case.

    `id` names it in answers, events and failures; `trace` is a W3C traceparent, "" where none was sent. `deadline_ms`
    is what the client said it waits. `params` are the variables of the route's pattern.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    id: str = ""
    trace: str = ""
    deadline_ms: float | None = None
    principal: Principal = ANYBODY
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Response:
    """The answer to a request; `body` is sent in these parts. The front adds length, connection, request id and the
    headers that keep browsers safe."""

    status: int = 200
    body: tuple[bytes, ...] = ()
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
