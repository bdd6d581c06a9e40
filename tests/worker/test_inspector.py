from __future__ import annotations

import asyncio
import os
import pickle
import resource
import signal
import zlib
from pathlib import Path

import numpy
import psutil
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from console.worker import inspector
from console.worker.failures import ChildFailed, ChildRefused
from console.worker.inspector import Inspectors, NotInspected
from console.worker.launcher import Launcher
from tests.worker.payloads import OpenFile, Payload, until


@pytest.fixture
def model_file(open_file: OpenFile) -> int:
    X = numpy.arange(12.0).reshape(6, 2)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, [0, 1] * 3)
    return open_file(pickle.dumps(model), "model.pkl")


def child_of(launcher: Launcher) -> int:
    (child,) = launcher.children
    return child.pid


async def test_facts_come_back_as_records(launcher: Launcher, model_file: int) -> None:
    found = await Inspectors(launcher).inspect(model_file, "model.pkl")
    assert found.format == "pickle"
    assert found.model_class == "sklearn.pipeline.Pipeline"
    assert found.complete
    assert found.signature.classes == (0, 1)
    assert found.models[0].steps
    assert all(isinstance(array.shape, tuple) for array in found.arrays)


async def test_nothing_is_run_and_nothing_imported(launcher: Launcher, open_file: OpenFile, tmp_path: Path) -> None:
    fd = open_file(pickle.dumps(Payload(f"open({str(tmp_path / 'marker')!r}, 'w')")), "evil.pkl")
    found = await Inspectors(launcher).inspect(fd, "evil.pkl")
    assert any(name.name == "eval" for name in found.names)
    assert not any("numpy" in mapped.path for mapped in psutil.Process(child_of(launcher)).memory_maps())
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no-model"),
        (b"hello world", "no-model"),
        (b"\x1d\xce\x82", "unsupported"),
        (b"\x89HDF\r\n\x1a\nxxxx", "damaged"),
    ],
)
async def test_refusals_carry_their_code(launcher: Launcher, open_file: OpenFile, data: bytes, code: str) -> None:
    inspectors = Inspectors(launcher)
    with pytest.raises(ChildRefused) as caught:
        await inspectors.inspect(open_file(data, "file.pkl"), "file.pkl")
    assert caught.value.code == code
    assert caught.value.exit_code == 4


async def test_one_that_dies_in_the_middle_is_replaced(launcher: Launcher, model_file: int) -> None:
    inspectors = Inspectors(launcher)
    await inspectors.warm()
    first = child_of(launcher)
    os.kill(first, signal.SIGSTOP)
    asked = asyncio.create_task(inspectors.inspect(model_file, "model.pkl"))
    await until(lambda: next(iter(launcher.children)).busy)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(NotInspected, match="SIGKILL") as caught:
        await asked
    assert caught.value.failure is not None
    assert caught.value.failure.artifact == "model.pkl"
    assert (await inspectors.inspect(model_file, "model.pkl")).format == "pickle"
    assert child_of(launcher) != first


async def test_one_that_overstays_is_replaced(launcher: Launcher, model_file: int) -> None:
    inspectors = Inspectors(launcher)
    await inspectors.warm()
    os.kill(child_of(launcher), signal.SIGSTOP)
    with pytest.raises(ChildFailed) as caught:
        await inspectors.inspect(model_file, "model.pkl", deadline=0.2)
    assert caught.value.code == "hang"
    assert (await inspectors.inspect(model_file, "model.pkl")).format == "pickle"


async def test_one_that_is_killed_while_idle_is_not_noticed(launcher: Launcher, model_file: int) -> None:
    inspectors = Inspectors(launcher)
    await inspectors.warm()
    (child,) = launcher.children
    os.kill(child.pid, signal.SIGKILL)
    await child.ended.wait()
    assert (await inspectors.inspect(model_file, "model.pkl")).format == "pickle"


async def test_a_caller_that_goes_away_frees_its_turn(launcher: Launcher, model_file: int) -> None:
    inspectors = Inspectors(launcher)
    await inspectors.warm()
    os.kill(child_of(launcher), signal.SIGSTOP)
    asked = asyncio.create_task(inspectors.inspect(model_file, "model.pkl"))
    await until(lambda: next(iter(launcher.children)).busy)
    asked.cancel()
    assert (await inspectors.inspect(model_file, "model.pkl")).format == "pickle"


async def test_a_pool_works_on_several_at_once(launcher: Launcher, model_file: int) -> None:
    inspectors = Inspectors(launcher, 2)
    found = await asyncio.gather(*(inspectors.inspect(model_file, "model.pkl") for _ in range(8)))
    assert {one.format for one in found} == {"pickle"}
    assert len(launcher.children) == 2
    await inspectors.close()
    assert not launcher.children


async def test_idle_ones_are_ended(launcher: Launcher, model_file: int) -> None:
    inspectors = Inspectors(launcher, 2, idle_seconds=0.05)
    await asyncio.gather(*(inspectors.inspect(model_file, "model.pkl") for _ in range(2)))
    assert launcher.children
    await until(lambda: not launcher.children)
    assert (await inspectors.inspect(model_file, "model.pkl")).format == "pickle"


async def test_there_is_one_for_each_core_unless_told_otherwise(launcher: Launcher) -> None:
    assert Inspectors(launcher).count == min(16, len(os.sched_getaffinity(0)))
    assert Inspectors(launcher, 3).count == 3


async def test_memory_that_was_filled_for_others_wears_one_out(
    launcher: Launcher, open_file: OpenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pickle.dumps(bytes(100_000))
    fd = open_file(zlib.compress(data), "model.pkl")
    inspectors = Inspectors(launcher)
    for bytes_each, left in ((len(data), 1), (len(data) // inspector.FILES_EACH, 0)):
        monkeypatch.setattr(inspector, "HANDED_LIKE_A_FILE", bytes_each)
        memory = os.memfd_create("opened", os.MFD_CLOEXEC)
        try:
            await inspectors.plan(fd, "model.pkl", opened=memory)
            assert os.pread(memory, len(data) + 1, 0) == data
        finally:
            os.close(memory)
        await until(lambda left=left: len(launcher.children) == left)  # type: ignore[misc]


async def test_where_no_second_one_can_be_started_the_first_does_the_work(
    launcher: Launcher, model_file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "START_AGAIN_SECONDS", 60.0)
    inspectors = Inspectors(launcher, 2)
    await inspectors.warm()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    third_free = [number for number in range(soft) if number not in used][2]
    resource.setrlimit(resource.RLIMIT_NOFILE, (third_free, hard))
    try:
        found = await asyncio.gather(*(inspectors.inspect(model_file, "model.pkl") for _ in range(6)))
        assert {one.format for one in found} == {"pickle"}
        assert len(launcher.children) == 1
        with pytest.raises(NotInspected, match="may open no more files") as caught:
            await inspectors.inspect(model_file, "model.pkl", anew=True)
        assert "ulimit -n" in str(caught.value.hint)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_memory_that_a_child_could_not_have_had() -> None:
    assert inspector.could_have(1 << 20)
    assert not inspector.could_have(1 << 60)
