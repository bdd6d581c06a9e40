"""A console at which nobody does anything is woken by nothing but its clocks."""

from __future__ import annotations

import selectors
import threading

from textual.widgets import Input

from console.ui.exit_event import ExitEvent
from console.ui.screens.events import EventsScreen
from console.ui.screens.palette import PaletteScreen
from tests.ui.demo_records import demo
from tests.ui.driving import console_on


def test_a_selector_wakes_when_the_end_comes_and_not_before() -> None:
    event = ExitEvent()
    with selectors.SelectSelector() as selector:
        selector.register(event, selectors.EVENT_READ)
        assert not selector.select(0)
        threading.Thread(target=event.set).start()
        assert selector.select(60)
        assert event.wait(60)
        event.set()
        event.clear()
        event.clear()
        assert not event.is_set()
        assert not selector.select(0)


async def test_a_cursor_that_nobody_sees_does_not_blink() -> None:
    async with console_on(demo(), (80, 24)) as console:
        await console.press("colon")
        palette: PaletteScreen = await console.on(PaletteScreen)

        def blinks() -> bool:
            timer = palette.query_one(Input)._blink_timer
            return timer is not None and timer._active.is_set()

        await console.until(blinks)
        await console.press("escape", "v")
        await console.on(EventsScreen)
        await console.until(lambda: not blinks())
        await console.press("escape", "colon", "x")
        await console.on(PaletteScreen)
        await console.until(blinks)
