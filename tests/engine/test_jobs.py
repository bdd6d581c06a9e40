"""Jobs: work that goes on without whoever asked for it, is ended on a word, and is told to every client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
import pytest
import pytest_asyncio

from console.access.actor import Actor, acting
from console.config import Settings
from console.engine.api import EngineApi, last_of
from console.engine.jobs import Jobs, Tell
from console.engine.local import Engine
from console.engine.mirror import Mirror
from console.errors import InputError, OperationError
from console.records import EventKind, Job, JobState
from tests.engine.conftest import model
from tests.engine.through_bytes import through_bytes
from tests.warm import Opening

RECIPE = '[data]\ntrain = "train.csv"\nholdout = "train.csv"\ntarget = "y"\n'
FOREVER = f'{RECIPE}\n[retrain]\ncommand = ["/bin/sh", "-c", "sleep 1000", "{{candidate}}"]\n'


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A model with rows to train on, and one whose training never ends."""
    root = tmp_path / "store"
    root.mkdir()
    random = np.random.default_rng(1)
    rows = random.normal(size=(60, 3))
    table = np.column_stack([rows, rows[:, 0] > 0])
    np.savetxt(root / "train.csv", table, delimiter=",", header="a,b,c,y", comments="", fmt="%.6g")
    for name, recipe in (("a", RECIPE), ("slow", FOREVER)):
        joblib.dump(model(), root / f"{name}.joblib")
        (root / f"{name}.recipe.toml").write_text(recipe)
    return root


