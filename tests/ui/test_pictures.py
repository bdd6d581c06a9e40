"""Pictures of the main screens; the README shows the same files, so that it cannot lie."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from console.config import Settings, Theme
from console.ui.app import ConsoleApp
from console.ui.screens.home import HomeScreen
from tests.ui.demo_records import COMPARED, demo
from tests.ui.driving import Driver
from tests.ui.feeder import Feeder

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
}
"""Size, theme and keys that lead to the picture."""


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_picture(snap_compare: Any, name: str) -> None:
    size, theme, keys = PICTURES[name]
    feeder = Feeder() if name == "empty" else demo()
    feeder.compared["churn/rf.joblib"] = COMPARED

    async def opener() -> Any:
        return feeder

    async def before(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        driver = Driver(app, pilot)
        await driver.on(HomeScreen)
        await driver.until(lambda: "no models" in driver.picture() or "probing" in driver.picture())
        await driver.press(*keys)

    app = ConsoleApp(feeder.root, opener, Settings(theme=theme))
    assert snap_compare(app, terminal_size=size, run_before=before)
