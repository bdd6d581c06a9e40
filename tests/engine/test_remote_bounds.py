"""Clients that do to an engine across a socket whatever they may: stop, die, send anything, be somebody else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from console.access.actor import Actor
from console.engine import codec, frames, protocol, remote_line
from console.engine.callers import Caller, nobody
from console.engine.protocol import Head, Kind
from console.engine.remote import RemoteEngine
from console.engine.server_line import Bounds
from console.engine.unix_socket import listening
from console.errors import (
    AccessDeniedError,
    ConflictError,
    EngineGoneError,
    OperationError,
    OverloadedError,
    UsageError,
)
from console.records import Comparison, DataColumns, Event, EventKind, Permissions, StoreStatus, UpdatePlan
from tests.engine.standing_in import Endless, StandIn, Stuck, attached, served

STATUS = StoreStatus("/x", Permissions("view"))
LARGE = StoreStatus("/x", Permissions("view"), settled=("x" * 100_000,))
NOBODY = 65534
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
HELLO = frames.frame(codec.encode(protocol.hello("", body=1 << 26)))
EVENT = Event(EventKind.STORE_SCANNED, 0.0, "", "x" * 100_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


@pytest.fixture
def everyones() -> Iterator[Path]:
    """A place for a socket that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="everyones-") as directory:
        os.chmod(directory, 0o777)
        yield Path(directory) / "engine.sock"


@asynccontextmanager
async def process(*what: str | Path) -> AsyncIterator[Process]:
    """A client in a process of its own."""
    command = (sys.executable, "-m", "tests.engine.client_process", *map(str, what))
    started = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def line(client: Process) -> str:
    assert client.stdout is not None
    return (await client.stdout.readline()).decode().rstrip()


async def raw(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(str(path))


def ask(number: int, name: str = "status", body: bytes = b"\x80") -> bytes:
    return frames.frame(protocol.head_bytes(Head(Kind.CALL, number, name=name)), body)


async def heads(reader: asyncio.StreamReader) -> list[Head]:
    """Everything that is sent until the end, but the greeting."""
    found = frames.Decoder(frames.Caps()).feed(await reader.read())
    return [protocol.head_from(head) for head, _ in found[1:]]


SENT = {
    "http": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "ones": b"\xff" * 40,
    "no greeting": frames.frame(b"{}"),
    "deep": frames.frame(b"[" * 60_000),
    "empty head": HELLO + frames.frame(b"\x90"),
    "no msgpack": HELLO + frames.frame(b"\xc1" * 10),
    "an answer": HELLO + frames.frame(protocol.head_bytes(Head(Kind.ANSWER, 1))),
    "large": HELLO + (1 << 31).to_bytes(4, "big") * 2,
    "twice": HELLO + ask(1) + ask(1),
}


async def test_a_client_that_stops_holds_up_nobody(path: Path) -> None:
    endless, status = Endless(EVENT), Stuck(STATUS)
    status.go_on.set()
    async with (
        served(StandIn(follow=endless, status=status), path),
        process("follow", path) as client,
        attached(path) as other,
    ):
        assert await line(client) == "item"
        os.kill(client.pid, signal.SIGSTOP)
        for _ in range(200):
            assert await other.status() == STATUS
        assert endless.given < 200
        client.kill()
        await endless.ended.wait()
        assert await other.status() == STATUS


async def test_who_reads_nothing_is_read_no_more_and_let_go_beyond_a_bound(path: Path) -> None:
    status = Stuck(LARGE)
    async with served(StandIn(status=status), path, bounds=Bounds(unread=4 << 20)) as server:
        _, writer = await raw(path)
        writer.write(HELLO + b"".join(ask(number) for number in range(200)))
        await status.begun.wait()
        status.go_on.set()
        (only,) = server._lines
        await only.lost
        assert server.clients == 0
        writer.close()


async def test_a_client_that_is_killed_in_mid_stream_leaves_nothing(path: Path) -> None:
    endless = Endless(EVENT)
    async with served(StandIn(follow=endless), path) as server, process("follow", path) as client:
        assert await line(client) == "item"
        client.kill()
        await endless.ended.wait()
        await asyncio.gather(*(one.lost for one in list(server._lines)))
        assert server.clients == 0


@pytest.mark.parametrize(
    "sent",
    SENT.values(),
    ids=SENT,
)
async def test_what_is_no_call_ends_its_connection_alone(path: Path, sent: bytes) -> None:
    status = Stuck(STATUS)
    async with served(StandIn(status=status), path) as server, attached(path) as other:
        reader, writer = await raw(path)
        writer.write(sent)
        last = (await heads(reader))[-1]
        assert last.kind is Kind.REFUSED
        assert "what it was sent is no call" in last.name
        status.go_on.set()
        assert await other.status() == STATUS
        assert server.clients == 1
        writer.close()


@pytest.mark.parametrize(("name", "body"), [("close", b"\x80"), ("no.such", b"\x80"), ("status", b"\x91" * 3000)])
async def test_a_call_of_nothing_that_is_offered_is_answered(path: Path, name: str, body: bytes) -> None:
    async with served(StandIn(), path):
        reader, writer = await raw(path)
        writer.write(HELLO + ask(1, name, body))
        writer.write_eof()
        assert [head.kind for head in await heads(reader)] == [Kind.FAILED]
        writer.close()


async def test_more_calls_than_agreed_are_refused_alone(path: Path) -> None:
    status = Stuck(STATUS)
    async with served(StandIn(status=status), path, bounds=Bounds(calls=2)), attached(path) as remote:
        calls = [asyncio.ensure_future(remote.status()) for _ in range(2)]
        await status.begun.wait()
        with pytest.raises(OverloadedError, match="more than 2 calls"):
            await remote.status()
        status.go_on.set()
        assert await asyncio.gather(*calls) == [STATUS, STATUS]
        assert await remote.status() == STATUS


async def test_what_is_too_large_for_the_other_side_is_not_sent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_line, "_CAPS", frames.Caps(body=2000))
    status = Stuck(STATUS)
    status.go_on.set()
    engine = StandIn(status=status, artifacts__scan=status)
    async with served(engine, path, bounds=Bounds(caps=frames.Caps(body=1000))), attached(path) as remote:
        with pytest.raises(UsageError, match="the engine takes 1000"):
            await remote.artifacts.scan("x" * 2000)
        status.answer = LARGE
        with pytest.raises(OperationError, match="this program takes 2000"):
            await remote.status()
        status.answer = STATUS
        assert await remote.status() == STATUS


