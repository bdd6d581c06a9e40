"""The bytes judged are the bytes loaded, whoever swaps or rewrites the file meanwhile."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import pytest_asyncio

from backends.core import registry
from backends.core.errors import Damaged
from backends.core.frozen import Frozen
from console.config import Settings
from console.engine.local import Engine
from console.errors import ConflictError, ConsoleError
from console.files.snapshot import digest_of
from console.inspection.service import InspectionService, Judged
from console.records import Verdict
from console.worker.limits import SandboxPlan
from tests.engine import swapping
from tests.engine.conftest import model
from tests.warm import Opening

WAYS = ("link", "rename", "write")


class Evil:
    """Pickles into a call that creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"open({str(self.marker)!r}, 'w').close()",)


@dataclass
class Twins:
    """A good file and an evil one of the same size; `path` is the name in the store that they fight for."""

    path: Path
    good: Path
    evil: Path
    marker: Path

    @contextmanager
    def swapped(self, how: str) -> Iterator[None]:
        """They take each other's place all the time."""
        command = [sys.executable, swapping.__file__, how, str(self.path), str(self.good), str(self.evil)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.stdin.close()


@pytest.fixture
def twins(tmp_path: Path, isolated: Path) -> Twins:
    """Two joblib files whose arrays are large enough to be mapped from a file that is not copied."""
    store, outside = tmp_path / "store", tmp_path / "outside"
    store.mkdir()
    outside.mkdir()
    found = Twins(store / "m.joblib", outside / "good", outside / "evil", tmp_path / "marker")
    good = model()
    good.table_ = np.arange(20_000.0)
    joblib.dump([good, ""], found.good)
    joblib.dump([good, Evil(found.marker)], found.evil)
    missing = found.evil.stat().st_size - found.good.stat().st_size
    joblib.dump([good, "x" * missing], found.good)
    assert found.good.stat().st_size == found.evil.stat().st_size
    found.path.write_bytes(found.good.read_bytes())
    return found


@pytest_asyncio.fixture(params=[64, 0], ids=["small", "large"], loop_scope="session")
async def engine(request: pytest.FixtureRequest, twins: Twins) -> AsyncIterator[Engine]:
    """An engine whose workers are not confined, so that what runs can leave its mark; with 0 every file is large."""
    opened = await Engine.open(twins.path.parent, Settings(seal_mb=request.param), watch=False)
    opened._launcher.sandbox = SandboxPlan(landlock=False, seccomp=False, namespaces=False)
    yield opened
    await opened.close()


def load_here(judged: Judged) -> Any:
    """A worker's use of the bytes it is handed."""
    assert judged.inspection is not None
    opened = judged.bytes.decompressed_fd >= 0
    memory, *file = (judged.bytes.decompressed_fd,) if opened else judged.bytes.load_fds
    source = Frozen(memory, "m.joblib", judged.bytes.plan, *file, opened=opened)
    return registry.load(source, judged.inspection.format).model


async def one_try(facts: InspectionService) -> str:
    """Judge what stands at the name, and load it if it is safe; what came of it in a word."""
    try:
        judged = await facts.snapshot("m.joblib", to_load=True)
    except ConsoleError as error:
        return error.code
    with judged.bytes:
        if judged.judgement.verdict is not Verdict.SAFE:
            return str(judged.judgement.verdict)
        try:
            found = load_here(judged)
        except Exception as error:
            return type(error).__name__
        assert isinstance(found, list)
        return "loaded"


async def race(engine: Engine, twins: Twins, how: str, tries: int) -> Counter[str]:
    """Outcomes of as many tries (and more, until both twins were met), none of which ran the evil one."""
    outcomes: Counter[str] = Counter()
    with twins.swapped(how):
        while outcomes.total() < tries or len(outcomes) < 2:
            outcomes[await one_try(engine._facts)] += 1
            assert not twins.marker.exists(), outcomes
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS)
async def test_a_file_that_is_swapped_all_the_time(engine: Engine, twins: Twins, how: str) -> None:
    assert await race(engine, twins, how, 60)


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS)
async def test_a_file_that_is_swapped_a_thousand_times(engine: Engine, twins: Twins, how: str) -> None:
    outcomes = await race(engine, twins, how, 1000)
    assert outcomes["loaded"], outcomes


@pytest.mark.slow
async def test_workers_of_a_file_that_is_swapped_a_thousand_times(engine: Engine, twins: Twins) -> None:
    engine._launcher.warm()
    await worker_race(engine, twins, 1000)


