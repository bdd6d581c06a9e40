from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.http.tls import CertificateError, Tls, validity
from console.records import FrontOrder, FrontReport, FrontSettings, InferAnswer, InferRequest, Listener, Principal
from console.worker.child_user import FIRST_UID
from tests.http.certificates import certificate
from tests.http.fronts import NOBODY, Engine, RunningFront, Tokens, answer, running_front
from tests.http.standin import Standin

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "h5py",
    "joblib",
    "onnxruntime",
    "textual",
    "rich",
    "psutil",
    "watchdog",
)
ROW = {"inputs": [{"name": "inputs", "shape": [1, 4], "datatype": "FP64", "data": [1, 2, 3, 4]}]}
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
INFER = b"POST /v2/models/sum/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
    len(json.dumps(ROW)),
    json.dumps(ROW).encode(),
)
USER = FIRST_UID + 40 if os.geteuid() == 0 else None
SETTINGS = FrontSettings(-1, (), uid=USER, gid=USER)


@pytest_asyncio.fixture
async def front() -> AsyncIterator[RunningFront]:
    async with running_front(Engine(), settings=SETTINGS) as running:
        yield running


def curl(*arguments: str) -> tuple[int, str]:
    """Status and body of what curl was answered."""
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", "--noproxy", "*", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.mark.slow
async def test_two_thousand_connections_that_do_nothing_keep_nobody_out(front: RunningFront) -> None:
    """All they do is take each other's places; memory and descriptors of the front stay bounded."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 2000 if hard == resource.RLIM_INFINITY else min(2000, hard - 200)
    socks = []
    for number in range(count):
        sock = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", front.port))
        socks.append(sock)
        if number % 4 == 1:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        if number % 100 == 0:
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            writer.write(INFER)
            assert (await answer(reader))[0] == 200
            writer.close()
    assert len(os.listdir(f"/proc/{front.process.pid}/fd")) < 1300
    assert int(status_of(front.process.pid)["VmRSS"].split()[0]) < 120_000
    for sock in socks:
        sock.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def status_of(pid: int) -> dict[str, str]:
    """The kernel's account of a process."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


async def test_it_is_confined_and_answers(front: RunningFront) -> None:
    asked = {name: on for name, on, _ in front.ready.layers}
    assert front.ready.report == "ready"
    if USER is None:
        asked.pop("user")
    assert all(asked.values()), front.ready.layers
    found = status_of(front.process.pid)
    assert (found["NoNewPrivs"], found["Seccomp"], int(found["CapEff"], 16)) == ("1", "2", 0)
    assert found["Uid"].split() == [str(os.geteuid() if USER is None else USER)] * 4
    assert int(found["VmRSS"].split()[0]) < 60_000
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(GET + INFER)
    assert (await answer(reader))[2] == b'{"live":true}'
    status, _, body = await answer(reader)
    assert (status, json.loads(body)["outputs"][0]["data"]) == (200, [10.0])
    writer.close()


