"""Browsers: no page of another site may read an answer, nor make a browser ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from console.http.errors import Refused

_ADDRESS = re.compile(rb"[0-9.]+")
_READS = ("GET", "HEAD", "OPTIONS")
_SIGNS = (b"accept-language", b"origin", b"referer", b"sec-fetch-site", b"upgrade-insecure-requests")
"""Headers that browsers send and programs do not. A page may change its User-Agent; it cannot be rid of the first."""


def check(headers: Mapping[bytes, bytes], method: str, *, local: bool) -> None:
    """Raises Refused (403) where a page of another site has its browser send something, or has made its own name
    one of this machine (`local` = the socket is for this machine) to read what is answered."""
    if local and b"authorization" not in headers and _is_browsers(headers):
        _check_host(headers.get(b"host", b"").lower())
    origin = headers.get(b"origin")
    if origin is None or method in _READS:
        return
    if origin == b"null" or _host(origin) != headers.get(b"host", b"").lower():
        raise Refused(403, "pages of other sites may not ask here", code="refused")


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