async def test_other_releases_are_told_which_to_upgrade(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(StandIn(), path):
        reader, writer = await raw(path)
        writer.write(frames.frame(codec.encode(protocol.Hello(protocol.PROTOCOL, "0.0.9", "", 7))))
        (refused,) = await heads(reader)
        assert "(process 7) is model-console 0.0.9" in refused.name
        assert "upgrade the program that asks" in refused.name
        writer.close()
    newer = protocol.Hello(protocol.PROTOCOL + 1, "9.0", "", 8)
    with pytest.raises(OperationError) as caught:
        protocol.agree(protocol.hello(""), newer, "the engine")
    assert "upgrade this program" in str(caught.value.hint)


async def test_another_store_than_was_meant_is_refused(path: Path, tmp_path: Path) -> None:
    async with served(StandIn(), path, root="/somewhere"):
        with pytest.raises(OperationError, match="serves /somewhere"):
            await RemoteEngine.connect(path, store=tmp_path)


async def test_a_socket_is_taken_over_from_the_dead_only(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(EngineGoneError):
        await RemoteEngine.connect(path)
    async with served(StandIn(), path, root="/x"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        with pytest.raises(ConflictError, match="another engine answers"):
            async with served(StandIn(), path):
                pass
        async with attached(path) as remote:
            assert remote.hello is not None
            assert (remote.hello.root, remote.hello.pid) == ("/x", os.getpid())
    with pytest.raises(UsageError, match="no group nobodys"):
        async with served(StandIn(), path, group="nobodys"):
            pass


def test_a_file_in_the_place_of_a_socket_stays(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(OperationError, match="cannot listen"):
        listening(path, None)
    assert path.read_text() == "precious"


async def test_a_path_that_is_too_long_for_the_system_will_do(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 120)
    directory.mkdir()
    status = Stuck(STATUS)
    status.go_on.set()
    async with served(StandIn(status=status), directory / "engine.sock"), attached(directory / "engine.sock") as remote:
        assert await remote.status() == STATUS


@ROOT
async def test_another_user_names_no_file_outside_the_store(everyones: Path) -> None:
    async def columns(**_: Any) -> DataColumns:
        return DataColumns((), 0)

    status = Stuck(STATUS)
    status.go_on.set()
    async with served(StandIn(data__columns=columns, status=status), everyones, group=NOBODY):
        assert os.stat(everyones).st_gid == NOBODY
        async with process("columns", everyones, str(NOBODY)) as client:
            assert await line(client) == "answered"
            assert (await line(client)).startswith("AccessDeniedError /etc/shadow is not in the store")


@ROOT
async def test_another_user_who_may_not_connect_is_told_so(everyones: Path) -> None:
    async with served(StandIn(), everyones), process("columns", everyones, str(NOBODY)) as client:
        assert await line(client) == "AccessDeniedError"


@ROOT
async def test_an_engine_of_another_user_is_not_believed(everyones: Path) -> None:
    async with process("listen", everyones, str(NOBODY)) as impostor:
        assert await line(impostor) == "listening"
        with pytest.raises(AccessDeniedError, match=f"user {NOBODY}"):
            await RemoteEngine.connect(everyones, store=Path("/"))


async def test_a_link_out_of_the_store_and_a_command_of_ones_own_are_refused(path: Path) -> None:
    plan = UpdatePlan("a", str(path.parent / "d.csv"), None, command=("true",))

    async def planned(*_: Any, **__: Any) -> UpdatePlan:
        return UpdatePlan("a", plan.data, None, command=("python", "train.py"))

    async def run(**_: Any) -> Comparison:
        raise AssertionError

    ours, theirs = socket.socketpair()
    (path.parent / "out").symlink_to("/etc")
    engine = StandIn(updates__plan=planned, updates__run=run)
    async with served(engine, path) as server:
        guest = Caller(Actor("bob", -1), nobody, trusted=False)
        await server._adopt(ours, guest, server.bounds)
        client = RemoteEngine.on(theirs)
        for out in (str(path.parent / "out/passwd"), "relative", "~/x"):
            with pytest.raises(AccessDeniedError, match="is not in the store"):
                await client.updates.convert("a", "onnx", out)
        with pytest.raises(UsageError, match="another command"):
            await client.updates.run(plan)
        await client.close()
