"""The keys on a real engine and a real store: load, review, place, change, death, update, promote, roll back."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import textwrap
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas
import pytest
import pytest_asyncio
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression

from console.engine.local import Engine
from console.records import WorkerState
from console.ui.dialogs.choice import PlaceScreen
from console.ui.dialogs.confirm import ConfirmScreen, TypedYesScreen
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.history import HistoryScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.update import UpdateScreen
from console.ui.widgets.text_pane import TextPane
from tests.engine.through_bytes import through_bytes
from tests.ui.driving import Driver, console_on
from tests.warm import Opening

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def store(demo_copy: Path) -> Path:
    """A few models of the demo store, one file with two models and one that names what is not on the list."""
    for folder in demo_copy.iterdir():
        if folder.name not in ("churn", "trouble", "wine"):
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    other = clone(fitted).fit([[0.0], [1.0]], [0, 1])
    (demo_copy / "own").mkdir()
    (demo_copy / "own" / "two.pkl").write_bytes(pickle.dumps({"first": fitted, "second": other}))
    (demo_copy / "own" / "odd.pkl").write_bytes(pickle.dumps({"model": fitted, "notes": textwrap.TextWrapper()}))
    return demo_copy


@pytest_asyncio.fixture(loop_scope="session")
async def engine(store: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine on that store."""
    opened = await opening(store)
    yield opened
    await opened.close()


async def on_row(console: Driver, path: str) -> None:
    await console.until(lambda: path in console.app.rows.by_path, path)
    await console.until(lambda: console.app.rows.by_path[path].artifact.verdict is not None, f"verdict of {path}")
    console.app.screen.query_one("ArtifactTable").select(path)  # type: ignore[attr-defined]
    await console.pilot.pause()


def state(engine: Engine, path: str) -> WorkerState | None:
    worker = engine.models.view(path)
    return worker.state if worker is not None else None


@pytest.mark.slow
async def test_load_choose_review_and_unload(engine: Engine) -> None:
    async with console_on(engine, seen=through_bytes) as console:
        await on_row(console, "own/two.pkl")
        await console.press("l")
        await console.on(PlaceScreen)
        await console.press("j", "enter")
        await console.until(lambda: state(engine, "own/two.pkl") is WorkerState.READY)
        worker = engine.models.view("own/two.pkl")
        assert worker is not None
        assert "second" in worker.at
        await on_row(console, "own/odd.pkl")
        await console.press("l")
        await console.on(PlaceScreen)
        await console.press("enter")
        await console.on(TypedYesScreen)
        assert "textwrap.TextWrapper" in console.picture()
        await console.write("yep")
        await console.press("enter", "escape")
        await console.on(HomeScreen)
        assert state(engine, "own/odd.pkl") is None
        await console.press("l")
        await console.on(PlaceScreen)
        await console.press("enter")
        await console.on(TypedYesScreen)
        await console.write("yes")
        await console.press("enter")
        await console.until(lambda: state(engine, "own/odd.pkl") is WorkerState.READY)
        await console.until(lambda: "2 ready" in console.picture())
        await console.press("x")
        await console.until(lambda: state(engine, "own/odd.pkl") in (None, WorkerState.ENDED))


async def test_a_changed_file_is_marked_and_reloaded(engine: Engine) -> None:
    async with console_on(engine) as console:
        await on_row(console, "wine/forest.joblib")
        await console.press("l")
        await console.until(lambda: state(engine, "wine/forest.joblib") is WorkerState.READY)
        model = engine.root / "wine" / "forest.joblib"
        fresh = model.with_name("fresh")
        fresh.write_bytes((engine.root / "churn" / "lr.joblib").read_bytes())
        fresh.rename(model)
        await console.until(lambda: "1 changed" in console.picture())
        await console.press("r")
        await console.until(lambda: "1 changed" not in console.picture())
        await console.until(lambda: "1 ready" in console.picture())


async def test_a_dead_worker_is_named_and_its_account_one_key_away(engine: Engine) -> None:
    async with console_on(engine) as console:
        await on_row(console, "trouble/dies.joblib")
        await console.press("p")
        await console.until(lambda: engine.failures.all(), "a failure")
        await console.press("e")
        await console.on(ErrorsScreen)
        await console.until(lambda: "SIGSEGV" in console.widget(TextPane).plain, "the cause")
        assert "trouble/dies.joblib" in console.widget(TextPane).plain


