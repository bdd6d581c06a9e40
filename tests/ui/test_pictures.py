"""Pictures of the main screens; the README shows the same files, so that it cannot lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from backends.core.inspection import Signature
from console.config import Settings, Theme
from console.records import DataColumns, Expected
from console.serving.worker_logs import WorkerLog
from console.ui.app import ConsoleApp
from console.ui.dialogs.target import TargetScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from tests.ui.demo_records import COMPARED, NOW, demo, recorded
from tests.ui.driving import Driver
from tests.ui.fed_engine import fed
from tests.ui.feeder import Feeder
from tests.ui.measured import Clock
from tests.ui.test_requests import asked, served

pytestmark = pytest.mark.usefixtures("still_clock")

PICTURES: dict[str, tuple[tuple[int, int], Theme, tuple[str, ...]]] = {
    "home": ((120, 32), "", ()),
    "home-small": ((80, 24), "", ("exclamation_mark",)),
    "home-light": ((120, 32), "console-light", ("exclamation_mark",)),
    "home-16-colours": ((100, 30), "ansi-dark", ("exclamation_mark", "exclamation_mark", "exclamation_mark")),
    "errors": ((120, 36), "", ("e", "j")),
    "update": ((100, 30), "", ("u",)),
    "question": ((80, 24), "", ("h", "j", "B")),
    "help-small": ((80, 24), "", ("question_mark",)),
    "empty": ((80, 24), "", ()),
    "charts": ((160, 48), "", ("C",)),
    "data": ((80, 24), "", ()),
    "output": ((80, 24), "", ()),
    "requests": ((120, 32), "", ()),
    "serving": ((100, 24), "console-light", ("T",)),
}
"""Size, theme and keys that lead to the picture."""

MODEL = "churn/rf.joblib"
INPUTS = ("tenure_months", "plan", "monthly_charge", "support_calls")


async def columns() -> tuple[DataColumns, Expected]:
    """A file with the inputs of the model, and one column more."""
    return DataColumns((*INPUTS, "churned"), 5), Expected(Signature(4, INPUTS))


OPENED: dict[str, Callable[[], Screen[Any]]] = {
    "data": lambda: TargetScreen(MODEL, "churn/data/churn-holdout.csv", columns),
    "output": lambda: ModelScreen(MODEL, "output"),
    "requests": lambda: ModelScreen(MODEL, "live"),
}
"""Screens that no key leads to in a store of records alone."""
SEEN = {
    "charts": "in sight",
    "data": "all 4 columns",
    "output": "following",
    "requests": "requests 48/s",
    "serving": "12,000 answered",
}


def log() -> WorkerLog:
    """The output of a worker."""
    written = WorkerLog(lambda: NOW)
    written.begin(4242)
    written.take(4242, 1, b"loading features from churn/features.py\n")
    written.take(4242, 2, b"UserWarning: X has no valid feature names, but the forest was fitted with some\n")
    for rows in range(10, 60, 10):
        written.take(4242, 1, b"predict: %d rows\n" % rows)
    return written


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_picture(snap_compare: Any, name: str) -> None:
    size, theme, keys = PICTURES[name]
    feeder = Feeder() if name == "empty" else demo()
    feeder.compared[MODEL] = COMPARED
    feeder.logs[MODEL] = log()
    if name in ("requests", "serving"):
        feeder = asked(driven=True)
        feeder.recorders[MODEL] = served(Clock(), probe=True, requests=True)
    if name == "charts":
        for path, seconds in (("digits/mlp.h5", 30), ("housing/boost.joblib", 90), ("iris/svm.pkl", 60)):
            feeder.views[path] = replace(feeder.views[MODEL], path=path)
            feeder.probes[path] = feeder.probes[MODEL]
            feeder.recorders[path] = recorded(seconds)

    async def before(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        driver = Driver(app, pilot)
        await driver.on(HomeScreen)
        await driver.until(lambda: "no models" in driver.picture() or "probing" in driver.picture())
        await driver.press(*keys)
        if name in OPENED:
            await app.push_screen(OPENED[name]())
            for line in app.screen.query(Input):
                line.cursor_blink = False
        await driver.until(lambda: SEEN.get(name, "") in driver.picture())

    app = ConsoleApp(feeder.root, fed(feeder), Settings(theme=theme))
    assert snap_compare(app, terminal_size=size, run_before=before)