async def test_curl_is_answered_in_all_the_ways_it_asks(front: RunningFront, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{front.port}"
    row = tmp_path / "row.json"
    row.write_text(json.dumps(ROW))
    big = tmp_path / "big.json"
    big.write_text(json.dumps({**ROW, "parameters": {"note": "a" * 2_000_000}}))

    def ask() -> list[tuple[int, str]]:
        infer = f"{base}/v2/models/sum/infer"
        return [
            curl("-d", f"@{row}", infer),
            curl("--http1.0", "-d", f"@{row}", infer),
            curl("--http2", "-d", f"@{row}", infer),
            curl("-H", "Transfer-Encoding: chunked", "-d", f"@{row}", infer),
            curl("-H", "Expect: 100-continue", "--data-binary", f"@{big}", infer),
            curl("--compressed", f"{base}/openapi.json"),
            curl("--path-as-is", f"{base}/v2/../../etc/passwd"),
            curl("-I", f"{base}/healthz"),
        ]

    got = await asyncio.to_thread(ask)
    assert [status for status, _ in got] == [200, 200, 200, 200, 200, 200, 404, 200], got
    assert json.loads(got[5][1])["openapi"] == "3.1.0"


async def test_it_ends_with_the_line_to_its_engine(front: RunningFront) -> None:
    front.writer.close()
    assert await front.process.wait() == 0


class Slow(Standin):
    """Models that answer once they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go = asyncio.Event(), asyncio.Event()

    async def infer(self, request: InferRequest) -> InferAnswer:
        self.began.set()
        await self.go.wait()
        return await super().infer(request)


async def test_draining_answers_what_was_asked_and_ends_it() -> None:
    engine = Engine()
    engine.serving = slow = Slow()
    async with running_front(engine, settings=SETTINGS) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        writer.write(INFER)
        await slow.began.wait()
        idle, other = await asyncio.open_connection("127.0.0.1", front.port)
        other.write(GET)
        assert (await answer(idle))[0] == 200
        front.order(FrontOrder("drain"))
        assert await idle.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", front.port)
        slow.go.set()
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert (await front.reports.get()).report == "drained"
        assert await front.process.wait() == 0
        for one in (writer, other):
            one.close()


async def test_who_asks_reaches_the_engine_and_a_socket_for_metrics_answers_nothing_else() -> None:
    app = Principal("app", "infer", ("sum",), handle="h-app")
    engine = Engine(Tokens(mc_app=app))
    listeners = (Listener(-1, local=False), Listener(-1, metrics=True))
    known = {"": Principal("anonymous", "infer"), "h-app": app}
    async with running_front(engine, settings=SETTINGS, listeners=listeners, principals=known.get) as front:
        outcomes = []
        for port, head in (
            (front.ports[0], b""),
            (front.ports[0], b"Authorization: Bearer mc_wrong\r\n"),
            (front.ports[0], b"Authorization: Bearer mc_app\r\n"),
            (front.ports[1], b""),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(INFER.replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n", 1) + GET)
            outcomes += [(await answer(reader))[0], (await answer(reader))[0]]
            writer.close()
        assert outcomes == [401, 200, 401, 200, 200, 200, 404, 200]
        assert (await engine.tokens.told.get())[0] == "POST /v2/models/{name}/infer"
        del known["h-app"]
        reader, writer = await asyncio.open_connection("127.0.0.1", front.ports[0])
        writer.write(INFER.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer mc_app\r\n\r\n", 1))
        assert (await answer(reader))[0] in (401, 403)
        writer.close()


async def test_a_certificate_is_exchanged_under_open_connections() -> None:
    old, new, over = certificate("old"), certificate("new"), certificate("over", begins=-3, ends=-1)
    settings = FrontSettings(-1, (), *old, uid=USER, gid=USER)
    async with running_front(Engine(), settings=settings, listeners=(Listener(-1, tls=True),)) as front:
        reader, writer = await connected(front.port, old[0])
        writer.write(GET)
        assert (await answer(reader))[0] == 200
        front.order(FrontOrder("certificate", *over))
        report = await front.reports.get()
        assert (report.report, "has expired" in report.message) == ("warning", True)
        front.order(FrontOrder("certificate", new[0], old[1]))
        assert "the key is not the one of the certificate" in (await front.reports.get()).message
        _, second = await connected(front.port, old[0])
        front.order(FrontOrder("certificate", *new))
        assert await front.reports.get() == FrontReport("renewed", new[0])
        front.order(FrontOrder("certificate", "junk", "junk"))
        assert "cannot be read" in (await front.reports.get()).message
        third, fourth = await connected(front.port, new[0])
        for ask, hear in ((writer, reader), (fourth, third)):
            ask.write(GET)
            assert (await answer(hear))[0] == 200
        plain, fifth = await asyncio.open_connection("127.0.0.1", front.port)
        fifth.write(GET)
        assert b"200 OK" not in await plain.read()
        for one in (writer, second, fourth, fifth):
            one.transport.abort()


@pytest.mark.slow
async def test_handshakes_that_stand_still_make_room_for_others() -> None:
    made = certificate("here")
    settings = FrontSettings(-1, (), *made, uid=USER, gid=USER, connections=2)
    async with running_front(Engine(), settings=settings, listeners=(Listener(-1, tls=True),)) as front:
        silent = [await asyncio.open_connection("127.0.0.1", front.port) for _ in range(3)]
        reader, writer = await connected(front.port, made[0])
        assert await silent[0][0].read() == await silent[1][0].read() == b""
        writer.write(GET + GET)
        for _ in range(2):
            assert (await answer(reader))[0] == 200
        for _, one in (*silent, (reader, writer)):
            one.transport.abort()


async def connected(port: int, trusted: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS connection that trusts this certificate and no other."""
    context = ssl.create_default_context(cadata=trusted)
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


async def test_it_does_not_start_with_a_certificate_that_has_expired() -> None:
    settings = FrontSettings(-1, (), *certificate("over", begins=-3, ends=-1))
    async with running_front(Engine(), settings=settings, listeners=(Listener(-1, tls=True),)) as front:
        assert (front.ready.report, "has expired" in front.ready.message) == ("refused", True)
        assert await front.process.wait() == 1


async def test_a_socket_for_tls_is_not_served_without() -> None:
    async with running_front(Engine(), settings=NOBODY, listeners=(Listener(-1, tls=True),)) as front:
        assert (front.ready.report, front.ready.message) == (
            "refused",
            "a socket is for TLS, and there is no certificate",
        )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (certificate("later", begins=1, ends=2), "is not valid before"),
        (("no certificate", "no key"), "cannot be read"),
        ((certificate("a")[0], "no key"), "cannot be read"),
        ((certificate("a")[0], certificate("b")[1]), "the key is not the one"),
    ],
    ids=["later", "none", "no key", "another's key"],
)
def test_a_certificate_that_cannot_be_used_is_told_why(made: tuple[str, str], words: str) -> None:
    with pytest.raises(CertificateError, match=words):
        Tls().use(*made)


def test_times_of_a_certificate_are_read_from_it() -> None:
    begins, ends = validity(certificate("a", begins=-10, ends=40_000)[0])
    assert ends - begins == 40_010 * 86400


def test_it_imports_nothing_once_it_is_confined() -> None:
    command = [sys.executable, "-m", "tests.http.everything"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    statuses, late = json.loads(done.stdout)
    assert set(statuses) == {200, 204, 400, 401, 403, 404, 405, 413, 415, 500}, statuses
    assert late == []


def test_it_imports_nothing_that_is_heavy() -> None:
    code = "import sys, json, console.http.front; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    loaded: Any = json.loads(done.stdout)
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]
    assert not [name for name in loaded if name.startswith(("console.ui", "console.serving", "console.files.snapshot"))]
