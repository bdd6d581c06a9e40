"""Responses as bytes: the head with the headers that keep browsers safe, and compression where it is worth it."""

from __future__ import annotations

import re
import time
import zlib
from email.utils import formatdate

from console.http.errors import REASONS
from console.http.messages import Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_SAFE = "Server: model-console\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
_PAGE = "X-Frame-Options: DENY\r\nReferrer-Policy: same-origin\r\n"
"""With another policy a browser would not tell that a form is of this page."""
_DATA = "Referrer-Policy: no-referrer\r\n"
_POLICY = b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'\r\n"
_UNFIT = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
_KEPT = 64
_WORTH = 16 << 10
"""From this size on text is compressed for who asks for it."""

_heads: dict[tuple[int, str], bytes] = {}
_date: tuple[int, bytes] = (0, b"")


def head(response: Response, request_id: bytes, length: int, connection: bytes) -> bytes:
    """Everything before the body; `connection` is the header of that name, empty where none is needed."""
    key = (response.status, response.content_type)
    start = _heads.get(key)
    if start is None:
        start = _start(*key)
        if len(_heads) < _KEPT:
            _heads[key] = start
    more = _lines(response.headers) if response.headers else b""
    if response.content_type.startswith("text/html") and b"Content-Security-Policy" not in more:
        more += _POLICY
    size = b"" if response.status in (204, 304) else b"Content-Length: %d\r\n" % length
    identity = b"X-Request-Id: %b\r\n" % request_id if request_id else b""
    return b"%b%b%b%b%b%b\r\n" % (start, _now(), identity, more, size, connection)


def compressed(response: Response) -> Response:
    """The response with its body compressed; raises nothing."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(part) for part in response.body]
    parts.append(packer.flush())
    headers = (*response.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return Response(response.status, (b"".join(parts),), response.content_type, headers)


def worth_compressing(response: Response, accepted: bytes | None) -> bool:
    """Whether the client takes gzip and the body is text that is long."""
    if not accepted or sum(map(len, response.body)) < _WORTH:
        return False
    kind = response.content_type
    if not (kind.startswith("text/") or "json" in kind) or any(n == "Content-Encoding" for n, _ in response.headers):
        return False
    return any(_takes_gzip(one) for one in accepted.lower().split(b","))


def _takes_gzip(coding: bytes) -> bool:
    name, _, quality = coding.partition(b";")
    return name.strip() in (b"gzip", b"*") and quality.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00")


def _start(status: int, content_type: str) -> bytes:
    """Status line and the headers that all responses of this kind have."""
    page = _PAGE if content_type.startswith("text/html") else _DATA
    kind = f"Content-Type: {_fit(content_type)}\r\n" if content_type and status not in (204, 304) else ""
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n{_SAFE}{page}{kind}".encode("latin-1")


def _lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    return "".join(f"{_fit(name)}: {_fit(value)}\r\n" for name, value in headers).encode("latin-1")


def _fit(text: str) -> str:
    """Text without what no header may hold."""
    return _UNFIT.sub("?", text)


def _now() -> bytes:
    """The header Date, made once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode("ascii"))
    return _date[1]