@pytest.mark.slow
async def test_a_model_whose_calls_raise_is_failing_and_a_killed_worker_is_dead(engine: Engine) -> None:
    path = "trouble/raises.joblib"
    async with console_on(engine, size=(160, 48)) as console:
        await on_row(console, path)
        await console.press("p")
        await console.until(lambda: "1 failing" in console.picture(), "the state in the counts")
        row = console.app.rows.by_path[path]
        assert row.status.word == "failing"
        assert "fail, " in row.trouble

        def dead() -> bool:
            """Whether the row tells that the worker is dead, which the first ones are for moments only."""
            worker = engine.models.view(path)
            if worker is not None and worker.state is WorkerState.READY and worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
            return bool(console.app.rows.by_path[path].status.word == "error")

        await console.until(dead, "its death")
        assert console.app.rows.by_path[path].p99 is None
        await console.until(lambda: "1 failing" in console.picture(), "the next worker fails as well")


async def test_retrain_compare_promote_and_roll_back(engine: Engine) -> None:
    path = "churn/lr.joblib"
    before = (engine.root / path).read_bytes()
    async with console_on(engine, seen=through_bytes) as console:
        await on_row(console, path)
        await console.press("u")
        await console.on(UpdateScreen)
        await console.until(lambda: "churn-train.csv" in console.picture())
        await console.press("enter")
        await console.until(lambda: engine.updates.pending(path) is not None, "a comparison")
        await console.until(lambda: "roc_auc" in console.picture())
        assert (engine.root / path).read_bytes() == before
        await console.press("P")
        await console.on(ConfirmScreen)
        await console.press("y")
        await console.on(HomeScreen)
        assert (engine.root / path).read_bytes() != before
        await console.press("h")
        await console.on(HistoryScreen)
        await console.until(lambda: "current" in console.picture())
        await console.press("j", "B")
        await console.on(ConfirmScreen)
        await console.press("y")
        await console.until(lambda: (engine.root / path).read_bytes() == before)


@pytest.mark.slow
async def test_outliers_are_right_in_either_spelling_on_the_live_screen_and_in_try_it(engine: Engine) -> None:
    random = np.random.RandomState(0)
    rows = pandas.DataFrame(random.rand(60, 2), columns=["a", "b"]).assign(y=0)
    forest = IsolationForest(n_estimators=10, contamination=0.02, random_state=0).fit(rows[["a", "b"]])
    rows.loc[0, ["a", "b", "y"]] = (9.0, 9.0, 1)
    rows["y"] = rows["y"].astype(object)
    rows.loc[1, "y"] = None
    own = engine.root / "own"
    rows.to_csv(own / "rows.csv", index=False)
    (own / "forest.recipe.toml").write_text('[data]\nholdout = "rows.csv"\ntarget = "y"\n')
    (own / "forest.pkl").write_bytes(pickle.dumps(forest))
    path = "own/forest.pkl"
    async with console_on(engine) as console:
        await on_row(console, path)
        await engine.models.load(path)
        console.app.push_screen(ModelScreen(path, "try"))
        await console.until(
            lambda: "1 outlier   ✔ right" in console.picture(), "an answer that is held against the truth"
        )
        assert "-1 outlier" in console.picture()
        await console.press("right")
        await console.until(lambda: "none in this row" in console.picture(), "a row without a truth")
        await console.press("2")
        await engine.monitor.start(path, seconds=0.5)
        state = await engine.monitor.finished(path)
        assert state.score is not None
        assert state.score["accuracy"] > 0.8
        await console.until(lambda: "accuracy" in console.picture() and "without a truth" in console.picture())


@pytest.mark.slow
async def test_the_rows_follow_the_link_that_the_store_was_given_as(
    store: Path, tmp_path: Path, opening: Opening
) -> None:
    shutil.copytree(store / "wine", tmp_path / "v2" / "wine")
    current, new = tmp_path / "current", tmp_path / "new"
    current.symlink_to(store)
    new.symlink_to("v2")
    engine = await opening(current)
    async with console_on(engine, size=(240, 40)) as console:
        await on_row(console, "churn/lr.joblib")
        new.replace(current)
        await console.until(lambda: [*console.app.rows.by_path] == ["wine/forest.joblib"])
        assert "churn/lr" not in console.picture()
        await console.press("v")
        await console.until(lambda: f"leads to {tmp_path / 'v2'} now" in console.picture())
    await engine.close()


@pytest.mark.slow
async def test_a_second_session_asks_for_the_facts_it_does_not_remember(store: Path, opening: Opening) -> None:
    first = await opening(store)
    await first.artifacts.scan()
    await first.close()
    second = await opening(store)
    try:
        async with console_on(second, size=(120, 40)) as console:
            await on_row(console, "churn/lr.joblib")
            assert "no facts could be read" not in console.picture()
            await console.until(lambda: "inputs" in console.picture() and "every byte" in console.picture(), "facts")
    finally:
        await second.close()
