"""The engine on a real store: what is loaded, what changes, what dies."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import signal
from pathlib import Path

import joblib
import psutil
import pytest

from console.config import Settings
from console.engine.local import Engine
from console.errors import AccessDeniedError, ConsoleError, InputError, NeedsReviewError, OperationError
from console.records import Json, Verdict, WorkerState
from console.serving import replicas
from tests.engine.conftest import model, until
from tests.safetensors_files import packed


async def test_a_second_start_knows_the_store_before_it_looks(store: Path, isolated: Path) -> None:
    first = await Engine.open(store, Settings(warm=False))
    await until(first, lambda: all(row.verdict for row in first.artifacts.rows()) and len(first.artifacts.rows()) == 3)
    await first.close()
    second = await Engine.open(store, Settings(warm=False))
    known = {row.path: row.verdict for row in second.artifacts.rows()}
    await second.close()
    assert known == {"a.joblib": Verdict.SAFE, "b.pkl": Verdict.SAFE, "review.pkl": Verdict.REVIEW}


async def test_several_models_answer_side_by_side(engine: Engine) -> None:
    await asyncio.gather(engine.models.load("a.joblib"), engine.models.load("b.pkl"))
    rows: list[Json] = [[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0]]
    a, b = await asyncio.gather(
        engine.inference.predict("a.joblib", rows=rows), engine.inference.predict("b.pkl", rows=rows)
    )
    assert a.outputs["predict"] == [True, False]
    assert b.rows == 2
    pids = {view.pid for view in engine.models.views().values()}
    assert len(pids) == 2
    assert os.getpid() not in pids


async def test_what_needs_review_loads_on_a_recorded_yes_only(engine: Engine, store: Path) -> None:
    with pytest.raises(NeedsReviewError, match=r"ipaddress\.IPv4Address"):
        await engine.models.load("review.pkl")
    assert engine.models.view("review.pkl") is None
    await engine.models.load("review.pkl", accept="our own")
    outcome = await engine.inference.predict("review.pkl", rows=[[0.0, 0.0, 5.0]])
    assert outcome.outputs["predict"] == [True]
    await engine.models.unload("review.pkl")
    await engine.models.load("review.pkl")
    row = (await engine.artifacts.report("review.pkl")).artifact
    assert (row.verdict, row.accepted) == (Verdict.REVIEW, True)
    actions = [(entry.action, entry.result.split(":")[0]) for entry in engine.book.entries()]
    assert ("accept", "review") in actions
    assert engine.book.verify().ok


async def test_blocked_and_damaged_files_are_refused_and_not_run(engine: Engine, store: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {marker}",)

    (store / "evil.pkl").write_bytes(pickle.dumps(Payload()))
    (store / "cut.pkl").write_bytes((store / "b.pkl").read_bytes()[:-40])
    with pytest.raises(AccessDeniedError, match="blocked"):
        await engine.models.load("evil.pkl", accept="please")
    with pytest.raises(InputError, match="damaged"):
        await engine.models.load("cut.pkl")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["cut.pkl", "tensors.safetensors"])
async def test_what_cannot_be_loaded_at_all_leaves_the_refusal_alone(engine: Engine, store: Path, name: str) -> None:
    content = packed({"w": ("F32", [2])}) if name.endswith("s") else (store / "b.pkl").read_bytes()[:-40]
    (store / name).write_bytes(content)
    with pytest.raises(InputError):
        await engine.models.load(name)
    assert engine.models.views() == {}
    assert not engine.failures.all()


async def test_a_loaded_model_whose_new_content_is_damaged_keeps_that_as_a_failure(engine: Engine, store: Path) -> None:
    await engine.models.load("b.pkl")
    (store / "new").write_bytes((store / "b.pkl").read_bytes()[:-40])
    os.replace(store / "new", store / "b.pkl")
    with pytest.raises(InputError):
        await engine.models.reload("b.pkl")
    (failure,) = engine.failures.all()
    assert (failure.artifact, failure.code) == ("b.pkl", InputError.code)


async def test_a_damaged_file_has_the_format_that_its_name_promises(engine: Engine, store: Path) -> None:
    whole = packed({"w": ("F32", [2])})
    (store / "cut.safetensors").write_bytes(whole[:-1])
    (store / "none.safetensors").write_bytes(b"no such thing")
    assert (await engine.artifacts.inspect("cut.safetensors")).artifact.format == "safetensors"
    assert (await engine.artifacts.inspect("none.safetensors")).artifact.format == "?"


async def test_a_changed_file_is_marked_with_both_digests_and_reloaded_beside(engine: Engine, store: Path) -> None:
    before = await engine.models.load("a.joblib")
    joblib.dump(model(1), store / "new")
    os.replace(store / "new", store / "a.joblib")
    await until(engine, lambda: (row := engine.artifacts.row("a.joblib")) and row.changed)
    row = engine.artifacts.row("a.joblib")
    assert row is not None
    assert row.digest not in (None, before.digest)
    after = await engine.models.reload("a.joblib")
    assert after.digest == row.digest
    assert after.pid != before.pid
    await until(engine, lambda: (row := engine.artifacts.row("a.joblib")) and not row.changed)
    assert (await engine.inference.predict("a.joblib", rows=[[0.0, 5.0, 0.0]])).outputs["predict"] == [True]


async def test_the_old_model_answers_when_the_new_one_cannot_be_loaded(engine: Engine, store: Path) -> None:
    before = await engine.models.load("a.joblib")
    (store / "a.joblib").write_bytes(b"\x80\x05garbage")
    with pytest.raises(ConsoleError):
        await engine.models.reload("a.joblib")
    view = engine.models.view("a.joblib")
    assert view is not None
    assert view.state is WorkerState.READY
    assert view.pid == before.pid
    assert "still answers" in view.notes[0]
    assert (await engine.inference.predict("a.joblib", rows=[[5.0, 0.0, 0.0]])).outputs["predict"] == [True]


async def test_a_killed_worker_is_explained_and_started_again(engine: Engine) -> None:
    view = await engine.models.load("a.joblib")
    assert view.pid is not None
    os.kill(view.pid, signal.SIGKILL)
    await until(engine, lambda: (now := engine.models.view("a.joblib")) and now.state is WorkerState.ERROR)
    await until(engine, lambda: (now := engine.models.view("a.joblib")) and now.state is WorkerState.READY)
    assert "SIGKILL" in (engine.failures.all()[-1].exit or "")
    assert not psutil.pid_exists(view.pid)


async def test_a_worker_that_keeps_dying_is_left_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "BACKOFF_S", (0.0,))
    monkeypatch.setattr(replicas, "GIVE_UP_AFTER", 1)
    for _ in range(2):
        await until(engine, lambda: (now := engine.models.view("a.joblib")) is None or now.state is WorkerState.READY)
        view = await engine.models.load("a.joblib")
        assert view.pid is not None
        os.kill(view.pid, signal.SIGKILL)
        await until(engine, lambda: (now := engine.models.view("a.joblib")) and now.state is WorkerState.ERROR)
    left = engine.models.view("a.joblib")
    assert left is not None
    assert left.retry_at is None
    assert "left alone" in left.notes[0]
    assert (await engine.models.reload("a.joblib")).state is WorkerState.READY


async def test_nothing_is_left_behind(store: Path, isolated: Path) -> None:
    before = psutil.Process().children(recursive=True)
    engine = await Engine.open(store, Settings(warm=False))
    await engine.models.load("a.joblib")
    children = set(psutil.Process().children(recursive=True)) - set(before)
    assert children
    await engine.close()
    _gone, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


async def test_a_store_that_vanishes_keeps_its_rows_and_workers(engine: Engine, store: Path) -> None:
    await engine.models.load("a.joblib")
    os.rename(store, store.with_name("away"))
    await until(engine, lambda: engine.artifacts.offline)
    assert len(engine.artifacts.rows()) == 3
    assert (await engine.inference.predict("a.joblib", rows=[[5.0, 0.0, 0.0]])).rows == 1
    os.rename(store.with_name("away"), store)
    await until(engine, lambda: engine.artifacts.offline is None)


async def test_without_an_older_version_there_is_nothing_to_roll_back_to(engine: Engine, store: Path) -> None:
    before = (store / "a.joblib").read_bytes()
    with pytest.raises(InputError):
        await engine.updates.rollback("a.joblib")
    assert (store / "a.joblib").read_bytes() == before


async def test_a_recipe_may_have_a_changed_file_reloaded_at_once(engine: Engine, store: Path) -> None:
    (store / "b.recipe.toml").write_text('[reload]\non_change = "reload"\npolicy = "resource"\n')
    before = await engine.models.load("b.pkl")
    shutil.copy(store / "a.joblib", store / "new")
    os.replace(store / "new", store / "b.pkl")
    await until(
        engine,
        lambda: (now := engine.models.view("b.pkl")) and now.state is WorkerState.READY and now.digest != before.digest,
    )
    row = engine.artifacts.row("b.pkl")
    assert row is not None
    assert not row.changed


async def test_a_probe_measures_and_survives_the_death_of_its_worker(engine: Engine) -> None:
    view = await engine.models.load("a.joblib")
    await engine.monitor.start("a.joblib")
    state = engine.known_probe("a.joblib")
    assert state is not None
    assert state.running
    assert view.pid is not None
    os.kill(view.pid, signal.SIGKILL)
    await until(engine, lambda: (now := engine.models.view("a.joblib")) and now.state is WorkerState.ERROR)
    await until(engine, lambda: (now := engine.models.view("a.joblib")) and now.state is WorkerState.READY)
    state = engine.known_probe("a.joblib")
    assert state is not None
    assert state.running
    done = await engine.monitor.stop("a.joblib")
    assert done is not None
    assert not done.running


async def test_a_question_to_what_is_not_loaded_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(OperationError, match="not loaded"):
        await engine.inference.predict("a.joblib", rows=[[0.0, 0.0, 0.0]])


async def test_the_pace_of_readings_is_that_of_the_settings(store: Path, isolated: Path) -> None:
    engine = await Engine.open(store, Settings(warm=False, sample_hz=4.0), watch=False, records=False)
    try:
        assert engine.monitor._sampler._fast_s == 0.25
    finally:
        await engine.close()
