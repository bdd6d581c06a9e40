from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from console.engine.api import EngineApi
from console.errors import UnauthenticatedError
from console.http.callers import Bucket
from console.http.errors import Refused
from console.http.messages import Request, Response
from console.http.routing import Route
from console.records import Listener, Principal
from tests.http.fronts import LOCAL, Engine, Tokens, answer, callers_of, error_of, exchange, listening_here, statuses

PRINCIPALS = {
    "mc_reader": Principal("reader", "view", handle="h-reader"),
    "mc_app": Principal("app", "infer", ("churn/*", "sum"), handle="h-app"),
    "mc_operator": Principal("operator", "operate", handle="h-operator"),
    "mc_slow": Principal("slow", "infer", rate=2.0, handle="h-slow"),
}


async def told(request: Request, engine: EngineApi) -> Response:
    return Response(body=(request.principal.name.encode(),))


async def unknown_by_now(request: Request, engine: EngineApi) -> Response:
    raise UnauthenticatedError("this token is not known here any more")


ROUTES = (
    Route("GET", "/live", told, ""),
    Route("GET", "/models", told, "view"),
    Route("POST", "/models/{name}/infer", told, "infer"),
    Route("POST", "/models/{name}/load", told, "operate"),
    Route("POST", "/models/{name}/revoked", unknown_by_now, "infer"),
)


@pytest.fixture
def engine() -> Engine:
    return Engine(Tokens(**PRINCIPALS))


@pytest_asyncio.fixture
async def port(engine: Engine) -> AsyncIterator[int]:
    async with listening_here(ROUTES, engine) as (number, _):
        yield number


def asks(method: str, path: str, token: str) -> bytes:
    header = f"Authorization: {token}\r\n" if token else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode()


def last(request: bytes) -> bytes:
    """The request as the last of its connection."""
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/live", "", 200),
        ("GET", "/live", "Bearer mc_wrong", 200),
        ("GET", "/models", "", 200),
        ("GET", "/models", "Bearer mc_reader", 200),
        ("GET", "/models", "bearer  mc_reader", 200),
        ("GET", "/models", "Bearer mc_wrong", 401),
        ("GET", "/models", "Bearer", 401),
        ("GET", "/models", "Bearer " + "a" * 600, 401),
        ("GET", "/models", "Bearer \xe9", 401),
        ("GET", "/models", "Basic bWNfcmVhZGVy", 401),
        ("POST", "/models/sum/infer", "", 200),
        ("POST", "/models/sum/infer", "Bearer mc_reader", 403),
        ("POST", "/models/sum/infer", "Bearer mc_app", 200),
        ("POST", "/models/churn/lr/infer", "Bearer mc_app", 200),
        ("POST", "/models/churn%2Flr/infer", "Bearer mc_app", 200),
        ("POST", "/models/fraud/infer", "Bearer mc_app", 403),
        ("POST", "/models/summary/infer", "Bearer mc_app", 403),
        ("POST", "/models/sum/load", "", 403),
        ("POST", "/models/sum/load", "Bearer mc_app", 403),
        ("POST", "/models/sum/load", "Bearer mc_operator", 200),
        ("POST", "/models/sum/revoked", "Bearer mc_operator", 401),
    ],
)
async def test_a_route_is_for_those_with_its_role_and_model(
    port: int, method: str, path: str, token: str, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asks(method, path, token))
    found, headers, body = await answer(reader)
    assert found == status, body
    assert ("www-authenticate" in headers) is (status == 401)
    if status != 200:
        assert set(error_of(body)) >= {"error", "code", "hint", "request_id"}
        assert "mc_" not in body.decode()
    writer.close()


async def test_calls_go_out_for_whoever_asks(port: int, engine: Engine) -> None:
    for token in ("mc_app", "mc_operator", "mc_app"):
        await exchange(port, last(asks("POST", "/models/sum/infer", f"Bearer {token}")))
    assert engine.acted_for == ["h-app", "h-operator"]
    assert engine.tokens.asked == 2


async def test_whose_a_token_is_is_asked_again_after_a_while(engine: Engine) -> None:
    now = 0.0
    callers = callers_of(engine, lambda: now)
    header = b"Bearer mc_app"
    await callers.ask(header, "")
    assert callers.known(header) is not None
    now = 2.5
    assert callers.known(header) is None


async def test_a_socket_that_others_reach_is_for_tokens_alone(engine: Engine) -> None:
    wide = Listener(-1, local=False)
    with pytest.raises(Refused) as refused:
        callers_of(engine, lambda: 0.0).admit(None, wide)
    assert refused.value.status == 401
    callers_of(engine, lambda: 0.0, anonymous=True).admit(None, wide)
    callers_of(engine, lambda: 0.0).admit(None, LOCAL)
    callers_of(engine, lambda: 0.0).admit(b"Bearer x", wide)


async def test_refusals_are_told_to_the_engine(port: int, engine: Engine) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asks("POST", "/models/fraud/infer", "Bearer mc_app"))
    assert (await answer(reader))[0] == 403
    what, model, why, who, peer = await engine.tokens.told.get()
    assert (what, model, who, peer) == ("POST /models/{name}/infer", "fraud", "app", "127.0.0.1")
    assert "may not ask" in why
    writer.close()


async def test_a_rate_is_kept_and_told(port: int) -> None:
    asked = asks("POST", "/models/sum/infer", "Bearer mc_slow")
    got = await exchange(
        port, asked * 3 + asks("GET", "/live", "").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    )
    assert statuses(got) == [200, 200, 429, 200]
    assert b"Retry-After: 1\r\n" in got


def test_a_bucket_fills_at_its_rate() -> None:
    now = 0.0
    bucket = Bucket(2.0, lambda: now)
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 0.5]
    now = 0.5
    assert bucket.take() == 0.0
    now = 100.0
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 0.5]
    assert Bucket(0.0, lambda: 0.0).take() == 0.0