@pytest_asyncio.fixture(loop_scope="session")
async def engine(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine on that store, without anything in the background."""
    opened = await opening(store, Settings(warm=False), watch=False)
    yield opened
    await opened.close()


def waits(release: asyncio.Event, answer: str = "through") -> Callable[[Tell], Awaitable[str]]:
    """Work that ends when it is released."""

    async def work(tell: Tell) -> str:
        tell("waiting", 0.5)
        await release.wait()
        return answer

    return work


async def told(engine: EngineApi, kind: EventKind, subject: str) -> None:
    """Wait until something of this kind has happened."""
    async for event in engine.follow():
        if (event.kind, event.subject) == (kind, subject):
            return


async def ended(jobs: Jobs, number: int) -> Job:
    return await last_of(jobs.follow(number))


async def begun(jobs: Jobs, release: asyncio.Event) -> tuple[asyncio.Task[str], Job]:
    started = asyncio.Event()
    working = waits(release)

    async def work(tell: Tell) -> str:
        started.set()
        return await working(tell)

    asked = asyncio.ensure_future(jobs.run("convert", "a.joblib", work, str))
    await started.wait()
    return asked, (await jobs.list())[0]


async def test_who_asked_may_go_and_the_work_goes_on(engine: Engine) -> None:
    release = asyncio.Event()
    token = acting.set(Actor("ada", os.geteuid()))
    asked, job = await begun(engine.jobs, release)
    acting.reset(token)
    assert (job.kind, job.artifact, job.who, job.ended) == ("convert", "a.joblib", "ada", None)
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked
    assert (await engine.jobs.list())[0].state is JobState.RUNNING
    release.set()
    over = await ended(engine.jobs, job.id)
    assert (over.state, over.result, over.done) == (JobState.DONE, "through", 1.0)
    assert over.ended is not None
    kinds = [event.kind for event in engine.bus.recent() if event.kind.startswith("job.")]
    assert kinds == [EventKind.JOB_STARTED, EventKind.JOB_ENDED]


async def test_it_is_followed_from_step_to_step(engine: Engine) -> None:
    release = asyncio.Event()
    asked, job = await begun(engine.jobs, release)
    notes = [(job.note, job.done, job.state)]
    async for now in engine.jobs.follow(job.id):
        notes.append((now.note, now.done, now.state))
        release.set()
    assert notes[-2:] == [("waiting", 0.5, JobState.RUNNING), ("", 1.0, JobState.DONE)]
    assert await asked == "through"


async def test_somebody_ends_it_and_whoever_waits_is_told(engine: Engine) -> None:
    asked, job = await begun(engine.jobs, asyncio.Event())
    assert (await engine.jobs.cancel(job.id)).state is JobState.CANCELLED
    with pytest.raises(OperationError, match=r"the conversion of a\.joblib was cancelled; nothing was changed"):
        await asked
    assert (await engine.jobs.cancel(job.id)).state is JobState.CANCELLED
    assert [entry.action for entry in engine.book.entries()][-1] == "cancel"
    for wrong in (engine.jobs.cancel(99), last_of(engine.jobs.follow(99))):
        with pytest.raises(InputError, match="there is no job 99"):
            await wrong


async def test_a_failure_is_kept_and_the_oldest_go(engine: Engine) -> None:
    async def fails(_tell: Tell) -> str:
        raise InputError("no such file", hint="look")

    for _ in range(201):
        with pytest.raises(InputError):
            await engine.jobs.run("convert", "a.joblib", fails, str)
    jobs = await engine.jobs.list()
    assert [job.id for job in jobs] == list(range(201, 1, -1))
    error = jobs[0].error
    assert (jobs[0].state, error and error.message) == (JobState.FAILED, "no such file")


async def test_what_nobody_expected_is_told_once_nobody_waits(engine: Engine) -> None:
    heard: list[Exception] = []
    engine.jobs.on_failure = heard.append
    release = asyncio.Event()

    async def breaks(_tell: Tell) -> str:
        await release.wait()
        raise ZeroDivisionError

    asked = asyncio.ensure_future(engine.jobs.run("convert", "a.joblib", breaks, str))
    await told(engine, EventKind.JOB_STARTED, "a.joblib")
    asked.cancel()
    await asyncio.wait([asked])
    release.set()
    job = await ended(engine.jobs, 1)
    assert job.error is not None
    assert "ZeroDivisionError" in job.error.message
    assert len(heard) == 1


async def test_an_update_whose_client_has_gone_leaves_its_candidate(engine: Engine) -> None:
    client = through_bytes(engine)
    plan = await client.updates.plan("a.joblib")
    asked = asyncio.ensure_future(client.updates.run(plan))
    await told(engine, EventKind.UPDATE_PROGRESS, "a.joblib")
    asked.cancel()
    await asyncio.wait([asked])
    job = await ended(engine.jobs, 1)
    assert (job.kind, job.state) == ("update", JobState.DONE)
    assert "a candidate, " in job.result
    next_console = Mirror(client)
    await next_console.catch_up()
    assert next_console.pending("a.joblib") is not None
    assert [one.id for one in next_console.jobs] == [1]


async def test_an_update_is_cancelled_by_either_word(engine: Engine) -> None:
    plan = await engine.updates.plan("slow.joblib")
    for word in (lambda: engine.updates.cancel(plan.path), lambda: engine.jobs.cancel(2)):
        asked = asyncio.ensure_future(engine.updates.run(plan))
        after = engine.bus.last
        async for event in engine.follow(after):
            if event.kind == EventKind.UPDATE_PROGRESS:
                break
        assert (await engine.jobs.list())[0].note
        await word()
        with pytest.raises(OperationError, match=r"the update of slow\.joblib was cancelled; nothing was changed"):
            await asked
        assert (await engine.jobs.list())[0].state is JobState.CANCELLED
        assert engine.updates.progress(plan.path) is None


async def test_two_mirrors_see_each_others_work_in_the_same_order(engine: Engine) -> None:
    one, other = Mirror(through_bytes(engine)), Mirror(through_bytes(engine))
    await one.catch_up()
    await other.catch_up()

    async def sees(mirror: Mirror) -> list[EventKind]:
        while not (mirror.jobs and mirror.jobs[0].state is JobState.DONE):
            await mirror.follow()
        return [event.kind for event in mirror.events]

    followed = [asyncio.ensure_future(sees(mirror)) for mirror in (one, other)]
    await one.engine.updates.convert("a.joblib", "hdf5", str(engine.root / "a.h5"))
    first, second = await asyncio.gather(*followed)
    assert first == second
    assert [kind for kind in first if kind.startswith("job.")] == [EventKind.JOB_STARTED, EventKind.JOB_ENDED]
    assert one.jobs == other.jobs
    assert "written as hdf5" in one.jobs[0].result


async def test_the_end_of_the_engine_is_the_end_of_its_jobs(engine: Engine) -> None:
    asked, job = await begun(engine.jobs, asyncio.Event())
    await engine.close()
    with pytest.raises(OperationError, match="cancelled"):
        await asked
    assert (await ended(engine.jobs, job.id)).state is JobState.CANCELLED
