"""A model without data: asked for once, remembered, shared by all that drives it, and never in anybody's way."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from console.engine.local import Engine
from console.records import DataSource
from console.ui.dialogs.data_file import DataFileScreen
from console.ui.dialogs.target import TargetScreen
from console.ui.dialogs.use_data import UseDataScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.update import UpdateScreen
from tests.safetensors_files import packed
from tests.ui.driving import Driver, console_on
from tests.warm import Opening

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODEL = "churn/lr.joblib"
HOLDOUT = "churn/data/churn-holdout.csv"


@pytest.fixture
def store(demo_copy: Path) -> Path:
    """A model without a recipe, its data, and files with names that mean harm."""
    for one in demo_copy.iterdir():
        if one.name != "churn":
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    (demo_copy / "churn" / "lr.recipe.toml").unlink()
    (demo_copy / "churn" / "data" / "esc\x1b]52;c;AAAA\x07\n\u202e[red].csv").write_text("a\n1\n")
    return demo_copy


@pytest_asyncio.fixture(loop_scope="session")
async def engine(store: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine on that store."""
    opened = await opening(store)
    yield opened
    await opened.close()


async def on_model(console: Driver, path: str = MODEL) -> None:
    await console.until(lambda: path in console.app.rows.by_path and console.app.rows.by_path[path].artifact.verdict)
    console.app.screen.query_one("ArtifactTable").select(path)  # type: ignore[attr-defined]
    await console.pilot.pause()


def is_told(console: Driver, sentence: str) -> bool:
    return any(one.message.startswith(sentence) for one in console.app._notifications)


async def chosen_file(console: Driver, typed: str = "holdout") -> None:
    """The dialog, with the hold-out under the cursor."""
    await console.on(DataFileScreen)
    await console.until(lambda: "data files; any other" in console.picture(), "the store is looked through")
    await console.write(typed)
    await console.until(lambda: "churn-holdout.csv" in console.picture() and "churn-train.csv" not in console.picture())
    await console.press("enter")


@pytest.mark.slow
async def test_p_asks_for_file_and_target_and_drives_the_model(engine: Engine) -> None:
    async with console_on(engine, size=(80, 24)) as console:
        await on_model(console)
        await console.press("p")
        await chosen_file(console)
        await console.on(TargetScreen)
        await console.until(
            lambda: "churned  likely" in console.picture() and "all 5 columns that the model names" in console.picture()
        )
        await console.press("enter")
        await console.on(UseDataScreen)
        await console.until(lambda: 'target = "churned"' in console.picture())
        await console.press("enter")
        await console.on(HomeScreen)
        await console.until(lambda: (probe := engine.known_probe(MODEL)) is not None and probe.running)
        probe = engine.known_probe(MODEL)
        assert probe is not None
        assert (probe.plan.data, probe.plan.target) == (str(engine.root / HOLDOUT), "churned")
        assert not list((engine.root / "churn").glob("*.toml"))
        await console.until(lambda: "probing" in console.picture(), "the screen knows of it")
        await console.press("p")
        await console.until(lambda: (probe := engine.known_probe(MODEL)) is not None and not probe.running)
        await console.press("u")
        await console.on(UpdateScreen)
        await console.until(lambda: HOLDOUT in console.picture() and "churned" in console.picture(), "the same data")


async def test_of_what_nothing_runs_no_data_is_asked_for_and_each_key_says_why(engine: Engine, store: Path) -> None:
    (store / "tensors.safetensors").write_bytes(packed({"w": ("F32", [2])}))
    async with console_on(engine, size=(160, 48)) as console:
        await on_model(console, "tensors.safetensors")
        await console.until(lambda: "nothing runs it: enter looks inside" in console.picture())
        why = "safetensors holds tensors and not the program that computes with them"
        told = [f"{action}: {why}" for action in ("load", "probe", "update")]
        loads = {"l load", "p probe", "u update"}
        await console.until(lambda: not loads & set(console.picture().splitlines()[-1].split("  ")))
        for key, sentence in zip("lpu", told, strict=True):
            await console.press(key)
            await console.until(partial(is_told, console, sentence))
        assert isinstance(console.app.screen, HomeScreen)
        assert engine.models.views() == {}


@pytest.mark.slow
async def test_other_data_is_driven_with_at_once(engine: Engine) -> None:
    await engine.data.choose(MODEL, str(engine.root / "churn/data/churn-train.csv"), "churned")
    async with console_on(engine, size=(160, 48)) as console:
        await on_model(console)
        await console.press("p")
        await console.until(lambda: (probe := engine.known_probe(MODEL)) is not None and probe.running)
        await engine.monitor.set(MODEL, rate=5.0)
        await console.press("f")
        await chosen_file(console)
        await console.on(TargetScreen)
        await console.until(lambda: "churned  likely" in console.picture())
        await console.press("enter")
        await console.on(UseDataScreen)
        await console.press("enter")
        await console.until(
            lambda: (
                (probe := engine.known_probe(MODEL)) is not None
                and probe.running
                and probe.plan.data == str(engine.root / HOLDOUT)
            )
        )
        probe = engine.known_probe(MODEL)
        assert probe is not None
        assert probe.plan.rate == 5.0


