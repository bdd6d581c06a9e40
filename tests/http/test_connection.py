from __future__ import annotations

import asyncio
import gzip
import json
import re
import resource
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from console.engine.api import EngineApi
from console.errors import DeadlineError, InputError, NotReadyError, NotServedError, OperationError, OverloadedError
from console.http import bodies
from console.http.connections import Connections
from console.http.errors import Refused
from console.http.limits import Limits
from console.http.messages import TEXT, Request, Response
from console.http.routing import Route
from console.records import Principal
from tests.http.fronts import Engine, Tokens, answer, error_of, exchange, listening_here, statuses

HOST = b"Host: x\r\n"
GET = b"GET /echo HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST
LAST = b"Connection: close\r\n\r\n"


@dataclass
class Handlers:
    """Handlers of a test: `wait` answers when `go` is set, and tells of its begin and its end."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    ended: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    seen: list[Request] = field(default_factory=list)

    async def echo(self, request: Request, engine: EngineApi) -> Response:
        self.seen.append(request)
        return Response(body=(request.body or b"nothing",), content_type=TEXT)

    async def wait(self, request: Request, engine: EngineApi) -> Response:
        self.began.put_nowait(request.id)
        try:
            await self.go.wait()
            return Response()
        except asyncio.CancelledError:
            self.ended.put_nowait(request.id)
            raise

    async def large(self, request: Request, engine: EngineApi) -> Response:
        half = int(request.query["size"]) // 2
        return Response(body=(b"a" * half, b"b" * half), content_type=request.query.get("kind", TEXT))

    async def nested(self, request: Request, engine: EngineApi) -> Response:
        return Response(body=(b"%d" % len(msgspec.json.decode(request.body)),))

    async def fails(self, request: Request, engine: EngineApi) -> Response:
        raise _ERRORS[request.query["as"]]

    async def splits(self, request: Request, engine: EngineApi) -> Response:
        return Response(headers=(("X-Name", "a\r\nX-Other: b"),))

    @property
    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/echo", self.echo),
            Route("POST", "/echo", self.echo),
            Route("GET", "/wait", self.wait),
            Route("GET", "/large", self.large),
            Route("POST", "/nested", self.nested),
            Route("GET", "/fails", self.fails),
            Route("GET", "/splits", self.splits),
        )


def _overloaded() -> OverloadedError:
    error = OverloadedError("too much")
    error.retry_s = 2.5
    return error


_ERRORS: dict[str, Exception] = {
    "not-served": NotServedError("nothing has this name"),
    "bad-input": InputError("a column is missing", hint="send it"),
    "overloaded": _overloaded(),
    "not-ready": NotReadyError("it is loading"),
    "deadline": DeadlineError("too late"),
    "failed": OperationError("the model raised"),
    "internal": KeyError("secret"),
}


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest_asyncio.fixture
async def here(handlers: Handlers) -> AsyncIterator[tuple[int, Connections]]:
    async with listening_here(handlers.routes, Engine(), limits=Limits(body=100_000)) as found:
        yield found


@pytest_asyncio.fixture
async def port(here: tuple[int, Connections]) -> int:
    return here[0]


async def until(condition: Callable[[], bool]) -> None:
    """Let others on until something is so."""
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)


async def until_given_back(connections: Connections) -> None:
    """Wait until nobody is connected, and no bytes of bodies are held."""
    await until(lambda: not connections.held.bytes and not len(connections))


async def test_requests_of_a_connection_are_answered_in_their_order(port: int) -> None:
    sent = b"".join(POST + b"Content-Length: 4\r\n\r\n%04d" % number for number in range(2000))
    got = await exchange(port, sent + GET + LAST)
    assert [int(one) for one in re.findall(rb"\r\n\r\n(\d{4})", got)] == list(range(2000))
    assert statuses(got) == [200] * 2001


async def test_one_that_sends_without_end_is_read_no_further_than_it_is_answered(
    here: tuple[int, Connections], handlers: Handlers
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", here[0])
    writer.write((b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n") * 1_000_000)
    await handlers.began.get()
    for _ in range(50):
        await asyncio.sleep(0)
    assert writer.transport.get_write_buffer_size() > 1_000_000
    writer.transport.abort()
    handlers.go.set()
    await until_given_back(here[1])


@pytest.mark.parametrize("size", [1, 7, 1000, 50_000])
async def test_a_body_in_chunks_is_whole(port: int, size: int) -> None:
    body = bytes(n % 251 for n in range(50_000))
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    sent = b"".join(b"%x;a=b\r\n%b\r\n" % (len(one), one) for one in chunks)
    got = await exchange(port, POST + b"Transfer-Encoding: chunked\r\n" + LAST + sent + b"0\r\nX-After: y\r\n\r\n")
    assert got.endswith(b"\r\n\r\n" + body)


async def test_a_request_that_comes_byte_by_byte_is_one(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for byte in POST + b"Content-Length: 3\r\n" + LAST + b"abc":
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await answer(reader))[2] == b"abc"
    writer.close()


async def test_a_client_that_waits_with_its_body_is_told_to_send_it(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await answer(reader))[2] == b"abc"
    writer.close()


async def test_it_is_told_so_after_the_answers_before(port: int, handlers: Handlers) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waits = b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n"
    writer.write(waits + POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    await handlers.began.get()
    handlers.go.set()
    assert (await answer(reader))[0] == 200
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await answer(reader))[2] == b"abc"
    writer.close()


async def test_head_is_answered_without_a_body_and_the_connection_goes_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HEAD /echo HTTP/1.1\r\n" + HOST + b"\r\n" + GET + b"\r\n")
    status, headers, _ = await answer(reader, head_only=True)
    assert (status, headers["content-length"]) == (200, "7")
    assert (await answer(reader))[2] == b"nothing"
    writer.close()


async def test_options_and_other_methods_tell_what_is_answered(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"OPTIONS /echo HTTP/1.1\r\n" + HOST + b"\r\nDELETE /echo HTTP/1.1\r\n" + HOST + b"\r\n")
    status, headers, _ = await answer(reader)
    assert (status, headers["allow"], "content-length" in headers) == (204, "GET, HEAD, OPTIONS, POST", False)
    status, headers, _ = await answer(reader)
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    writer.close()


async def test_http_1_0_is_closed_unless_it_asks_to_be_kept(port: int) -> None:
    got = await exchange(port, b"GET /echo HTTP/1.0\r\n\r\nGET /echo HTTP/1.0\r\n\r\n")
    assert statuses(got) == [200]
    old = b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    got = await exchange(port, old + b"GET /echo HTTP/1.0\r\n\r\n")
    assert statuses(got) == [200, 200]
    assert got.count(b"Connection: keep-alive\r\n") == 1


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"


async def test_an_upgrade_that_is_not_wanted_is_a_request_like_others(port: int) -> None:
    length, chunks = b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"
    both = POST + UPGRADE + length + POST + UPGRADE + chunks
    got = await exchange(port, both * 20 + GET + UPGRADE + b"\r\n" + GET + LAST)
    assert statuses(got) == [200] * 42
    assert re.findall(rb"\r\n\r\n(abc|def|nothing)", got) == [b"abc", b"def"] * 20 + [b"nothing"] * 2


async def test_a_body_behind_an_upgrade_may_come_later(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST + UPGRADE + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await answer(reader))[2] == b"abc"
    writer.close()


RAW = zlib.compressobj(wbits=-15)
COMPRESSED = {
    b"gzip": gzip.compress(b"abc" * 100),
    b"x-gzip": gzip.compress(b"abc" * 60) + gzip.compress(b"abc" * 40),
    b"deflate": zlib.compress(b"abc" * 100),
    b"Deflate": RAW.compress(b"abc" * 100) + RAW.flush(),
    b"identity": b"abc" * 100,
}


@pytest.mark.parametrize("coding", COMPRESSED)
async def test_a_compressed_body_reaches_the_handler_as_it_was(port: int, coding: bytes) -> None:
    body = COMPRESSED[coding]
    got = await exchange(
        port, POST + b"Content-Encoding: %b\r\nContent-Length: %d\r\n" % (coding, len(body)) + LAST + body
    )
    assert got.endswith(b"\r\n\r\n" + b"abc" * 100)


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        (b"gzip", gzip.compress(b"\0" * 100_001), 413),
        (b"deflate", zlib.compress(b"\0" * 50_000_000), 413),
        (b"gzip", b"no gzip", 400),
        (b"gzip", gzip.compress(b"abc" * 100)[:-4], 400),
        (b"gzip", gzip.compress(b"abc") + b"junk", 400),
        (b"br", b"abc", 415),
        (b"gzip, gzip", gzip.compress(gzip.compress(b"a")), 415),
    ],
    ids=["too large", "much too large", "none", "cut off", "junk behind", "brotli", "twice"],
)
async def test_a_compressed_body_that_is_none_or_too_large_is_refused(
    here: tuple[int, Connections], coding: bytes, body: bytes, status: int
) -> None:
    got = await exchange(
        here[0], POST + b"Content-Encoding: %b\r\nContent-Length: %d\r\n" % (coding, len(body)) + LAST + body
    )
    assert statuses(got) == [status], got
    await until_given_back(here[1])


def test_a_body_that_swells_is_let_go_at_its_bound() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        bodies.decompressed(bomb, "deflate", 100_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.status == 413
    assert most < 1_000_000


async def test_who_is_refused_while_it_sends_gets_to_see_why(port: int) -> None:
    got = await exchange(port, POST + b"Content-Length: 5000000\r\n\r\n" + b"a" * 5_000_000)
    assert statuses(got) == [413]


async def test_a_long_text_is_compressed_for_who_asks(port: int) -> None:
    for asked, kind, expected in (
        (b"gzip, deflate", b"text/plain", True),
        (b"br;q=1.0, gzip;q=0.5", b"application/json", True),
        (b"gzip;q=0", b"text/plain", False),
        (b"identity", b"text/plain", False),
        (b"gzip", b"application/octet-stream", False),
    ):
        sent = b"GET /large?size=400000&kind=%b HTTP/1.1\r\n" % kind + HOST + b"Accept-Encoding: %b\r\n" % asked + LAST
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
        writer.write(sent)
        _, headers, body = await answer(reader)
        assert (headers.get("content-encoding") == "gzip") is expected
        assert (gzip.decompress(body) if expected else body) == b"a" * 200_000 + b"b" * 200_000
        writer.close()
    got = await exchange(port, GET + b"Accept-Encoding: gzip\r\n" + LAST)
    assert b"Content-Encoding" not in got


async def test_every_answer_has_the_headers_that_are_safe(port: int) -> None:
    for target in (b"/echo", b"/nothing", b"/a%00"):
        got = await exchange(port, b"GET %b HTTP/1.1\r\n" % target + HOST + b"Origin: http://x\r\n" + LAST)
        for header in (b"X-Content-Type-Options: nosniff", b"Cache-Control: no-store", b"Referrer-Policy: no-referrer"):
            assert got.count(b"\r\n%b\r\n" % header) == 1
        assert b"\r\nServer: model-console\r\n" in got
        assert b"Access-Control" not in got


async def test_no_text_of_a_handler_makes_a_header_of_its_own(port: int) -> None:
    got = await exchange(port, b"GET /splits HTTP/1.1\r\n" + HOST + LAST)
    assert b"X-Name: a??X-Other: b\r\n" in got
    assert b"\nX-Other" not in got


async def test_a_request_has_an_id_a_trace_and_a_deadline(port: int, handlers: Handlers) -> None:
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    more = b"X-Request-Id: job-7\r\nTraceparent: %b\r\nX-Envoy-Expected-Rq-Timeout-Ms: 250\r\n" % trace
    got = await exchange(port, GET + more + LAST)
    assert b"X-Request-Id: job-7\r\n" in got
    seen = handlers.seen[-1]
    assert (seen.id, seen.trace, seen.deadline_ms) == ("job-7", trace.decode(), 250.0)


@pytest.mark.parametrize(
    "sent",
    [
        b"X-Request-Id: a b\r\nTraceparent: 00-0-0-0\r\n",
        b"X-Request-Id: %b\r\nTraceparent: ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n" % (b"a" * 129),
        b"X-Request-Id: \xe9\r\nTraceparent: 00-%b-00f067aa0ba902b7-01\r\n" % (b"0" * 32),
        b"X-Request-Id: <b>\r\nTraceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01\r\n",
    ],
    ids=["space", "length", "not ASCII", "markup"],
)
async def test_an_id_or_trace_that_is_none_is_not_taken(port: int, handlers: Handlers, sent: bytes) -> None:
    got = await exchange(port, GET + sent + LAST)
    seen = handlers.seen[-1]
    assert seen.trace == ""
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", seen.id)
    assert b"X-Request-Id: %b\r\n" % seen.id.encode() in got


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ("not-served", 404),
        ("bad-input", 400),
        ("overloaded", 429),
        ("not-ready", 503),
        ("deadline", 504),
        ("failed", 500),
        ("internal", 500),
    ],
)
async def test_an_error_is_a_status_and_a_sentence_with_code_hint_and_id(port: int, named: str, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /fails?as=%b HTTP/1.1\r\n" % named.encode() + HOST + b"X-Request-Id: r1\r\n\r\n")
    found, headers, body = await answer(reader)
    told = error_of(body)
    assert (found, told["code"], told["request_id"]) == (status, named, "r1")
    assert isinstance(told["error"], str)
    assert "secret" not in body.decode()
    assert headers.get("retry-after") == {"overloaded": "3", "not-ready": "1"}.get(named)
    writer.write(GET + b"\r\n")
    assert (await answer(reader))[0] == 200
    writer.close()


async def test_a_client_that_goes_away_ends_its_handler(here: tuple[int, Connections], handlers: Handlers) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", here[0])
    writer.write(b"GET /wait HTTP/1.1\r\n" + HOST + b"X-Request-Id: r1\r\n\r\n")
    assert await handlers.began.get() == "r1"
    writer.close()
    assert await handlers.ended.get() == "r1"
    await until_given_back(here[1])


async def test_bodies_of_clients_that_go_away_are_let_go(here: tuple[int, Connections]) -> None:
    port, connections = here
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST + b"Content-Length: 90000\r\n\r\n" + b"a" * 80_000)
    await until(lambda: connections.held.bytes == 80_000)
    writer.transport.abort()
    await until_given_back(connections)


async def test_bodies_together_are_bounded(handlers: Handlers) -> None:
    async with listening_here(handlers.routes, Engine(), limits=Limits(bodies=100_000)) as (port, connections):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"Content-Length: 90000\r\n\r\n" + b"a" * 80_000)
        await until(lambda: connections.held.bytes == 80_000)
        got = await exchange(port, POST + b"Content-Length: 30000\r\n\r\n" + b"a" * 30_000)
        assert statuses(got) == [503]
        assert b"Retry-After: 1\r\n" in got
        writer.write(b"a" * 10_000)
        writer.close()
        await until_given_back(connections)


@pytest.mark.parametrize(
    ("limits", "sent", "status"),
    [
        (Limits(head_s=0.04), b"GET /echo HTTP/1.1\r\nHo", 408),
        (Limits(body_s=0.04, slowest=1 << 30), POST + b"Content-Length: 9\r\n\r\nab", 408),
        (Limits(idle_s=0.04), GET + b"\r\n", 200),
        (Limits(idle_s=0.04), b"", 0),
    ],
    ids=["head", "body", "idle", "silent"],
)
async def test_who_is_slow_is_told_so_and_cut(handlers: Handlers, limits: Limits, sent: bytes, status: int) -> None:
    async with listening_here(handlers.routes, Engine(), limits=limits) as (port, connections):
        got = await exchange(port, sent)
        assert statuses(got) == ([status] if status else [])
        await until_given_back(connections)


async def test_who_does_not_read_its_answer_is_cut(handlers: Handlers) -> None:
    limits = Limits(write_s=0.04, slowest=1 << 40)
    async with listening_here(handlers.routes, Engine(), limits=limits) as (port, connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(b"GET /large?size=20000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        await until(lambda: len(connections) == 1)
        await until_given_back(connections)
        sock.close()


async def test_a_new_connection_takes_the_place_of_the_one_that_was_idle_longest(handlers: Handlers) -> None:
    async with listening_here(handlers.routes, Engine(), limits=Limits(connections=2)) as (port, _):
        oldest, one = await asyncio.open_connection("127.0.0.1", port)
        one.write(GET + b"\r\n")
        assert (await answer(oldest))[0] == 200
        busy, two = await asyncio.open_connection("127.0.0.1", port)
        two.write(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
        await handlers.began.get()
        assert statuses(await exchange(port, GET + LAST)) == [200]
        assert await oldest.read() == b""
        handlers.go.set()
        assert (await answer(busy))[0] == 200
        for writer in (one, two):
            writer.close()


@pytest.mark.parametrize("half", [b"GET /echo HTTP/1.1\r\nHo", POST + b"Content-Length: 9\r\n\r\nab"])
async def test_a_new_connection_takes_the_place_of_half_a_request_that_has_waited(
    handlers: Handlers, half: bytes
) -> None:
    limits = Limits(connections=2, crowded_s=0.0, slowest=1 << 30)
    async with listening_here(handlers.routes, Engine(), limits=limits) as (port, connections):
        oldest, one = await asyncio.open_connection("127.0.0.1", port)
        one.write(GET + b"\r\n")
        assert (await answer(oldest))[0] == 200
        waits, two = await asyncio.open_connection("127.0.0.1", port)
        two.write(half)
        await until(lambda: sum(one.is_idle for one in connections) == 1)
        assert statuses(await exchange(port, GET + LAST)) == [200]
        assert statuses(await waits.read()) == [503]
        one.write(GET + b"\r\n")
        assert (await answer(oldest))[0] == 200
        for writer in (one, two):
            writer.close()


async def test_where_all_are_busy_a_new_connection_is_told_so(handlers: Handlers) -> None:
    async with listening_here(handlers.routes, Engine(), limits=Limits(connections=1)) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
        await handlers.began.get()
        assert statuses(await exchange(port, b"")) == [503]
        writer.close()


async def test_a_thousand_that_say_nothing_and_half_of_something_keep_nobody_waiting(handlers: Handlers) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2600 if hard == resource.RLIM_INFINITY else min(2600, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    count = min(1000, (wanted - 200) // 2)
    async with listening_here(handlers.routes, Engine(), limits=Limits(connections=2000)) as (port, connections):
        socks = [socket.socket() for _ in range(count)]
        for number, sock in enumerate(socks):
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            if number % 2:
                sock.send(POST + b"Content-Length: 9\r\n\r\nab")
        await until(lambda: len(connections) == count)
        assert statuses(await exchange(port, GET + b"\r\n" + GET + LAST)) == [200, 200]
        for sock in socks:
            sock.close()
        await until_given_back(connections)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "text",
    [b"[" * 10_000_000, b'{"a":' * 2_000_000, b"[" * 1_000_000 + b"]" * 1_000_000],
    ids=["lists", "objects", "lists that end"],
)
async def test_json_that_is_nested_without_end_is_bad_input(handlers: Handlers, text: bytes) -> None:
    async with listening_here(handlers.routes, Engine()) as (port, _):
        sent = b"POST /nested HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n" % len(text) + LAST + text
        got = await exchange(port, sent)
        assert statuses(got) == [400]
        assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "bad-input"


async def test_draining_answers_what_was_asked_and_closes(here: tuple[int, Connections], handlers: Handlers) -> None:
    port, connections = here
    idle, one = await asyncio.open_connection("127.0.0.1", port)
    busy, two = await asyncio.open_connection("127.0.0.1", port)
    two.write(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
    await handlers.began.get()
    draining: asyncio.Task[Any] = asyncio.create_task(connections.drain(60))
    assert await idle.read() == b""
    handlers.go.set()
    status, headers, _ = await answer(busy)
    assert (status, headers["connection"]) == (200, "close")
    await draining
    for writer in (one, two):
        writer.close()


async def test_draining_has_a_bound(here: tuple[int, Connections], handlers: Handlers) -> None:
    port, connections = here
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
    identity = await handlers.began.get()
    await connections.drain(0.01)
    assert await handlers.ended.get() == identity
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await answer(reader)
    writer.close()


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (b"localhost:8080", b"https://evil.example", 403),
        (b"localhost:8080", b"http://localhost:8080.evil.example", 403),
        (b"localhost:8080", b"http://localhost", 403),
        (b"localhost:8080", b"null", 403),
        (b"evil.example", b"http://evil.example", 403),
        (b"localhost:8080", b"http://localhost:8080", 200),
    ],
)
async def test_pages_of_other_sites_make_no_browser_ask(
    handlers: Handlers, host: bytes, origin: bytes, status: int
) -> None:
    head = b" /echo HTTP/1.1\r\nHost: %b\r\nOrigin: %b\r\n" % (host, origin)
    async with listening_here(handlers.routes, Engine()) as (port, _):
        got = await exchange(port, b"POST" + head + b"Content-Length: 1\r\n" + LAST + b"a")
        told = await exchange(port, b"OPTIONS" + head + b"Access-Control-Request-Method: POST\r\n" + LAST)
        assert statuses(got) == [status]
        assert b"Access-Control" not in got + told


@pytest.mark.parametrize(
    ("host", "agent", "more", "status"),
    [
        (b"localhost:8080", b"Mozilla/5.0", b"", 200),
        (b"models.localhost", b"Mozilla/5.0", b"", 200),
        (b"127.0.0.1:8080", b"Mozilla/5.0", b"", 200),
        (b"[::1]:8080", b"Mozilla/5.0", b"", 200),
        (b"evil.example:8080", b"Mozilla/5.0", b"", 403),
        (b"evil.example:8080", b"Mozilla/5.0", b"Authorization: Bearer mc_app\r\n", 200),
        (b"evil.example:8080", b"curl/8", b"Accept-Language: *\r\n", 403),
        (b"evil.example:8080", b"curl/8", b"Origin: http://evil.example:8080\r\n", 403),
        (b"evil.example:8080", b"curl/8", b"Referer: http://evil.example:8080/\r\n", 403),
        (b"inference.svc:8080", b"python-requests/2", b"", 200),
    ],
)
async def test_a_name_that_another_site_gave_this_machine_gets_no_browser_in(
    handlers: Handlers, host: bytes, agent: bytes, more: bytes, status: int
) -> None:
    engine = Engine(Tokens(mc_app=Principal("app", "infer")))
    async with listening_here(handlers.routes, engine) as (port, _):
        head = b"GET /echo HTTP/1.1\r\nHost: %b\r\nUser-Agent: %b\r\n" % (host, agent)
        assert statuses(await exchange(port, head + more + LAST)) == [status]
