"""What strangers try, and what comes of it: the status of each answer, and whether the connection is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from console.engine.api import EngineApi
from console.http.limits import Limits
from console.http.messages import Request, Response
from console.http.routing import Route
from tests.http.fronts import Engine, exchange, listening_here, statuses

HOST = b"Host: x\r\n"
POST = b"POST /v2/models/m/infer HTTP/1.1\r\n" + HOST
GET = b"GET /v2/models/m HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /v2/models/smuggled HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
LIMITS = Limits(body=1000, headers=20, head=4096, url=300)


def path(raw: bytes) -> bytes:
    """A request for this path, the last of its connection."""
    return b"GET " + raw + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


SMUGGLING = {
    "Content-Length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + NEXT,
    "Content-Length twice, differing": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + NEXT,
    "Content-Length as a list": POST + b"Content-Length: 3, 3\r\n\r\nabc" + NEXT,
    "Content-Length with a sign": POST + b"Content-Length: +3\r\n\r\nabc" + NEXT,
    "Content-Length below zero": POST + b"Content-Length: -3\r\n\r\nabc" + NEXT,
    "Content-Length in hex": POST + b"Content-Length: 0x3\r\n\r\nabc" + NEXT,
    "Content-Length that is empty": POST + b"Content-Length:\r\n\r\n" + NEXT,
    "Content-Length that overflows": POST + b"Content-Length: 18446744073709551619\r\n\r\nabc" + NEXT,
    "Content-Length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunks and Content-Length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" + NEXT,
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunks, then identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + NEXT,
    "another coding, then chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunks behind a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunks in HTTP/1.0": b"POST /v2/models/m/infer HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "another coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "a space before the colon": POST + b"Content-Length : 3\r\n\r\nabc" + NEXT,
    "a tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "a folded line": POST + b"X-A: 1\r\n Content-Length: 3\r\n\r\nabc" + NEXT,
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "a space at the first header": b"POST /v2/models/m/infer HTTP/1.1\r\n " + HOST + b"\r\n" + NEXT,
    "a bare LF after the first line": b"GET /v2/models/m HTTP/1.1\n" + HOST + b"\r\n" + NEXT,
    "a bare LF between headers": GET + b"X-A: 1\nX-B: 2\r\n\r\n" + NEXT,
    "a bare LF at the end": GET + b"\n" + NEXT,
    "a bare CR in a header": GET + b"X-A: 1\rContent-Length: 3\r\n\r\nabc" + NEXT,
    "NUL in a header": GET + b"X-A: a\0b\r\n\r\n" + NEXT,
    "NUL in a name": GET + b"X-\0A: a\r\n\r\n" + NEXT,
    "a header without a colon": GET + b"X-A\r\n\r\n" + NEXT,
    "a chunk size that is none": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk size below zero": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk size that overflows": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk size with a space": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk size ended by LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk extension with LF": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n" + NEXT,
    "a chunk that is longer than it says": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n" + NEXT,
    "Host twice": GET + HOST + b"\r\n" + NEXT,
    "no Host": b"GET /v2/models/m HTTP/1.1\r\n\r\n" + NEXT,
    "Authorization twice": GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" + NEXT,
}
"""All are refused with 400 or 501, once, and nothing that follows is read."""

ODD = {
    "no HTTP": (b"hello\r\n\r\n", 400, 501),
    "TLS to a socket without": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "an unknown method": (b"BREW /v2/models/m HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "a method of WebDAV": (b"PROPFIND /v2/models/m HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "CONNECT": (b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "TRACE": (b"TRACE /v2/models/m HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "RTSP": (b"SETUP /v2/models/m RTSP/1.0\r\n" + HOST + b"\r\n", 400, 501, 505),
    "HTTP/2 with prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/2.0 in a line of HTTP/1": (b"GET /v2/models/m HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "HTTP/1.2": (b"GET /v2/models/m HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    "HTTP/1.10": (b"GET /v2/models/m HTTP/1.10\r\n" + HOST + b"\r\n", 400, 505),
    "an expectation nobody knows": (POST + b"Expect: 200-ok\r\nContent-Length: 3\r\n\r\n", 417),
    "a body over the bound": (POST + b"Content-Length: 1001\r\n\r\n", 413),
    "a body over the bound in chunks": (CHUNKED + b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\na\r\n0\r\n\r\n", 413),
    "a body over the bound, expected": (POST + b"Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413),
    "chunks that are mostly extensions": (CHUNKED + b"1;" + b"e" * 70000, 400),
    "trailers without end": (CHUNKED + b"0\r\n" + b"X: y\r\n" * 20000, 400),
    "a long URL": (b"GET /v2/models/" + b"m" * 400 + b" HTTP/1.1\r\n", 414),
    "a long query": (b"GET /v2/models/m?" + b"q" * 400 + b" HTTP/1.1\r\n", 414),
    "a header without end": (GET + b"X-A: " + b"a" * 70000, 431),
    "a name without end": (GET + b"x" * 70000, 431),
    "a head over the bound": (GET + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 800) for n in range(8)) + b"\r\n", 431),
    "too many headers": (GET + b"".join(b"X-%d: a\r\n" % n for n in range(30)) + b"\r\n", 431),
    "a target that is no path": (b"GET m HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a control character in the path": (b"GET /v2/models/\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a space in the path": (b"GET /v2/models/a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a byte over 127 in the path": (b"GET /v2/models/\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
}
PATHS = {
    b"/v2/models/../../etc/passwd": 404,
    b"/v2/models/..": 404,
    b"/v2/models/.": 404,
    b"/v2/models/%2e%2e/infer": 404,
    b"/v2/models/%2E%2e%2Fetc%2fpasswd": 404,
    b"/v2/models/a%2F..%2Fb": 404,
    b"/v2/models/a%2F%2Fb": 404,
    b"/v2/models/%2Fetc": 404,
    b"//v2/models/m": 404,
    b"/v2//models/m": 404,
    b"/v2%2Fmodels%2Fm": 404,
    b"/V2/models/m": 404,
    b"/v2/models/%00": 400,
    b"/v2/models/a%0d%0aX-A:%20b": 400,
    b"/v2/models/%c0%ae%c0%ae": 400,
    b"/v2/models/%ff": 400,
    b"/v2/models/%ed%a0%80": 400,
    b"/v2/models/%": 400,
    b"/v2/models/%2": 400,
    b"/v2/models/%zz": 400,
    b"/v2/models/%u002e": 400,
    b"/v2/models/a#b": 400,
    b"/v2/models/m?q=%ff": 400,
    b"/v2/models/m?" + b"&".join([b"q=1"] * 60): 200,
    b"/v2/models/m/": 200,
    b"/v2/models/%252e%252e": 200,
    b"/v2/models/churn/lr": 200,
    b"/v2/models/churn%2Flr": 200,
    b"http://x/v2/models/m": 200,
    b"ftp://x/v2/models/m": 400,
    b"http://[/v2/models/m": 400,
}


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    async with listening_here(ROUTES, Engine(), limits=LIMITS) as (number, _):
        yield number


async def told(request: Request, engine: EngineApi) -> Response:
    """What the handler was given; a name that climbs never gets here."""
    assert ".." not in request.params["name"].split("/")
    return Response(body=(request.params["name"].encode(), b"|", request.body))


ROUTES = (Route("GET", "/v2/models/{name}", told), Route("POST", "/v2/models/{name}/infer", told))


@pytest.mark.parametrize("tried", SMUGGLING)
async def test_no_request_hides_behind_another(port: int, tried: str) -> None:
    got = await exchange(port, SMUGGLING[tried])
    assert len(statuses(got)) == 1, got
    assert statuses(got)[0] in (400, 501), got
    assert b"Connection: close\r\n" in got
    assert b"smuggled" not in got


@pytest.mark.parametrize("tried", ODD)
async def test_what_is_no_request_that_is_taken_gets_its_status_and_the_end(port: int, tried: str) -> None:
    sent, *expected = ODD[tried]
    got = await exchange(port, bytes(sent))
    assert len(statuses(got)) == 1, got
    assert statuses(got)[0] in expected, got
    assert b"Connection: close\r\n" in got


@pytest.mark.parametrize("raw", PATHS)
async def test_no_path_leads_where_no_route_is(port: int, raw: bytes) -> None:
    got = await exchange(port, path(raw))
    assert statuses(got) == [PATHS[raw]], got


async def test_requests_before_one_that_is_refused_are_answered(port: int) -> None:
    got = await exchange(port, GET + b"\r\n" + GET + b"\r\n" + SMUGGLING["Content-Length and chunks"])
    assert statuses(got) == [200, 200, 400]


async def test_others_are_served_after_every_trick(port: int) -> None:
    for sent in SMUGGLING.values():
        await exchange(port, sent)
    assert statuses(await exchange(port, path(b"/v2/models/m"))) == [200]
