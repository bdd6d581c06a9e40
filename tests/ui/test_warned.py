"""Warnings about a model's answers stand on every screen that shows one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.errors import OperationError
from console.records import Growth, Prediction
from console.ui.screens.home import HomeScreen
from tests.ui.driving import Driver, console_on
from tests.ui.test_model_screen import FOREST, Answering, model

pytestmark = pytest.mark.usefixtures("still_clock")

FACT = "written with scikit-learn 1.3.2, run with 1.9.1"
NOTE = f"{FACT}: answers may be wrong; run it with its own version ([environment] python = …) or retrain it"
OF_CALL = "UserWarning: a column is constant"


class Warned(Answering):
    """The demo's forest, written with another version."""

    def __init__(self) -> None:
        super().__init__()
        self.views[FOREST] = replace(self.views[FOREST], warnings=(NOTE,))
        self.trouble: OperationError | None = None

    async def predict(self, path: str, **wanted: Any) -> Prediction:
        if self.trouble is not None:
            raise self.trouble
        return replace(await super().predict(path, **wanted), warnings=(OF_CALL,))


@pytest.mark.parametrize("tab", ["overview", "errors"])
async def test_the_header_of_a_model_has_it_on_every_tab(tab: str) -> None:
    async with model(Warned(), tab=tab, size=(120, 36)) as (driver, _):
        await driver.until(lambda: any(line.strip().startswith(f"▲ {FACT}") for line in driver.picture().splitlines()))


async def test_a_model_that_needs_none_has_a_header_of_two_lines() -> None:
    async with model(Answering(), size=(120, 36)) as (driver, screen):
        assert screen._header.size.height == 2
        assert "▲" not in "\n".join(driver.picture().splitlines()[:4])


async def test_it_stands_beside_the_answer_to_a_row() -> None:
    async with model(Warned(), tab="try", size=(160, 40)) as (driver, _):
        await driver.until(lambda: OF_CALL in driver.picture() and "right" in driver.picture())
        await driver.until(lambda: driver.picture().count(FACT) == 2)


async def test_a_row_typed_by_hand_that_fails_says_what_helps() -> None:
    feeder = Warned()
    async with model(feeder, tab="try", size=(160, 40)) as (driver, _):
        await driver.until(lambda: "right" in driver.picture())
        feeder.trouble = OperationError("no attribute '_fill_dtype'", hint="ask 1.3.2")
        await driver.press("i", "1", "enter")
        await driver.until(lambda: "_fill_dtype" in driver.picture() and "ask 1.3.2" in driver.picture())


async def test_the_live_screen_tells_it_with_growth_and_the_last_error() -> None:
    feeder = Warned()
    probe = feeder.probe(FOREST)
    assert probe is not None
    growth = Growth(1228.8, 102.4, 75, True, 8 << 30, 3 * 3600)
    feeder.probes[FOREST] = replace(probe, growth=growth, warnings=(OF_CALL,))
    async with model(feeder, tab="live", size=(160, 40)) as (driver, _):
        await driver.until(lambda: "memory grows by 1.2 KiB ± 102 B per call; reaches the limit" in driver.picture())
        assert OF_CALL in driver.picture()


async def test_the_preview_of_the_store_has_it() -> None:
    async with console_on(Warned(), (120, 36)) as driver:
        await driver.on(HomeScreen)
        await until_under_the_cursor(driver)
        await driver.until(lambda: f"▲ {FACT}" in driver.picture())


async def until_under_the_cursor(driver: Driver) -> None:
    """Move down until the preview is of the forest."""
    await driver.until(lambda: "rf" in driver.picture())
    for _ in range(12):
        if FACT in driver.picture():
            return
        await driver.press("down")
