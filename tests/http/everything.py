"""A little of everything that a front is asked, in a fresh interpreter: statuses, and modules that came late."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys

import console.http.front  # noqa: F401 - what a front imports
from console.http import confinement, routes
from console.http.tls import CertificateError, Tls
from tests.http.certificates import certificate
from tests.http.fronts import Engine, exchange, listening_here, statuses

ROWS = b'{"inputs":[{"name":"inputs","shape":[1,4],"datatype":"FP64","data":[1,2,3,4]}]}'
BINARY = (
    b'{"inputs":[{"name":"inputs","shape":[1,4],"datatype":"FP64","parameters":{"binary_data_size":32}}],'
    b'"parameters":{"binary_data_output":true}}'
)
ASKED: tuple[tuple[str, str, str, bytes], ...] = (
    ("GET", "/healthz", "", b""),
    ("GET", "/readyz", "", b""),
    ("GET", "/metrics", "Accept: application/openmetrics-text; version=1.0.0", b""),
    ("GET", "/openapi.json", "Accept-Encoding: gzip", b""),
    ("GET", "/", "Accept: text/html", b""),
    ("GET", "/?model=%E2%82%AC", "", b""),
    ("POST", "/?model=sum", "Content-Type: application/x-www-form-urlencoded", b"f0=1&f1=2&f2=3&f3=4"),
    ("POST", "/?model=sum", "Content-Type: application/x-www-form-urlencoded", b"f0=%ff"),
    ("OPTIONS", "/healthz", "", b""),
    ("DELETE", "/healthz", "", b""),
    ("GET", "/v2", "", b""),
    ("GET", "/v2/health/ready", "", b""),
    ("GET", "/v2/models/churn%2Flr", "", b""),
    ("GET", "/v2/models/stats", "", b""),
    ("GET", "/v2/models/none", "", b""),
    ("POST", "/v2/repository/index", "", b""),
    ("POST", "/v2/repository/models/sum/load", "", b""),
    ("POST", "/v2/models/sum/infer", "", ROWS),
    ("POST", "/v2/models/sum/infer", "Content-Encoding: gzip", gzip.compress(ROWS)),
    ("POST", "/v2/models/sum/infer", "Content-Encoding: gzip", b"none"),
    ("POST", "/v2/models/sum/infer", "Content-Encoding: br", b"none"),
    ("POST", "/v2/models/sum/infer", f"Inference-Header-Content-Length: {len(BINARY)}", BINARY + bytes(32)),
    ("POST", "/v2/models/sum/infer", "", b"\xff"),
    ("POST", "/v2/models/sum/infer", "", b"[" * 100_000),
    ("POST", "/v2/models/sum/infer", "", b'{"inputs":[]}'),
    ("POST", "/v2/models/sum/infer", "Authorization: Bearer \xe9", ROWS),
    ("POST", "/v2/models/sum/infer", "Authorization: Bearer mc_wrong", ROWS),
    ("POST", "/v1/models/sum:predict", "", b'{"instances":[[1,2,3,4]]}'),
    ("POST", "/v1/models/churn/lr:classify", "", b'{"examples":[{"age":1,"income":2,"visits":3}]}'),
    ("GET", "/v1/models/sum", "", b""),
    ("GET", "/v1/models/sum/metadata", "", b""),
    ("POST", "/invocations?model=sum", "Content-Type: text/csv", b"a,b,c,d\n1,2,3,4\n"),
    ("POST", "/invocations?model=sum", "Content-Type: application/json", b'{"dataframe_split":{"data":[[1,2,3,4]]}}'),
    ("GET", "/ping", "", b""),
    ("GET", "/version", "", b""),
    ("POST", "/v2/models/\xc3\xa9/infer", "X-Request-Id: \xe9", ROWS),
    ("GET", "/v2/models/%zz", "", b""),
)
LARGE = b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"


async def everything() -> list[int]:
    """Ask it all."""
    engine = Engine()
    found: list[int] = []
    async with listening_here(routes.ROUTES, engine) as (port, _):
        for method, path, header, body in ASKED:
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header + chr(13) + chr(10) if header else ''}"
            sent = head.encode("latin-1") + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            found += statuses(await exchange(port, sent))
        found += statuses(await exchange(port, LARGE))
        del engine.monitor
        found += statuses(await exchange(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    return found


def exchanged(tls: Tls, good: tuple[str, str], bad: tuple[str, str]) -> None:
    """Use one certificate, and refuse another."""
    tls.use(*good)
    try:
        tls.use(*bad)
    except CertificateError:
        return
    raise AssertionError(bad)


def main() -> None:
    """Print statuses and modules that came late."""
    good, bad, tls = certificate("good"), certificate("bad", begins=-3, ends=-1), Tls()
    asyncio.run(asyncio.sleep(0))
    assert "console.http.front" in sys.modules
    confinement.preload()
    before = set(sys.modules)
    exchanged(tls, good, bad)
    found = asyncio.run(everything())
    print(json.dumps([sorted(set(found)), sorted(set(sys.modules) - before)]))


if __name__ == "__main__":
    main()
