from __future__ import annotations

import asyncio
import os
import pickle
import signal
from typing import Any

import psutil

from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.zygote import Zygote
from tests.worker.payloads import Load, OpenFile, predicting, until

MODULES = ("console.worker.child.model", "backends.formats.pickle.plain", "numpy.random", "no_such_module")


async def parent_of(worker: Worker) -> int:
    return psutil.Process(worker.child.pid).ppid()


async def warmed(launcher: Launcher) -> Zygote:
    zygote = launcher.warm(modules=MODULES)
    await zygote.warmed()
    return zygote


async def test_safe_ones_are_forked_and_others_executed(launcher: Launcher, evil: Load) -> None:
    early = await Worker.start(launcher, "before", fresh=False)
    zygote = await warmed(launcher)
    forked = await Worker.start(launcher, "forked", fresh=False)
    fresh = await Worker.start(launcher, "fresh", fresh=True)
    assert await parent_of(forked) == zygote.pid
    assert await parent_of(fresh) == await parent_of(early) == os.getpid()
    assert forked.child.layers.keys() == fresh.child.layers.keys()
    assert {name for name, layer in forked.child.layers.items() if layer.active} == {
        name for name, layer in fresh.child.layers.items() if layer.active
    }
    model = evil(predicting("[len(X)] * len(X)"))
    for worker in (forked, fresh):
        await worker.load(model, "pickle")
        assert (await worker.call_rows([[1], [2]])).outputs == {"predict": [2, 2]}
    assert os.getsid(forked.child.pid) == forked.child.pid


async def test_how_a_fork_ended_is_known(launcher: Launcher, evil: Load) -> None:
    await warmed(launcher)
    for expression, words in (("os._exit(0)", "exit code 0"), ("os.kill(os.getpid(), 11)", "SIGSEGV")):
        worker = await Worker.start(launcher, "forked", fresh=False)
        fd = evil(expression.replace("os.", "__import__('os')."))
        outcome = (await asyncio.gather(worker.load(fd, "pickle"), return_exceptions=True))[0]
        assert words in str(getattr(outcome, "failure", None) and outcome.failure.exit)  # type: ignore[union-attr]
        assert not psutil.pid_exists(worker.child.pid)


async def test_forks_differ_in_their_random_numbers(launcher: Launcher, evil: Load) -> None:
    await warmed(launcher)
    draw = predicting("[[__import__('numpy').random.rand(), __import__('random').random()]]")
    seen: set[Any] = set()
    for _ in range(2):
        worker = await Worker.start(launcher, "forked", fresh=False)
        await worker.load(evil(draw), "pickle")
        drawn = (await worker.call_rows([[1]])).outputs["predict"]
        assert isinstance(drawn, list)
        assert isinstance(drawn[0], list)
        seen.update(drawn[0])
    assert len(seen) == 4


async def test_a_dead_zygote_takes_its_forks_along_and_is_replaced(launcher: Launcher, evil: Load) -> None:
    zygote = await warmed(launcher)
    first = zygote.pid
    forked = await Worker.start(launcher, "forked", fresh=False)
    asleep = asyncio.create_task(forked.load(evil("__import__('time').sleep(100)"), "pickle"))
    await until(lambda: forked.child.busy)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    outcome = (await asyncio.gather(asleep, return_exceptions=True))[0]
    assert getattr(outcome, "code", None) == "died"
    assert "zygote" in str(outcome)
    await until(lambda: not zygote.ready)
    between = await Worker.start(launcher, "between", fresh=False)
    assert await parent_of(between) == os.getpid()
    await zygote.warmed()
    assert zygote.pid != first
    again = await Worker.start(launcher, "again", fresh=False)
    assert await parent_of(again) == zygote.pid


async def test_a_file_given_to_a_fork_is_its_own(launcher: Launcher, open_file: OpenFile) -> None:
    await warmed(launcher)
    worker = await Worker.start(launcher, "forked", fresh=False)
    fd = open_file(pickle.dumps([1, 2, 3]), "list.pkl")
    for _ in range(3):
        assert (await worker.load(fd, "pickle")).model_class == "builtins.list"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0


async def test_what_models_name_is_imported_before_they_are_loaded(launcher: Launcher, evil: Load) -> None:
    zygote = await warmed(launcher)
    launcher.expect(["json.tool", "sklearn.isotonic", "numpy.no_such_module"])
    await until(lambda: "sklearn.isotonic" in zygote._imported)
    worker = await Worker.start(launcher, "forked", fresh=False)
    seen = "[[name in __import__('sys').modules for name in ('sklearn.isotonic', 'json.tool')]]"
    await worker.load(evil(predicting(seen)), "pickle")
    assert (await worker.call_rows([[1]])).outputs == {"predict": [[True, False]]}
