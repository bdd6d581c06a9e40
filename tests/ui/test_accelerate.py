"""The dialog of an export: progress, table, word; leaving stops the making."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from console.errors import ConsoleError, NeedsReviewError, OperationError, UsageError
from console.records import OnnxComparison, OnnxTiming, Version
from console.trust.roles import Permission, Role
from console.ui.dialogs.accelerate import AccelerateScreen
from console.ui.dialogs.confirm import TypedYesScreen
from console.ui.screens.model import ModelScreen
from tests.ui.driving import Driver
from tests.ui.test_model_screen import FOREST, Answering, model

SIZES = ((1, 26.1, 0.027), (10, 27.0, 0.14), (100, 28.9, 1.3), (1_000, 45.0, 12.6), (10_000, 210.0, 240.0))
FOUND = OnnxComparison(
    "float32",
    100_000,
    0,
    2.6e-8,
    tuple(OnnxTiming(name, *one) for name in ("predict", "predict_proba") for one in SIZES),
    {"onnx": "1"},
    310_000,
    "wine/forest.onnx",
)


class Making(Answering):
    """Says `compared` when `go` is set, or raises it."""

    def __init__(self, outcome: OnnxComparison | ConsoleError) -> None:
        super().__init__()
        self.outcome = outcome
        self.go = asyncio.Event()
        self.done: list[str] = []

    async def accelerate(
        self,
        path: str,
        *,
        at: str = "",
        accept: str | None = None,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> OnnxComparison:
        on_phase("comparing in float32")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.done.append("cancelled")
            raise
        if isinstance(self.outcome, ConsoleError) and accept is None:
            raise self.outcome
        return FOUND

    async def write_export(self, path: str) -> Version:
        self.done.append(f"written {path}")
        return Version(3, "sha256:00", 0.0, "ann", "exported", 310_000, current=True)

    async def discard_export(self, path: str) -> None:
        self.done.append(f"discarded {path}")


def told(driver: Driver) -> str:
    """The toasts."""
    return "\n".join(one.message for one in driver.app._notifications)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
async def test_the_table_is_shown_and_a_yes_writes_the_export(size: tuple[int, int]) -> None:
    feeder = Making(FOUND)
    async with model(feeder, size=size) as (driver, _):
        await driver.press("A")
        await driver.on(AccelerateScreen)
        await driver.until(lambda: "comparing in float32" in driver.picture())
        await driver.press("y")
        assert feeder.done == []
        feeder.go.set()
        await driver.until(lambda: "Write it" in driver.picture())
        seen = driver.picture()
        times = ("26 ms", "0.03 ms") if size[0] >= 80 else ()
        for words in (*times, "10,000", "967x", "0.9x", "100,000 rows no label differs"):
            assert words in seen
        assert "Write it" in seen
        assert driver.app.focused is not None
        assert driver.app.focused.id == "no"
        await driver.press("y")
        await driver.until(lambda: feeder.done == [f"written {FOREST}"])
        await driver.until(lambda: "is written: version 3" in told(driver))


async def test_enter_alone_writes_nothing() -> None:
    feeder = Making(FOUND)
    feeder.go.set()
    async with model(feeder) as (driver, _):
        await driver.press("A")
        await driver.until(lambda: "Write it" in driver.picture())
        await driver.press("enter")
        await driver.on(ModelScreen)
        await driver.until(lambda: feeder.done == [f"discarded {FOREST}"])


async def test_leaving_stops_the_making() -> None:
    feeder = Making(FOUND)
    async with model(feeder) as (driver, _):
        await driver.press("A")
        await driver.until(lambda: "comparing in float32" in driver.picture())
        await driver.press("escape")
        await driver.on(ModelScreen)
        await driver.until(lambda: sorted(feeder.done) == ["cancelled", f"discarded {FOREST}"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OperationError("\x1b[31mno ONNX export answers like this model: 3 of 6,000 labels differ"),
            "3 of 6,000 labels",
        ),
        (UsageError("no rows to compare it on", hint="name some in the recipe's [data]"), "in the recipe's [data]"),
    ],
)
async def test_a_model_without_an_export_says_why(error: ConsoleError, words: str) -> None:
    feeder = Making(error)
    feeder.go.set()
    async with model(feeder, size=(80, 24)) as (driver, _):
        await driver.press("A")
        await driver.until(lambda: words in driver.picture())
        assert "Write it" not in driver.picture()
        assert "Close" in driver.picture()
        await driver.press("y")
        await driver.press("escape")
        await driver.on(ModelScreen)


async def test_what_wants_a_review_asks_for_it_first() -> None:
    feeder = Making(NeedsReviewError("it names what is not on the list"))
    feeder.go.set()
    async with model(feeder) as (driver, _):
        await driver.press("A")
        await driver.on(TypedYesScreen)
        await driver.write("yes")
        await driver.press("enter")
        await driver.until(lambda: "Write it" in driver.picture())
        await driver.press("y")
        await driver.until(lambda: f"written {FOREST}" in feeder.done)


async def test_read_only_mode_and_a_role_that_may_not_take_it_away() -> None:
    feeder = Making(FOUND)
    feeder.read_only = True
    async with model(feeder) as (driver, screen):
        await driver.press("A")
        assert driver.app.screen is screen
    feeder = Making(FOUND)
    feeder.permission = Permission(Role.VIEW, "ada", {"operate": ("ml-oncall",)}, "the policy")
    async with model(feeder) as (driver, screen):
        await driver.press("A")
        assert driver.app.screen is screen
        assert "needs the role operate (group ml-oncall)" in told(driver)
