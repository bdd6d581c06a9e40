"""Screens whose engine is asked and answers in bytes alone, as an engine in another process would be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.ui.app import ConsoleApp
from tests.engine.through_bytes import through_bytes
from tests.ui.demo_records import COMPARED, demo
from tests.ui.driving import console_on

pytestmark = pytest.mark.usefixtures("still_clock")

MODEL = "churn/rf.joblib"
SCREENS: dict[str, tuple[Callable[[ConsoleApp], object], tuple[str, ...]]] = {
    "errors": (lambda app: app.show("errors", None), ("Segmentation fault", "trouble/predict-raises.joblib")),
    "trust": (lambda app: app.show("trust", MODEL), ("Every byte was read",)),
    "sandbox": (lambda app: app.show("sandbox", MODEL), ("8 of 9 layers hold", "start it where control groups")),
    "history": (lambda app: app.show("history", MODEL), ("0.9312",)),
    "update": (lambda app: app.show("update", MODEL), ("the candidate does not meet the gate", "+0.0065")),
    "charts": (lambda app: app.show("charts"), ("in sight", "p99     1.5 ms")),
    "overview": (lambda app: app.open_model(MODEL, "overview"), ("n_estimators", "sklearn.ensemble._forest")),
    "live": (lambda app: app.open_model(MODEL, "live"), ("912 calls", "churn-holdout.csv", "⣿")),
    "try": (lambda app: app.open_model(MODEL, "try"), ("nothing is known of the data of churn/rf.joblib",)),
}
"""How a screen is opened, and words of it that only the engine knows."""


@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_needs_nothing_but_bytes(name: str) -> None:
    feeder = demo()
    feeder.compared[MODEL] = COMPARED
    opened, words = SCREENS[name]
    async with console_on(feeder, seen=through_bytes) as console:
        await console.until(lambda: "probing" in console.picture())
        opened(console.app)
        await console.until(lambda: all(word in console.picture() for word in words), f"{words} of {name}")
