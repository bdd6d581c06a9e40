"""The screen that the command line names, once its model is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.errors import ConsoleError
from console.safe_text import safe
from console.start import Start
from console.ui.screens.about import AboutScreen
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.finding import Finder

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

_LOOKED_THROUGH = ("store.scanned", "store.offline")


async def show_first(app: ConsoleApp, home: ConsoleScreen, start: Start) -> None:
    """Open it above the first screen, unless the operator has gone elsewhere meanwhile; say why it cannot be.

    A model that no earlier session knew is waited for until the store has been looked through.
    """
    finder = Finder(home)
    action = finder.action(start.screen)
    if action is None:
        return
    if not start.model:
        home.action_do(action.id)
        return
    path = await _path_of(app, finder, start.model)
    if path is not None and home.is_current:
        home.go_to(path)
        about = AboutScreen(path)
        objection = about.objection(action.id)
        if objection is None:
            about.action_do(action.id)
        else:
            app.say_error(ConsoleError(objection))


async def _path_of(app: ConsoleApp, finder: Finder, name: str) -> str | None:
    """The model that is called so; None, and a word about it, where there is none or are several."""
    mirror, before = app.mirror, app.mirror.last
    found, _some, count = await finder.models(name)
    if found is None and not count:
        await mirror.until(lambda: any(one.kind in _LOOKED_THROUGH and one.number > before for one in mirror.events))
        found, _some, count = await finder.models(name)
    if found is None:
        words = f"{count} models are called" if count else "no model is called"
        app.say(f"--screen: {words} {safe(name, 80)}{await finder.meant(name) if not count else ''}", "warning")
        return None
    return found.path
