"""Browsers: sites that may ask, and the answers that tell a browser so; no other site may, nor make it ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from console.http.errors import Refused
from console.http.messages import Response

_METHODS = "GET, HEAD, POST, OPTIONS"
_HEADERS = "Authorization, Content-Type, Content-Encoding, Inference-Header-Content-Length, Traceparent, X-Request-Id"
_EXPOSED = "Inference-Header-Content-Length, Retry-After, X-Request-Id"
_ADDRESS = re.compile(rb"[0-9.]+")
_READS = ("GET", "HEAD", "OPTIONS")
_SIGNS = (b"accept-language", b"origin", b"referer", b"sec-fetch-site", b"upgrade-insecure-requests")
"""Headers that browsers send and programs do not. A page may change its User-Agent; it cannot be rid of the first."""


class Browsers:
    """The rules for requests that a browser makes for a page; `origins` are sites like `https://example.org`."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(one.encode("ascii", "replace") for one in origins)

    def check(self, headers: Mapping[bytes, bytes], method: str, *, local: bool) -> None:
        """Raises Refused (403) where a page of another site has its browser send something, or has made its own name
        one of this machine (`local` = the socket is for this machine) to read what is answered."""
        origin = headers.get(b"origin")
        if origin in self._origins:
            return
        if local and b"authorization" not in headers and _is_browsers(headers):
            _check_host(headers.get(b"host", b"").lower())
        if origin is None or method in _READS:
            return
        if origin == b"null" or _host(origin) != headers.get(b"host", b"").lower():
            raise Refused(403, "pages of other sites may not ask here", code="refused")

    def options(self, allow: str, headers: Mapping[bytes, bytes]) -> Response:
        """The answer to OPTIONS, a browser's question before a request among them."""
        response = Response(204, headers=(("Allow", allow),))
        if headers.get(b"origin") in self._origins and b"access-control-request-method" in headers:
            more = (
                ("Access-Control-Allow-Methods", _METHODS),
                ("Access-Control-Allow-Headers", _HEADERS),
                ("Access-Control-Max-Age", "600"),
            )
            response = replace(response, headers=(*response.headers, *more))
        return response

    def marked(self, response: Response, headers: Mapping[bytes, bytes]) -> Response:
        """The response, to be read by a page of a site that may."""
        if not self._origins:
            return response
        more: tuple[tuple[str, str], ...] = (("Vary", "Origin"),)
        origin = headers.get(b"origin")
        if origin in self._origins:
            allowed = (origin or b"").decode("ascii", "replace")
            more = (*more, ("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", _EXPOSED))
        return replace(response, headers=(*response.headers, *more))


def _is_browsers(headers: Mapping[bytes, bytes]) -> bool:
    return headers.get(b"user-agent", b"").startswith(b"Mozilla/") or any(sign in headers for sign in _SIGNS)


def _check_host(host: bytes) -> None:
    name = host[: host.rfind(b"]") + 1] or host.partition(b":")[0]
    if name.startswith(b"[") or _ADDRESS.fullmatch(name) or name == b"localhost" or name.endswith(b".localhost"):
        return
    raise Refused(
        403,
        "without a token a browser may ask this socket by a name of this machine alone",
        code="refused",
        hint="open it as http://localhost, or have what stands before it send a token",
    )


def _host(origin: bytes) -> bytes:
    """Host and port of an origin, as the header Host has them."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return b""
