"""The model screen on the real engine: a model is loaded, driven, asked and watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.ui.screens.model import ModelScreen
from tests.engine.through_bytes import through_bytes
from tests.ui.driving import Driver, console_on
from tests.warm import Opening

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIGITS = "digits/mlp.h5"


async def shown(driver: Driver, path: str) -> ModelScreen:
    await driver.app.engine.artifacts.report(path)
    driver.app.push_screen(ModelScreen(path))
    screen = await driver.on(ModelScreen)
    assert isinstance(screen, ModelScreen)
    return screen


async def test_a_model_is_driven_watched_and_tried(demo_copy: Path, opening: Opening) -> None:
    engine = await opening(demo_copy)
    async with console_on(engine, (120, 36), seen=through_bytes) as driver:
        screen = await shown(driver, DIGITS)
        await driver.press("p")
        await driver.until(lambda: screen.tab == "live" and "accuracy" in driver.picture(), "a driven model")
        await driver.until(lambda: "ms" in driver.picture() and "MB" in driver.picture(), "measured values")
        series = driver.app.mirror.series(DIGITS)
        assert series is not None
        await driver.until(lambda: series.latest("pss"), "memory of the worker")
        await driver.press(">", ")")
        await driver.until(lambda: (probe := engine.known_probe(DIGITS)) is not None and probe.plan.batch == 2)
        await driver.press("p", "3")
        await driver.until(lambda: "▀" in driver.picture() and "right" in driver.picture(), "a digit and its answer")
        await driver.press("right")
        await driver.until(lambda: "row 2 of" in driver.picture())
        probe = engine.known_probe(DIGITS)
        assert probe is not None
        assert not probe.running
        assert probe.errors == 0


async def test_a_model_that_is_still_being_loaded_is_driven_once_it_answers(demo_copy: Path, opening: Opening) -> None:
    engine = await opening(demo_copy)
    async with console_on(engine, (120, 36)) as driver:
        screen = await shown(driver, DIGITS)
        screen.do_load()
        await driver.until(lambda: engine.models.view(DIGITS) is not None, "the load's beginning")
        screen.do_probe()
        await driver.until(lambda: (probe := engine.known_probe(DIGITS)) is not None and probe.calls, "calls")


async def test_what_a_model_raises_stands_among_its_errors(demo_copy: Path, opening: Opening) -> None:
    path = "trouble/raises.joblib"
    engine = await opening(demo_copy)
    async with console_on(engine, (120, 36)) as driver:
        await driver.until(lambda: engine.artifacts.known_report(path) is not None)
        await engine.models.load(path, accept="a test")
        screen = await shown(driver, path)
        await driver.press("3")
        await driver.until(lambda: any(failure.artifact == path for failure in engine.failures.all()), "a failure")
        await driver.press("4")
        await driver.until(lambda: screen.tab == "errors" and "predict" in driver.picture())
