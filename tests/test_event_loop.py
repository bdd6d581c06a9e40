"""A console on a machine that gives few threads, or fails where nobody waits for what failed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console import event_loop, unforeseen
from console.catalog.change_notifications import Noticing
from console.monitor.memory import MemorySampler
from console.os_errors import as_system_error
from console.ui.screens.home import HomeScreen
from tests.ui.demo_records import demo
from tests.ui.driving import console_on


@contextmanager
def without_threads() -> Iterator[None]:
    """Meanwhile no thread can be started, as with `ulimit -u` reached."""

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        yield


@pytest.fixture
def no_threads() -> Iterator[None]:
    with without_threads():
        yield


async def test_work_waits_for_a_thread_where_no_further_one_may_be_started() -> None:
    event_loop.make_do()
    held = threading.Event()
    first = asyncio.ensure_future(asyncio.to_thread(held.wait))
    await asyncio.sleep(0)
    with without_threads():
        second = asyncio.ensure_future(asyncio.to_thread(lambda: "done"))
        await asyncio.sleep(0)
    assert not second.done()
    held.set()
    assert await first
    assert await second == "done"


async def test_without_any_thread_it_is_told() -> None:
    event_loop.make_do()
    with without_threads(), pytest.raises(RuntimeError) as told:
        await asyncio.to_thread(lambda: None)
    error = unforeseen.told(told.value, lambda: None)
    assert "no more processes or threads may be started" in error.message
    assert error.hint is not None
    assert "ulimit -u" in error.hint


@pytest.mark.usefixtures("no_threads")
def test_a_store_without_notices_is_compared_instead(tmp_path: Path) -> None:
    noticing = Noticing(tmp_path, lambda *_: None, lambda: None)
    before = len(os.listdir("/proc/self/fd"))
    assert not noticing.start(tmp_path)
    spent = len(os.listdir("/proc/self/fd"))
    assert not noticing.start(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == spent <= before + 3
    told = noticing.coverage(1)
    assert told.mode == "polling"
    assert told.text.startswith("no change notices: no more processes or threads may be started")


@pytest.mark.usefixtures("no_threads")
def test_a_worker_whose_memory_cannot_be_read_is_no_defect() -> None:
    sampler = MemorySampler(lambda _: None)
    sampler.watch("m.pkl", os.getpid())
    sampler.close()


def test_a_failure_while_the_machine_s_failure_is_dealt_with_is_the_machine_s() -> None:
    try:
        try:
            raise RuntimeError("can't start new thread")
        finally:
            threading.Thread().join()
    except RuntimeError as error:
        told = unforeseen.told(error, lambda: None)
    assert "no more processes or threads may be started" in told.message


def test_a_thread_that_finds_no_memory_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1 << 20, 1 << 20))
    system = as_system_error(RuntimeError("can't start new thread"))
    assert system is not None
    assert os.strerror(system.errno or 0) == "Cannot allocate memory"


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "Too many open files"), RuntimeError("odd")])
async def test_what_fails_in_a_callback_reaches_who_can_tell_it(error: Exception) -> None:
    heard: list[Exception] = []

    def hear(error: Exception) -> bool:
        heard.append(error)
        return True

    def fails() -> None:
        raise error

    event_loop.hear_of_failures(hear)
    asyncio.get_running_loop().call_soon(fails)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard == [error]


async def test_the_machine_s_failure_in_the_background_ends_the_console_with_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def run() -> None:
        async with console_on(demo()) as console:
            await console.on(HomeScreen)
            console.app.failed_by_itself(OSError(24, "Too many open files"))
            await console.until(lambda: not console.app.is_running)

    with pytest.raises(OSError, match="Too many"):
        await run()
    shown = " ".join(capsys.readouterr().err.split())
    assert "model-console: the console cannot go on, because this process may open no more files" in shown
    assert "hint: raise its limit: ulimit -n 1024" in shown
    assert "defect" not in shown


def test_a_current_directory_that_is_gone_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        os.path.abspath("m.pkl")
    except OSError as error:
        told = unforeseen.told(error, lambda: None)
    assert (told.exit_code, told.message) == (4, "the current directory is gone")
