"""The one table of the screens that a key opens: name, class, key, and what each is about.

It lies beneath the command line and the screens, which both read it. A class is imported when its screen is first
opened.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class ScreenSpec(NamedTuple):
    """A screen over the first one. `name` is its word for `--screen` and `:`, the id of its action and its place.

    `target` is its class, `module:class` beneath `console.ui.screens`. `about` says whether it shows the store, one
    model, or either; a screen that can be about a model is made with its path, or None. One that is `kept` is made once
    and shows what is new by itself, the others are made each time. The rest is its row of the action table.
    """

    name: str
    target: str
    about: Literal["store", "model", "either"]
    keys: str
    help: str
    kept: bool = False
    group: str = "Look"
    label: str = ""
    places: str = "everywhere"
    needs: str = ""
    writes: bool = False


_ABOUT_ONE = "home model"

SCREENS: dict[str, ScreenSpec] = {
    screen.name: screen
    for screen in (
        ScreenSpec("charts", "charts:ChartsScreen", "store", "C", "Show small charts of all loaded models", kept=True),
        ScreenSpec("events", "events:EventsScreen", "store", "v", "Show what happened and who did it", kept=True),
        ScreenSpec(
            "jobs",
            "jobs:JobsScreen",
            "store",
            "J",
            "Show what takes long: updates, conversions, exports, and what came of them",
            kept=True,
        ),
        ScreenSpec(
            "serving",
            "serving:ServingScreen",
            "store",
            "T",
            "Show what answers other programs: versions, copies, requests",
            kept=True,
        ),
        ScreenSpec(
            "history",
            "history:HistoryScreen",
            "model",
            "h",
            "Show the versions of the model",
            group="Update",
            places=_ABOUT_ONE,
        ),
        ScreenSpec(
            "diff",
            "differences:DifferencesScreen",
            "model",
            "d",
            "Show how two models differ: the two that are marked, or the marked one and the one under the cursor",
            places="home diff",
        ),
        ScreenSpec(
            "trust",
            "trust:TrustScreen",
            "model",
            "t",
            "Show why the verdict, what it would take, and what is new since the last version",
            label="why",
            places=f"{_ABOUT_ONE} trust",
        ),
        ScreenSpec(
            "update",
            "update:UpdateScreen",
            "model",
            "u",
            "Retrain the model and compare the candidate with it",
            group="Update",
            places=_ABOUT_ONE,
            needs="update",
            writes=True,
        ),
        ScreenSpec("errors", "errors:ErrorsScreen", "either", "e", "Show what failed, with its traceback"),
        ScreenSpec(
            "sandbox", "sandbox:SandboxScreen", "either", "b", "Show the layers around a worker, with their evidence"
        ),
        ScreenSpec("help", "help:HelpScreen", "store", "?", "Show all keys", kept=True, group="Console"),
    )
}
"""In the order in which the command line lists them."""

OF_STORE: tuple[str, ...] = ("home", *(name for name, screen in SCREENS.items() if screen.about != "model"))
"""Names of what needs no model."""
OF_MODEL: tuple[str, ...] = (
    *("model", "live", "try", "output", "versions"),
    *(name for name, screen in SCREENS.items() if screen.about != "store"),
)
"""Names of what can be about one model: its screen, tabs of it, and screens beside it."""
NAMES: tuple[str, ...] = (*OF_STORE, *(name for name in OF_MODEL if name not in OF_STORE))
