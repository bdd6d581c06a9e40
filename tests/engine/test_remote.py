"""An engine across a unix socket: all that it is asked and answers, and what becomes of calls that nobody waits for."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.access.actor import Actor, acting, acting_as
from console.engine.api_service import ServingApi
from console.engine.callers import as_told
from console.engine.protocol import PIECE, Method, to_body
from console.engine.remote import RemoteEngine
from console.errors import AccessDeniedError, ConsoleError, EngineGoneError, OperationError, OverloadedError, UsageError
from console.records import (
    Changes,
    ErrorRecord,
    ExceptionInfo,
    Failure,
    FoundDataFiles,
    Frame,
    InferAnswer,
    InferRequest,
    Permissions,
    Principal,
    StoreStatus,
)
from tests.engine import surface
from tests.engine.standing_in import Endless, StandIn, Stuck, attached, served
from tests.engine.strategies import values
from tests.ui.demo_records import artifact

METHODS = {str(method): method for method in surface.methods() if str(method) not in ("close", "changes")}
STATUS = StoreStatus("/x", Permissions("view"))
FOUND = FoundDataFiles((), False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


@pytest.mark.parametrize("room", surface.rooms())
@settings(max_examples=8, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
async def test_all_that_is_asked_and_answered_comes_through(room: str, data: st.DataObject) -> None:
    engine = StandIn()
    asked: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "engine.sock"
        async with served(engine, path), attached(path) as remote:
            for name, method in METHODS.items():
                if method.room == room:
                    arguments = {one: data.draw(values(kind)) for one, kind in method.takes.items()}
                    answer = data.draw(values(method.gives))
                    engine.does[name] = _answering(method, answer, asked)
                    assert await _asked(remote, method, arguments) == answer
                    assert asked.pop() == arguments


def _answering(method: surface.Method, answer: Any, asked: list[dict[str, Any]]) -> Any:
    async def call(**arguments: Any) -> Any:
        asked.append(arguments)
        return answer

    async def stream(**arguments: Any) -> AsyncIterator[Any]:
        asked.append(arguments)
        yield answer

    return stream if method.streams else call


async def _asked(remote: RemoteEngine, method: surface.Method, arguments: dict[str, Any]) -> Any:
    function = getattr(getattr(remote, method.room) if method.room else remote, method.name)
    if not method.streams:
        return await function(**arguments)
    (only,) = [item async for item in function(**arguments)]
    return only


@given(request=values(InferRequest), answer=values(InferAnswer))
@settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None)
async def test_bodies_and_numbers_that_json_has_not_come_through(request: InferRequest, answer: InferAnswer) -> None:
    method = Method("serving.infer", ServingApi.infer)
    for rows in (request.rows, (float("inf"), 2**80, "\udcff")):
        asked = replace(request, rows=rows)
        body, json = to_body(method.takes(asked))
        assert method.arguments(body, json) == {"request": asked}
    assert method.value(*to_body(answer)) == answer


def test_where_a_model_raised_is_told_to_those_who_operate() -> None:
    chain = (ExceptionInfo("KeyError", "inside"), ExceptionInfo("ValueError", "no", (Frame("/srv/f.py", 3, "g", "x"),)))
    failure = Failure(7, 1.0, "a.joblib", "predict", "raised", "no", chain=chain, stderr="last words", request="r1")
    error = ErrorRecord("OperationError", "raised", "no", failure=failure)
    for role in ("view", "infer", "operate", "administer"):
        with acting_as(Actor("ci", -1, principal=Principal("ci", role))):
            found = as_told(error)
        if role in ("operate", "administer"):
            assert found is error
            continue
        assert found.failure is not None
        assert found.failure.chain == (ExceptionInfo("ValueError", ""),)
        assert (found.message, found.failure.stderr, found.failure.request) == ("no", "", "r1")
    assert as_told(error) is error


async def test_a_long_answer_comes_in_parts_and_is_whole(path: Path) -> None:
    row = artifact("a", 1, 1, "pickle", None, None)
    rows = tuple(replace(row, path=f"{number}\udcff" if number % 3000 == 0 else str(number)) for number in range(3210))
    changes = Changes(7, STATUS, rows=rows, removed=("x",))
    scanned = rows[: 2 * PIECE + 1]

    async def told(**_: Any) -> Changes:
        return changes

    async def scan(**_: Any) -> Any:
        return scanned

    async with served(StandIn(changes=told, artifacts__scan=scan), path), attached(path) as remote:
        assert await remote.changes() == changes
        assert await remote.artifacts.scan() == scanned


async def test_errors_come_as_they_were_raised(path: Path) -> None:
    errors: list[Exception] = []

    async def busy(**_: Any) -> None:
        error = OverloadedError("too much", hint="later")
        error.retry_s = 2.5
        raise error

    async def broken(**_: Any) -> None:
        raise ZeroDivisionError("by zero")

    async def ended(**_: Any) -> None:
        raise asyncio.CancelledError

    engine = StandIn(status=busy, begin=broken, doctor__examine=ended)
    async with served(engine, path, on_failure=errors.append), attached(path) as remote:
        with pytest.raises(OverloadedError, match="too much") as caught:
            await remote.status()
        assert (caught.value.retry_s, caught.value.hint) == (2.5, "later")
        with pytest.raises(OperationError, match="ZeroDivisionError: by zero"):
            await remote.begin()
        assert [type(error) for error in errors] == [ZeroDivisionError]
        with pytest.raises(OperationError, match="was ended before it was done"):
            await remote.doctor.examine()


async def test_a_call_is_made_as_a_function_is(path: Path) -> None:
    async with served(StandIn(), path), attached(path) as remote:
        with pytest.raises(TypeError):
            await remote.models.load()  # type: ignore[call-arg]
        with pytest.raises(AttributeError):
            remote.models.lode  # type: ignore[attr-defined]
        with pytest.raises(UsageError, match=r"models\.load was asked with arguments that it does not take"):
            await remote.models.load(7)  # type: ignore[arg-type]


async def test_who_cancels_a_call_or_leaves_a_stream_ends_it_there(path: Path) -> None:
    stuck, endless = Stuck(), Endless(STATUS)
    async with served(StandIn(status=stuck, follow=endless), path), attached(path) as remote:
        call = asyncio.ensure_future(remote.status())
        await stuck.begun.wait()
        call.cancel()
        await stuck.ended.wait()
        with pytest.raises(OperationError, match="cannot be read"):
            await anext(remote.follow())
        await endless.ended.wait()


async def test_a_stream_runs_no_further_ahead_than_it_was_granted(path: Path) -> None:
    endless, stuck = Endless(FOUND), Stuck(STATUS)
    stuck.go_on.set()
    async with served(StandIn(status=stuck, data__nearest=endless), path), attached(path) as remote:
        stream = remote.data.nearest("a")
        for taken in range(1, 30):
            await anext(stream)
            await remote.status()
            assert endless.given <= taken + 17
        await stream.aclose()  # type: ignore[attr-defined]
        await endless.ended.wait()


async def test_two_clients_at_once_and_one_that_goes_away(path: Path) -> None:
    stuck, endless = Stuck(STATUS), Endless(FOUND)
    engine = StandIn(status=stuck, data__nearest=endless)
    async with served(engine, path) as server, attached(path) as one:
        async with attached(path) as two:
            await anext(two.data.nearest("a"))
            calls = [asyncio.ensure_future(each.status()) for each in (one, two)]
            await stuck.begun.wait()
            assert server.clients == 2
        await endless.ended.wait()
        with pytest.raises(EngineGoneError):
            await calls[1]
        stuck.go_on.set()
        assert await calls[0] == STATUS
        assert server.clients == 1


async def test_calls_of_the_front_act_for_principals(path: Path) -> None:
    known = {"": Principal("anonymous", "infer"), "h1": Principal("ada", "operate", handle="h1")}
    seen: list[Any] = []

    async def status() -> StoreStatus:
        seen.append(acting.get())
        return STATUS

    async def columns(**_: Any) -> None:
        raise AssertionError

    ours, theirs = socket.socketpair()
    engine = StandIn(status=status, data__columns=columns)
    async with served(engine, path, principals=known.get) as server:
        server.adopt(ours)
        front = RemoteEngine.on(theirs)
        for handle, name in (("", "anonymous"), ("h1", "ada"), ("h1", "ada")):
            await front.acting_for(handle).status()
            assert (seen[-1].name, seen[-1].principal) == (name, known[handle])
        assert front.acting_for("h1") is front.acting_for("h1")
        with pytest.raises(AccessDeniedError, match="may not ask any more"):
            await front.acting_for("h2").status()
        with pytest.raises(AccessDeniedError, match=r"data\.columns is not for callers over HTTP"):
            await front.acting_for("h1").data.columns("a", "b.csv")
        assert acting.get() is None
        await front.close()
    with pytest.raises(EngineGoneError):
        await front.status()


async def test_the_engine_ends_and_comes_back(path: Path) -> None:
    stuck = Stuck()
    afters: list[int] = []

    async def changes(after: int, **_: Any) -> Changes:
        afters.append(after)
        return Changes(9, STATUS)

    async with served(StandIn(status=stuck, changes=changes), path):
        remote = await RemoteEngine.connect(path, store=path.parent)
        await remote.changes(-1)
        await remote.changes(3)
        call = asyncio.ensure_future(remote.status())
        await stuck.begun.wait()
    with pytest.raises(EngineGoneError):
        await call
    async with served(StandIn(changes=changes), path):
        await remote.changes(4)
        await remote.changes(5)
    await remote.close()
    assert afters == [-1, 3, -1, 5]


async def test_an_engine_that_ends_finishes_what_it_was_asked_but_waits_for_nothing(path: Path) -> None:
    stuck, waiting = Stuck(STATUS), Stuck()
    async with served(StandIn(status=stuck, changes=waiting), path) as server, attached(path) as remote:
        call, poll = asyncio.ensure_future(remote.status()), asyncio.ensure_future(remote.changes(1))
        await stuck.begun.wait()
        await waiting.begun.wait()
        closing = asyncio.ensure_future(server.close(60.0))
        await asyncio.sleep(0)
        with pytest.raises(ConsoleError, match="is ending"):
            await remote.artifacts.scan()
        stuck.go_on.set()
        assert await call == STATUS
        await closing
        with pytest.raises(EngineGoneError):
            await poll