async def worker_race(engine: Engine, twins: Twins, tries: int) -> None:
    for how in WAYS:
        with twins.swapped(how):
            for _ in range(-(-tries // len(WAYS))):
                try:
                    await engine.models.load("m.joblib", at="[0]")
                except ConsoleError:
                    continue
                finally:
                    assert not twins.marker.exists()
                await engine.models.unload("m.joblib")


async def test_the_evil_twin_would_leave_its_mark(engine: Engine, twins: Twins) -> None:
    twins.path.write_bytes(twins.evil.read_bytes())
    judged = await engine._facts.snapshot("m.joblib")
    with judged.bytes:
        assert judged.judgement.verdict is Verdict.BLOCKED
        load_here(judged)
    assert twins.marker.exists()


@pytest.mark.parametrize("change", ["in place", "replaced", "linked", "truncated", "removed"])
async def test_what_was_judged_is_loaded_after_the_file_changed(engine: Engine, twins: Twins, change: str) -> None:
    judged = await engine._facts.snapshot("m.joblib")
    changed(twins, change)
    with judged.bytes:
        assert judged.judgement.verdict is Verdict.SAFE
        if change == "truncated" and not judged.bytes.sealed:
            with pytest.raises(Damaged, match="shrank underneath"):
                load_here(judged)
        else:
            found, _ = load_here(judged)
            assert found.predict([[1.0, 2.0, 3.0]]).shape == (1,)
    assert not twins.marker.exists()


def changed(twins: Twins, change: str) -> None:
    """Do to the file what its name says."""
    evil = twins.evil.read_bytes()
    if change in ("in place", "truncated"):
        with twins.path.open("r+b") as file:
            file.write(evil) if change == "in place" else file.truncate(1000)
        return
    twins.path.unlink()
    if change == "replaced":
        twins.path.write_bytes(evil)
    elif change == "linked":
        twins.path.symlink_to(twins.evil)


@pytest.mark.parametrize("engine", [0], indirect=True)
async def test_the_digest_comes_first_where_the_policy_asks_for_it(engine: Engine, twins: Twins) -> None:
    engine._facts._digest_first = lambda: True
    judged = await engine._facts.snapshot("m.joblib")
    judged.bytes.close()
    assert judged.bytes.digest == f"sha256:{hashlib.sha256(twins.good.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("engine", [0], indirect=True)
async def test_a_digest_is_that_of_what_was_sealed(engine: Engine, twins: Twins) -> None:
    judged = await engine._facts.snapshot("m.joblib")
    with judged.bytes:
        before = digest_of(judged.bytes)
        kept = os.stat(twins.path)
        data = bytearray(twins.good.read_bytes())
        at = data.index(b"LogisticRegression")
        data[at : at + 5] = b"Evil!"
        with twins.path.open("r+b") as file:
            file.write(data)
        os.utime(twins.path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        twins.path.unlink()
        assert digest_of(judged.bytes) == before


async def test_workers_of_a_large_file_that_changes(twins: Twins, opening: Opening) -> None:
    opened = await opening(twins.path.parent, Settings(seal_mb=0), watch=False)
    try:
        digest = await the_digest_comes_when_it_is_known(opened, twins)
        await a_worker_whose_file_changed_meanwhile_is_ended(opened, twins)
        await a_file_that_shrank_before_it_was_loaded(opened, twins)
        await a_file_that_shrinks_under_its_worker(opened, twins)
    finally:
        await opened.close()
    entries = [(one.action, one.result, one.digest) for one in opened.book.entries()]
    assert ("load", "loaded", digest) in entries


async def the_digest_comes_when_it_is_known(opened: Engine, twins: Twins) -> str:
    started = await opened._starter.start("m.joblib", "[0]", None)
    assert started.digest is None
    assert started.later is not None
    digest = f"sha256:{hashlib.sha256(twins.good.read_bytes()).hexdigest()}"
    assert await started.later == digest
    await started.worker.end()
    return digest


async def a_worker_whose_file_changed_meanwhile_is_ended(opened: Engine, twins: Twins) -> None:
    judged = await opened._facts.snapshot("m.joblib")
    changed(twins, "in place")
    with judged.bytes:
        started = await opened._starter._start("m.joblib", judged, "[0]", {}, lambda *_: None)
    assert started.later is not None
    assert await started.later is None
    await started.worker.child.ended.wait()
    assert "changed while it was being read" in started.worker.child.death_failure("idle", None).message
    twins.path.write_bytes(twins.good.read_bytes())


async def a_file_that_shrank_before_it_was_loaded(opened: Engine, twins: Twins) -> None:
    judged = await opened._facts.snapshot("m.joblib")
    changed(twins, "truncated")
    with judged.bytes, pytest.raises(ConflictError, match="shrank underneath"):
        await opened._starter.start_judged("m.joblib", judged, "[0]", {})


async def a_file_that_shrinks_under_its_worker(opened: Engine, twins: Twins) -> None:
    wide = joblib.load(twins.good)[0]
    wide.coef_, wide.intercept_, wide.classes_ = np.vstack([wide.coef_] * 5000), np.zeros(5000), np.arange(5000)
    joblib.dump(wide, twins.path)
    await opened.models.load("m.joblib")
    with twins.path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ConsoleError, match="shrank underneath"):
        await opened._fleet.ask("m.joblib", lambda worker: worker.call_rows([[1.0, 2.0, 3.0]]))
