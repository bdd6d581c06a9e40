"""How tests drive the screens: open the console on an engine, press keys, wait for what must come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget

from console.config import Settings
from console.engine.api import EngineApi
from console.engine.local import Engine
from console.ui.app import ConsoleApp
from console.ui.screens.home import HomeScreen
from tests.ui.fed_engine import FedEngine
from tests.ui.feeder import Feeder

PATIENCE_SECONDS = 60.0


class Driver:
    """A running console."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each handled before the next."""
        for key in keys:
            await self.pilot.press(key)
            await self._through()

    async def rush(self, *keys: str) -> None:
        """Press keys all at once, as a slow line, a paste or a macro brings them."""
        for key in keys:
            self.app.post_message(Key(_character_to_key(key) if len(key) == 1 else key, key if len(key) == 1 else None))
        await self.pilot.pause()
        await self._through()

    async def _through(self) -> None:
        """Wait until every key has acted."""
        await self.pilot.pause()
        await self.until(lambda: not self.app.keys_in_turn.under_way, "the end of what a key set going")
        await self.pilot.pause()

    async def write(self, words: str) -> None:
        """Type text, character by character."""
        await self.press(*(_NAMES.get(char, char) for char in words))

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until `condition` holds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_SECONDS
        while not condition():
            if loop.time() > end:
                raise AssertionError(f"never came: {what or condition}\n\n{self.picture()}")
            await self.pilot.pause()
            await asyncio.sleep(0.01)

    async def ended(self) -> None:
        """Wait until the console has stopped."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_SECONDS
        while self.app.is_running:
            assert loop.time() < end, "it does not end"
            await asyncio.sleep(0)

    async def on(self, screen: type[Any]) -> Any:
        """Wait until a screen of this kind is on top; the screen."""
        await self.until(lambda: isinstance(self.app.screen, screen) and self.app.screen.is_mounted, screen.__name__)
        await self.pilot.pause()
        return self.app.screen

    def picture(self) -> str:
        """The picture on the terminal now, as plain text."""
        return "\n".join(strip.text.rstrip() for strip in self.strips())

    def strips(self) -> list[Strip]:
        """The picture on the terminal now."""
        compositor = self.app.screen._compositor
        return [Strip(line) for line in compositor.render_strips(self.app.size)]

    def widget(self, kind: type[Any]) -> Any:
        """The one widget of a kind on the top screen."""
        return cast(Widget, self.app.screen.query_one(kind))


_NAMES = {" ": "space", "/": "slash", ".": "full_stop", "!": "exclamation_mark", "(": "left_parenthesis", "-": "minus"}


@asynccontextmanager
async def console_on(
    engine: Engine | Feeder,
    size: tuple[int, int] = (120, 40),
    settings: Settings | None = None,
    *,
    toasts: bool = False,
    seen: Callable[[EngineApi], EngineApi] = lambda engine: engine,
    again: Callable[[], Awaitable[EngineApi]] | None = None,
) -> AsyncIterator[Driver]:
    """The console on an engine (or feeder), with the first screen there; toasts are shown where they are wanted.

    `seen` makes what the screens get of the engine, `again` finds it once it was lost.
    """

    async def opener(_on_failure: Callable[[Exception], None]) -> EngineApi:
        return seen(FedEngine(engine) if isinstance(engine, Feeder) else engine)

    app = ConsoleApp(engine.root, opener, settings, again=again)
    async with app.run_test(size=size, notifications=toasts) as pilot:
        driver = Driver(app, pilot)
        await driver.on(HomeScreen)
        yield driver
