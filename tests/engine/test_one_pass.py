"""A compressed file is opened once on its way to a worker, by the inspector, and the worker gets just that."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import lzma
import mmap
import os
import pickle
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from console.config import Settings
from console.engine.local import Engine
from console.errors import ConsoleError
from console.inspection import inspecting
from console.inspection.inspecting import plan_in
from console.inspection.service import Judged
from console.records import Inspection, Json, Verdict
from tests.engine import test_race
from tests.engine.conftest import model
from tests.engine.test_race import WAYS, Twins, changed, load_here, race
from tests.warm import Opening

raw_twins = test_race.twins
race_engine = test_race.engine

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
ROW: list[Json] = [[1.0, 2.0, 3.0]]


@pytest.fixture
def joblib_bytes(tmp_path: Path) -> bytes:
    """A model with a table, as joblib writes it."""
    import joblib

    made = model()
    made.table_ = np.arange(20_000.0)
    joblib.dump(made, tmp_path / "whole")
    return (tmp_path / "whole").read_bytes()


@pytest_asyncio.fixture(params=[64, 0], ids=["small", "large"], loop_scope="session")
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path, isolated: Path, opening: Opening
) -> AsyncIterator[Engine]:
    """An engine on an empty store; with 0 every file is a large one."""
    (tmp_path / "store").mkdir()
    opened = await opening(tmp_path / "store", Settings(warm=False, seal_mb=request.param), watch=False)
    yield opened
    await opened.close()


def put(engine: Engine, data: bytes, name: str = "m.joblib") -> None:
    (engine.root / name).write_bytes(data)


async def start(engine: Engine, judged: Judged) -> tuple[dict[str, float], Any]:
    """Phases and an answer of a worker that was given judged bytes, which are closed then."""
    with judged.bytes:
        started = await engine._starter.start_judged("m.joblib", judged, "", {})
    answer = await started.worker.call_rows(ROW)
    await started.worker.end()
    return dict(started.loaded.phases), answer.outputs["predict"]


def memories() -> list[str]:
    """The files in memory that this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return sorted(one for one in found if one.startswith("/memfd:"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "compression"), [*(("joblib", each) for each in COMPRESSIONS), ("pickle", "gzip"), ("pickle", "xz")]
)
async def test_a_worker_does_not_open_it_again(
    engine: Engine, joblib_bytes: bytes, compression: str, kind: str
) -> None:
    data = joblib_bytes if kind == "joblib" else pickle.dumps(model())
    stored = COMPRESSIONS[compression](data)
    put(engine, stored)
    before = memories()
    judged = await engine._facts.snapshot("m.joblib", to_load=True)
    assert judged.judgement.verdict is Verdict.SAFE
    assert os.pread(judged.bytes.decompressed_fd, len(data) + 1, 0) == data
    if judged.bytes.sealed:
        assert judged.bytes.digest == f"sha256:{hashlib.sha256(stored).hexdigest()}"
    phases, answer = await start(engine, judged)
    assert "read.decompress" not in phases
    assert memories() == before
    again = await engine._facts.snapshot("m.joblib")
    assert again.bytes.decompressed_fd == -1
    phases, same = await start(engine, again)
    assert phases["read.decompress"] > 0
    assert answer == same == model().predict(ROW).tolist()


async def test_it_needs_the_compressed_bytes_no_more(engine: Engine, joblib_bytes: bytes) -> None:
    put(engine, zlib.compress(joblib_bytes))
    judged = await engine._facts.snapshot("m.joblib", to_load=True)
    put(engine, b"")
    empty = os.memfd_create("empty")
    for fd in (judged.bytes.fd, judged.bytes.skeleton):
        if fd >= 0:
            os.dup2(empty, fd, inheritable=False)
    os.close(empty)
    _phases, answer = await start(engine, judged)
    assert answer == model().predict(ROW).tolist()


async def test_nobody_can_change_what_was_opened(engine: Engine, joblib_bytes: bytes) -> None:
    put(engine, zlib.compress(joblib_bytes))
    judged = await engine._facts.snapshot("m.joblib", to_load=True)
    with judged.bytes:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(judged.bytes.decompressed_fd, b"x")
        with pytest.raises(PermissionError):
            os.open(f"/proc/self/fd/{judged.bytes.decompressed_fd}", os.O_WRONLY | os.O_TRUNC)
        again = os.open(f"/proc/self/fd/{judged.bytes.decompressed_fd}", os.O_RDWR)
        with pytest.raises(PermissionError):
            os.pwrite(again, b"x", 0)
        os.close(again)


async def test_memory_that_could_still_be_written_to_is_not_used(engine: Engine, joblib_bytes: bytes) -> None:
    put(engine, zlib.compress(joblib_bytes))
    held: list[mmap.mmap] = []
    plan = engine._inspectors.plan

    async def holding(fd: int, name: str = "", *, opened: int | None = None, **more: Any) -> tuple[Inspection, bytes]:
        found = await plan(fd, name, opened=opened, **more)
        assert opened is not None
        held.append(mmap.mmap(opened, 0))
        return found

    engine._inspectors.plan = holding  # type: ignore[method-assign]
    judged = await engine._facts.snapshot("m.joblib", to_load=True)
    assert judged.bytes.decompressed_fd == -1
    assert held[0][:] == joblib_bytes
    held[0][:] = bytes(len(joblib_bytes))
    held[0].close()
    phases, answer = await start(engine, judged)
    assert phases["read.decompress"] > 0
    assert answer == model().predict(ROW).tolist()


