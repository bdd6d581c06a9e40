"""Changes of an engine as a client is told them and keeps them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from console.engine import change_log
from console.engine.mirror import Mirror
from console.records import Failure, Verdict, WorkerState, WorkerView
from tests.engine.through_bytes import through_bytes
from tests.fetched import fetched
from tests.ui.demo_records import artifact, demo
from tests.ui.fed_engine import FedEngine
from tests.ui.feeder import Feeder

FOREST, NEW = "churn/rf.joblib", "new/one.pkl"


def mirrored(feeder: Feeder) -> Mirror:
    return Mirror(through_bytes(FedEngine(feeder)))


async def test_the_first_look_brings_everything() -> None:
    feeder = demo()
    mirror = mirrored(feeder)
    changes = await mirror.follow()
    assert changes.everything
    assert mirror.rows == feeder.rows
    assert mirror.workers == feeder.views
    assert mirror.probes == feeder.probes
    assert mirror.failures == tuple(feeder.failed)
    assert tuple(mirror.events) == feeder.bus.recent()
    assert mirror.status == feeder.known_status()


async def test_afterwards_only_what_was_touched_comes() -> None:
    feeder = demo()
    mirror = mirrored(feeder)
    await mirror.catch_up()
    feeder.put(artifact(NEW, 9, 9, "pickle", "a.B", Verdict.SAFE), "artifact.added")
    del feeder.rows["iris/svm.pkl"]
    feeder.say("artifact.removed", "iris/svm.pkl")
    feeder.views[NEW] = WorkerView(NEW, WorkerState.ENDED, 0.0)
    changes = await mirror.follow()
    assert not changes.everything
    assert {row.path for row in changes.rows} == {NEW}
    assert changes.removed == ("iris/svm.pkl",)
    assert mirror.rows == feeder.rows
    assert mirror.workers[NEW].state is WorkerState.ENDED
    assert [event.kind for event in changes.events] == ["artifact.added", "artifact.removed"]


async def test_what_is_measured_of_the_living_comes_without_an_event() -> None:
    feeder = demo()
    mirror = mirrored(feeder)
    await mirror.catch_up()
    feeder.views[FOREST] = replace(feeder.views[FOREST], cpu=99.0)
    feeder.failed.append(Failure(9, 1.0, FOREST, "predict", "raised", "odd"))
    await mirror.catch_up()
    assert mirror.workers[FOREST].cpu == 99.0
    assert mirror.last_failure(FOREST) == feeder.failed[-1]


async def test_it_waits_until_something_happens_and_takes_what_comes_together() -> None:
    feeder = demo()
    mirror = mirrored(feeder)
    await mirror.catch_up()
    following = asyncio.ensure_future(mirror.follow())
    await asyncio.sleep(0)
    assert not following.done()
    feeder.say("store.scanned", "")
    assert (await following).everything


async def test_an_engine_in_which_nothing_has_happened_is_waited_for_too() -> None:
    feeder = Feeder([artifact(NEW, 9, 9, "pickle", "a.B", Verdict.SAFE)])
    mirror = mirrored(feeder)
    assert (await mirror.follow()).everything
    following = asyncio.ensure_future(mirror.follow())
    await asyncio.sleep(0)
    assert not following.done()
    feeder.say("artifact.changed", NEW)
    assert not (await following).everything


async def test_what_is_caught_up_with_is_not_told_again_by_who_was_waiting() -> None:
    feeder = demo()
    mirror = mirrored(feeder)
    await mirror.catch_up()
    following = asyncio.ensure_future(mirror.follow(gather=0.01))
    await asyncio.sleep(0)
    feeder.say("worker.phase", FOREST)
    assert len((await mirror.catch_up()).events) == 1
    assert (await following).events == ()
    assert sum(event.kind == "worker.phase" for event in mirror.events) == 1


async def test_who_has_missed_too_much_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "_MOST", 2)
    feeder = demo()
    mirror = mirrored(feeder)
    await mirror.catch_up()
    for path in ("fraud/lr.pkl", FOREST):
        feeder.say("artifact.changed", path)
    assert not (await mirror.catch_up()).everything
    for path in ("fraud/lr.pkl", FOREST, "iris/svm.pkl"):
        feeder.say("artifact.changed", path)
    assert (await mirror.catch_up()).everything


async def test_a_number_of_another_engine_is_nobodys() -> None:
    changes = await FedEngine(demo()).changes(10_000, wait=False)
    assert changes.everything
    assert changes.rows


async def test_facts_and_measurements_come_for_those_that_are_looked_at() -> None:
    feeder = demo()
    mirror = mirrored(feeder)
    assert mirror.report(FOREST) is None
    await mirror.know(FOREST)
    assert mirror.report(FOREST) == feeder.reports[FOREST]
    assert mirror.series(FOREST) is None
    series = await mirror.measure(FOREST, (0.5,))
    assert series is mirror.series(FOREST)
    assert series is not None
    assert series.bins("worker.p50", 60, 0.5) == fetched(feeder.recorders[FOREST]).bins("worker.p50", 60, 0.5)
    assert await mirror.measure("iris/svm.pkl") is None