@pytest.mark.slow
async def test_esc_goes_back_step_by_step_and_starts_nothing(engine: Engine) -> None:
    async with console_on(engine, size=(80, 24)) as console:
        await on_model(console)
        await console.press("p")
        await chosen_file(console)
        await console.on(TargetScreen)
        await console.until(lambda: "likely" in console.picture())
        await console.press("enter")
        await console.on(UseDataScreen)
        await console.press("escape")
        await console.on(TargetScreen)
        await console.press("escape")
        await console.on(DataFileScreen)
        await console.press("escape")
        await console.on(HomeScreen)
        await console.until(lambda: MODEL not in console.app.operations.pending)
        assert engine.models.view(MODEL) is None
        assert (await engine.data.of(MODEL)).source is DataSource.NONE


@pytest.mark.slow
async def test_try_it_offers_the_dialog_and_the_recipe_is_written(engine: Engine) -> None:
    async with console_on(engine, size=(80, 24)) as console:
        await on_model(console)
        await engine.models.load(MODEL)
        console.app.push_screen(ModelScreen(MODEL, "try"))
        await console.until(lambda: "Nothing names data" in console.picture() and "f data" in console.picture())
        await console.press("f")
        await chosen_file(console)
        await console.on(TargetScreen)
        await console.until(lambda: "likely" in console.picture())
        await console.press("enter")
        await console.on(UseDataScreen)
        await console.press("w")
        await console.until(lambda: "right" in console.picture() and "row 1 of" in console.picture(), "an answer")
        recipe = (engine.root / "churn" / "lr.recipe.toml").read_text()
        assert recipe == '[data]\nholdout = "data/churn-holdout.csv"\ntarget = "churned"\n'
        assert engine.book.entries()[-1].action == "recipe"
        assert (await engine.data.of(MODEL)).source is DataSource.RECIPE
        await console.press("f")
        assert isinstance(console.app.screen, ModelScreen)


@pytest.mark.slow
async def test_the_next_session_knows_and_asks_again_for_what_is_gone(engine: Engine, opening: Opening) -> None:
    data = engine.root / HOLDOUT
    await engine.data.choose(MODEL, str(data), "churned")
    later = await opening(engine.root)
    try:
        assert later.recipes.of(MODEL).data.train == str(data)
        data.rename(data.with_name("renamed.csv"))
        async with console_on(later, size=(80, 24)) as console:
            await on_model(console)
            await console.press("p")
            await console.on(DataFileScreen)
            await console.until(
                lambda: "called renamed.csv" in console.picture() and "▌ churn/data/r" in console.picture()
            )
            await console.press("enter")
            await console.on(TargetScreen)
            await console.until(lambda: "churned  likely" in console.picture())
        assert later.models.view(MODEL) is None
    finally:
        await later.close()


@pytest.mark.slow
async def test_a_path_is_completed_and_hostile_names_steer_nothing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my rows").mkdir()
    (tmp_path / "my rows" / "new rows.csv").write_text("a\n1\n")
    async with console_on(engine, size=(100, 30)) as console:
        await on_model(console)
        await console.press("f")
        await console.on(DataFileScreen)
        await console.until(lambda: "esc\\x1b]52;c;AAAA\\x07\\x0a\\u202e[red].csv" in console.picture())
        screen = console.app.screen
        assert isinstance(screen, DataFileScreen)
        long = screen._line("folder/" + "a" * 200 + ".csv")
        assert [str(span.style) for span in long.spans] == ["$quiet", "bold", "$quiet", "bold"]
        await console.write("~/my")
        await console.press("tab")
        await console.until(lambda: screen.typed == "~/my rows/")
        await console.press("tab")
        await console.until(lambda: screen.typed == "~/my rows/new rows.csv")
        await console.press("enter")
        await console.on(TargetScreen)
        await console.until(lambda: "missing of the model" in console.picture())
        await console.press("escape")
        await console.on(DataFileScreen)


@pytest.mark.slow
async def test_a_view_only_console_writes_no_recipe_and_says_why(store: Path, opening: Opening) -> None:
    engine = await opening(store, read_only=True)
    try:
        async with console_on(engine, size=(80, 24)) as console:
            await on_model(console)
            await console.press("f")
            await chosen_file(console)
            await console.on(TargetScreen)
            await console.until(lambda: "likely" in console.picture())
            await console.press("enter")
            await console.on(UseDataScreen)
            await console.until(lambda: "read-only" in console.picture())
            await console.press("w")
            assert isinstance(console.app.screen, UseDataScreen)
            await console.press("enter")
            await console.until(lambda: engine._chosen.of(MODEL) is not None)
        assert engine.models.view(MODEL) is None
    finally:
        await engine.close()