async def test_what_opens_to_too_much_is_opened_again(
    engine: Engine, joblib_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, zlib.compress(joblib_bytes))
    monkeypatch.setattr(inspecting, "room", lambda: len(joblib_bytes) - 1)
    before = memories()
    judged = await engine._facts.snapshot("m.joblib", to_load=True)
    assert judged.bytes.decompressed_fd == -1
    assert (await start(engine, judged))[0]["read.decompress"] > 0
    assert memories() == before


async def test_what_is_not_compressed_is_not_touched(engine: Engine, joblib_bytes: bytes) -> None:
    put(engine, joblib_bytes)
    asked: list[int | None] = []
    plan = engine._inspectors.plan

    async def watched(fd: int, name: str = "", *, opened: int | None = None, **more: Any) -> tuple[Inspection, bytes]:
        asked.append(opened)
        return await plan(fd, name, opened=opened, **more)

    engine._inspectors.plan = watched  # type: ignore[method-assign]
    judged = await engine._facts.snapshot("m.joblib", to_load=True)
    judged.bytes.close()
    assert asked == [None]


def several(data: bytes) -> bytes:
    return zlib.compress(data) + zlib.compress(data)


def without_plan(data: bytes) -> bytes:
    """Two joblib streams, of which joblib itself reads the first."""
    return zlib.compress(data + data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "odd",
    [
        lambda data: zlib.compress(data)[:-100],
        lambda data: bz2.compress(data)[:-100],
        lambda data: zlib.compress(data)[:-1] + b"x",
        lambda data: gzip.compress(data)[:200] + bytes(100) + gzip.compress(data)[300:],
        lambda data: zlib.compress(data[:-1]),
        lambda data: zlib.compress(data + b"more"),
        lambda data: zlib.compress(zlib.compress(data)),
        lambda data: zlib.compress(b""),
        lambda data: zlib.compress(data + bytes(80 << 20)),
        several,
        without_plan,
    ],
)
async def test_odd_streams_are_judged_as_ever_and_leave_nothing(
    engine: Engine, joblib_bytes: bytes, odd: Callable[[bytes], bytes]
) -> None:
    put(engine, odd(joblib_bytes))
    before = memories()
    found = []
    for to_load in (False, True):
        engine._facts._plan = plan_in(engine._inspectors)
        judged = await engine._facts.snapshot("m.joblib", to_load=to_load)
        assert judged.bytes.decompressed_fd == -1
        found.append((judged.inspection, judged.judgement, judged.bytes.plan))
        judged.bytes.close()
    assert found[0] == found[1]
    assert memories() == before


async def test_nothing_is_left_of_loads_that_are_refused_or_fail(engine: Engine, joblib_bytes: bytes) -> None:
    put(engine, zlib.compress(joblib_bytes))
    put(engine, zlib.compress(pickle.dumps([Asking(), model()])), "review.pkl")
    before = memories()
    for path, at in (("review.pkl", ""), ("m.joblib", "[7]"), ("absent.pkl", "")):
        with pytest.raises(ConsoleError):
            await engine._starter.start(path, at, None)
        assert memories() == before


@pytest.mark.parametrize("until", ["judge", "start", "read"])
async def test_nothing_is_left_of_a_load_that_is_given_up(engine: Engine, joblib_bytes: bytes, until: str) -> None:
    put(engine, zlib.compress(joblib_bytes))
    before = memories()
    there = asyncio.Event()

    def hear(phase: str, _finished: object, _worker: object) -> None:
        if phase == until:
            there.set()

    given_up = asyncio.create_task(engine._starter.start("m.joblib", "", None, hear))
    async with asyncio.timeout(30):
        await there.wait()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await engine._starter.close()
    assert memories() == before


class Asking:
    """Something that nobody has judged yet."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        from ipaddress import IPv4Address

        return IPv4Address, ("127.0.0.1",)


@pytest.fixture
def twins(raw_twins: Twins) -> Twins:
    """A good file and an evil one, stored in a compression that leaves them as long as each other."""
    for path in (raw_twins.good, raw_twins.evil, raw_twins.path):
        path.write_bytes(zlib.compress(path.read_bytes(), 0))
    assert raw_twins.good.stat().st_size == raw_twins.evil.stat().st_size
    return raw_twins


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS)
async def test_a_compressed_file_that_is_swapped_all_the_time(race_engine: Engine, twins: Twins, how: str) -> None:
    race_engine._facts._plan = plan_in(race_engine._inspectors)
    assert await race(race_engine, twins, how, 20)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["in place", "replaced", "linked", "truncated", "removed"])
async def test_what_was_opened_is_loaded_after_the_file_changed(race_engine: Engine, twins: Twins, change: str) -> None:
    judged = await race_engine._facts.snapshot("m.joblib", to_load=True)
    changed(twins, change)
    with judged.bytes:
        assert judged.bytes.decompressed_fd >= 0
        found, _ = load_here(judged)
        assert found.predict(ROW).shape == (1,)
    assert not twins.marker.exists()
