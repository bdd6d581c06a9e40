from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from console.worker import standby as room
from console.worker.launcher import Launcher
from console.worker.limits import SandboxPlan
from console.worker.model import Worker
from tests.worker.payloads import Load, predicting, until

MODULES = ("console.worker.child.model", "backends.formats.pickle.plain", "numpy.random")


@pytest.fixture
async def standby(launcher: Launcher) -> room.Standby:
    """One that stands ready."""
    launcher.warm(modules=MODULES)
    found = launcher.stand_by()
    await found.ready()
    return found


def looks(launcher: Launcher) -> bool:
    """Whether it looks at what its children hold."""
    return launcher._watch._looking is not None


def standing(launcher: Launcher) -> int:
    (child,) = (child for child in launcher.children if child.kind == "worker")
    return child.pid


async def test_a_worker_that_stood_ready_is_handed_out_once(
    launcher: Launcher, standby: room.Standby, evil: Load
) -> None:
    first = standing(launcher)
    assert not looks(launcher), "nothing is looked at while nothing was given to it"
    worker = await Worker.start(launcher, "models/first.pkl", fresh=False)
    assert worker.child.pid == first
    assert worker.child in launcher._watch._children
    assert looks(launcher)
    assert all(denied.active for denied in worker.child.selftest.values())
    other = await Worker.start(launcher, "other", fresh=False)
    assert other.child.pid != first
    await worker.load(evil(predicting("[len(X)] * len(X)")), "pickle")
    assert (await worker.call_rows([[1], [2]])).outputs == {"predict": [2, 2]}
    title = Path(f"/proc/{first}/cmdline").read_bytes().rstrip(b"\0 ")  # noqa: ASYNC240
    assert title == b"model-console worker models/first.pkl"
    await standby.ready()
    again = await Worker.start(launcher, "again", fresh=False)
    assert len({first, other.child.pid, again.child.pid}) == 3


async def test_its_failures_are_told_of_the_artifact_it_was_given(
    launcher: Launcher, standby: room.Standby, evil: Load
) -> None:
    worker = await Worker.start(launcher, "mine.pkl", fresh=False)
    with pytest.raises(Exception, match="SIGSEGV") as told:
        await worker.load(evil("os.kill(os.getpid(), 11)"), "pickle")
    assert told.value.failure.artifact == "mine.pkl"  # type: ignore[attr-defined]


async def test_what_is_not_safe_or_confined_otherwise_gets_another(launcher: Launcher, standby: room.Standby) -> None:
    ready = standing(launcher)
    fresh = await Worker.start(launcher, "review", fresh=True)
    limited = await Worker.start(launcher, "limited", fresh=False, limits=replace(launcher.limits, memory=1 << 30))
    reading = await Worker.start(launcher, "reading", fresh=False, sandbox=SandboxPlan().reading("/etc/hosts"))
    launcher.sandbox = SandboxPlan(landlock=False)
    bare = await Worker.start(launcher, "bare", fresh=False)
    assert ready not in {one.child.pid for one in (fresh, limited, reading, bare)}
    assert psutil.Process(fresh.child.pid).ppid() == os.getpid()
    assert not bare.child.layers["landlock"].active


async def test_one_that_dies_or_lacks_an_import_is_replaced(launcher: Launcher, standby: room.Standby) -> None:
    first = standing(launcher)
    os.kill(first, signal.SIGKILL)
    await until(lambda: standby._child is not None and standby._child.pid != first)
    second = standing(launcher)
    launcher.expect(["numpy.polynomial"])
    await until(lambda: standby._child is not None and standby._child.pid != second)
    await until(lambda: all(child.pid not in (first, second) for child in launcher.children))


async def test_the_console_closes_while_one_is_being_made(launcher: Launcher) -> None:
    await launcher.warm(modules=MODULES).warmed()
    found = launcher.stand_by()
    await until(lambda: any(child.kind == "worker" for child in launcher.children) or found._child is not None)
    await launcher.close()
    assert not launcher.children
