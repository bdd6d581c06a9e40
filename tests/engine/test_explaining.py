"""The content that stood at a path before is remembered over sessions, and new names are news."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from pathlib import Path
from typing import Any

import joblib

from console.catalog.listing import row_of
from console.config import Settings
from console.engine.local import Engine
from console.records import Event, Explanation, Verdict
from tests.engine.conftest import model, until
from tests.warm import Opening


class Payload:
    """Unpickles to a call of os.system; never unpickled here."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def replaced(path: Path, value: object) -> None:
    """Another content, put in place the way careful programs do."""
    fresh = path.with_name(".fresh")
    fresh.write_bytes(pickle.dumps(value))
    fresh.rename(path)


def forget(isolated: Path) -> None:
    """The memory of another user."""
    for cache in isolated.glob("cache/**/seen.sqlite*"):
        cache.unlink()


def names_added(told: Explanation) -> list[str]:
    changes = told.since.changes if told.since is not None else ()
    return [one.name for one in changes if one.what == "name" and one.before is None]


async def looked_at(store: Path, path: str) -> tuple[Explanation, list[Event]]:
    """A session that looks once."""
    engine = await Engine.open(store, Settings(), watch=False, records=False)
    try:
        told = await engine.artifacts.explain(path)
        return told, [event for event in engine.bus.recent() if event.kind == "trust.changed"]
    finally:
        await engine.close()


async def test_the_first_look_knows_no_last_version(store: Path, isolated: Path) -> None:
    told, events = await looked_at(store, "b.pkl")
    assert told.since is None
    assert events == []


async def test_what_is_new_is_told_in_the_next_session_and_again_later(store: Path, isolated: Path) -> None:
    await looked_at(store, "b.pkl")
    replaced(store / "b.pkl", {"m": model(1), "x": Payload()})
    told, events = await looked_at(store, "b.pkl")
    assert "posix.system" in names_added(told)
    assert told.points[0].mentions[0].new
    assert [event.severity for event in events] == ["attention"]
    assert events[0].text.startswith("b.pkl changed: now names posix.system (was not there before)")
    os.utime(store / "b.pkl")
    again, events = await looked_at(store, "b.pkl")
    assert "posix.system" in names_added(again)
    assert events == []


async def test_a_file_that_could_not_be_read_takes_nobodys_place(store: Path, isolated: Path) -> None:
    await looked_at(store, "b.pkl")
    whole = (store / "b.pkl").read_bytes()
    (store / "b.pkl").write_bytes(whole[:300])
    told, _ = await looked_at(store, "b.pkl")
    assert told.points[0].verdict is Verdict.DAMAGED
    (store / "b.pkl").unlink()
    replaced(store / "b.pkl", {"m": model(1), "x": Payload()})
    told, _ = await looked_at(store, "b.pkl")
    assert names_added(told) == ["posix.system"]


async def test_a_change_under_an_open_console_is_an_event(engine: Engine, store: Path) -> None:
    await until(engine, lambda: engine.artifacts.row("b.pkl") and engine.artifacts.row("b.pkl").verdict)  # type: ignore[union-attr]
    replaced(store / "b.pkl", {"m": model(1), "x": Payload()})
    await until(engine, lambda: [one for one in engine.bus.recent() if one.kind == "trust.changed"])
    told = (await engine.artifacts.known("b.pkl")).explanation
    assert told is not None
    assert told.headline.startswith("Loading it calls posix.system")


async def test_a_loaded_file_that_changes_is_told_too(engine: Engine, store: Path) -> None:
    await engine.models.load("b.pkl")
    await engine.artifacts.explain("b.pkl")
    replaced(store / "b.pkl", {"m": model(1), "x": Payload()})
    await until(engine, lambda: [one for one in engine.bus.recent() if one.kind == "trust.changed"])


async def test_a_file_that_changes_while_it_is_being_loaded_is_told_too(engine: Engine, store: Path) -> None:
    await engine.artifacts.explain("b.pkl")
    old = engine.artifacts.row("b.pkl")
    stopped: list[int] = []

    def stop(event: Event) -> None:
        if event.kind == "worker.phase" and not stopped:
            stopped.extend(child.pid for child in engine._launcher.children if child.kind == "worker")
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)

    unsubscribe = engine.bus.subscribe(stop)
    loading = asyncio.ensure_future(engine.models.load("b.pkl"))
    await until(engine, lambda: stopped)
    unsubscribe()
    replaced(store / "b.pkl", {"m": model(1), "x": Payload()})
    while (row := engine.artifacts.row("b.pkl")) is None or row.digest in (None, old and old.digest):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    await loading
    await until(engine, lambda: [one for one in engine.bus.recent() if one.kind == "artifact.changed"])
    row = engine.artifacts.row("b.pkl")
    assert row is not None
    assert row.changed


async def test_what_the_console_replaced_is_told_from_the_history(
    store: Path, isolated: Path, opening: Opening
) -> None:
    """A console that never saw the old content, as under another user, reads it from the history."""
    (store / "rows.csv").write_text("a,b,c,y\n" + "".join(f"{n},{n % 7},{-n},{int(n > 15)}\n" for n in range(30)))
    (store / "a.recipe.toml").write_text(
        '[data]\ntrain = "rows.csv"\nholdout = "rows.csv"\ntarget = "y"\n[gate]\nmetric = "accuracy"\nat_least = 0.0\n'
    )
    joblib.dump(model(), store / "a.joblib")
    engine = await opening(store, watch=False)
    try:
        await engine.updates.run(await engine.updates.plan("a.joblib"))
        await engine.updates.promote("a.joblib", "test")
    finally:
        await engine.close()
    forget(isolated)
    told, _ = await looked_at(store, "a.joblib")
    assert told.since is not None
    assert told.since.version == 1
    assert told.since.digest is not None


async def test_an_explanation_is_made_once(engine: Engine) -> None:
    told = await engine.artifacts.explain("a.joblib")
    assert (await engine.artifacts.known("a.joblib")).explanation is told


async def test_a_look_at_what_was_replaced_is_no_look_at_what_is_there_now(engine: Engine, store: Path) -> None:
    while engine.artifacts.scanning or any(row.verdict is None for row in engine.artifacts.rows()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    engine._facts.forget("b.pkl")
    old = row_of(store, "b.pkl")
    inspectors = [child for child in engine._launcher.children if child.kind == "inspector"]
    for child in inspectors:
        os.kill(child.pid, signal.SIGSTOP)
    first = asyncio.ensure_future(engine._facts.report(old, digest=True))
    while not any(child.busy for child in inspectors):  # noqa: ASYNC110 - the thread that opens the file tells nobody
        await asyncio.sleep(0.01)
    replaced(store / "b.pkl", {"m": model(1), "x": Payload()})
    second = asyncio.ensure_future(engine._facts.report(row_of(store, "b.pkl"), digest=True))
    await asyncio.sleep(0)
    for child in inspectors:
        os.kill(child.pid, signal.SIGCONT)
    assert [(await one).judgement.verdict for one in (first, second)] == [Verdict.SAFE, Verdict.BLOCKED]
