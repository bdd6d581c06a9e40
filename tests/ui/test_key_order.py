"""Keys that come all at once act as if they came one by one: each goes to where those before it have led."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste
from textual.widgets import Input

from console.ui.screens.help import HelpScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.filter_bar import FilterBar
from tests.ui.demo_records import demo
from tests.ui.driving import console_on

pytestmark = pytest.mark.usefixtures("still_clock")


async def test_a_key_right_behind_a_filter_is_about_what_the_filter_keeps() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.rush(*"/svm", "enter", "l")
        assert not console.widget(FilterBar).has_class("open")
        assert console.app.rows.filter.pattern == "svm"
        await console.until(lambda: feeder.asked)
    assert feeder.asked == [("load", "iris/svm.pkl", "", "")]


async def test_a_filter_is_dropped_with_everything_that_was_typed() -> None:
    async with console_on(demo()) as console:
        await console.rush(*"/svm", "escape", "G")
        assert not console.widget(FilterBar).has_class("open")
        assert console.app.rows.filter.pattern == console.app.rows.asked.wanted.pattern == ""
        assert console.widget(ArtifactTable).index == 11


async def test_keys_that_change_a_line_change_what_stood_there_when_they_were_pressed() -> None:
    async with console_on(demo()) as console:
        await console.rush(*"/svx", "backspace", "m", "home", "i", "end", "x")
        assert console.widget(Input).value == "isvmx"


async def test_a_command_in_one_packet_is_typed_and_the_next_key_goes_to_what_it_opens() -> None:
    async with console_on(demo(), (80, 24)) as console:
        await console.rush(*":sort -size", "enter", *":history churn/rf", "enter", "escape", "enter", "2")
        screen = await console.on(ModelScreen)
        await console.until(lambda: screen.tab == "live")
        assert (console.app.rows.sort, console.app.rows.reverse) == ("size", True)
        await console.rush("?", *"/mark", "enter", "n", "escape")
        assert isinstance(console.app.screen, ModelScreen)
        await console.rush("escape", "?")
        await console.on(HelpScreen)
        await console.rush("escape", "q")
        await console.ended()


async def test_what_was_pasted_keeps_its_place_among_the_keys() -> None:
    async with console_on(demo()) as console:
        for event in (Paste("none of these keys"), Key("slash", "/"), Paste("sv")):
            console.app.post_message(event)
        await console.rush("m", "enter")
        assert isinstance(console.app.screen, HomeScreen)
        assert console.app.rows.filter.pattern == "svm"
