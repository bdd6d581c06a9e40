"""Two parts that scroll: `tab` has the keys move the other one, and it can be seen which it is."""

from __future__ import annotations

import pytest

from console.ui.keys import BY_ID, key_for
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.history import HistoryScreen
from console.ui.screens.model import ModelScreen
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import TextPane
from tests.ui.demo_records import demo
from tests.ui.driving import Driver, console_on

PATH = "churn/rf.joblib"
FOOTER = f"{key_for('other-column')} {BY_ID['other-column'].label}"


async def opened(console: Driver) -> ModelScreen:
    """The model's screen with both columns there."""
    console.app.open_model(PATH)
    screen = await console.on(ModelScreen)
    assert isinstance(screen, ModelScreen)
    await console.until(lambda: "parameters" in console.picture() and "sandbox" in console.picture())
    return screen


async def test_tab_moves_between_the_columns_and_the_keys_move_the_one_in_focus() -> None:
    async with console_on(demo(), size=(160, 20)) as console:
        screen = await opened(console)
        what, how = screen.query_one("#what", TextPane), screen.query_one("#how", TextPane)
        await console.until(lambda: FOOTER in console.picture() and what.max_scroll_y > 2 and how.max_scroll_y > 1)
        await console.press("j", "j")
        assert (what.scroll_offset.y, how.scroll_offset.y) == (2, 0)
        await console.press("tab", "j")
        assert (what.scroll_offset.y, how.scroll_offset.y) == (2, 1)
        await console.press("G")
        assert how.scroll_offset.y == how.max_scroll_y > 1
        await console.press("g", "pagedown")
        assert how.scroll_offset.y > 1
        assert what.scroll_offset.y == 2
        await console.press("shift+tab", "k")
        assert what.scroll_offset.y == 1


async def test_the_column_in_focus_can_be_told_by_its_edge() -> None:
    async with console_on(demo(), size=(160, 30)) as console:
        screen = await opened(console)
        first = console.picture().splitlines()[6]
        await console.press("tab")
        await console.until(lambda: console.picture().splitlines()[6] != first)
        second = console.picture().splitlines()[6]
        assert (first.index("▌"), second.index("▌")) == (1, screen.query_one("#how").region.x)


async def test_where_nothing_moves_no_column_has_a_mark() -> None:
    async with console_on(demo(), size=(160, 60)) as console:
        screen = await opened(console)
        await console.until(lambda: "▌" not in console.picture())
        assert screen.query_one("#how", TextPane).max_scroll_y == 0
        await console.pilot.resize_terminal(160, 20)
        await console.until(lambda: "▌" in console.picture())


async def test_where_there_is_one_column_the_key_says_so_and_is_not_offered() -> None:
    async with console_on(demo(), size=(80, 24), toasts=True) as console:
        console.app.open_model(PATH)
        screen = await console.on(ModelScreen)
        what = screen.query_one("#what", TextPane)
        await console.until(lambda: screen.focused is what)
        assert FOOTER not in console.picture()
        assert "▌" not in console.picture()
        await console.press("tab")
        await console.until(lambda: "nothing stands beside it here" in console.picture())
        assert screen.focused is what


@pytest.mark.slow
async def test_a_column_that_goes_hands_the_keys_to_the_other() -> None:
    async with console_on(demo(), size=(160, 20)) as console:
        screen = await opened(console)
        await console.press("tab")
        await console.pilot.resize_terminal(80, 24)
        what = screen.query_one("#what", TextPane)
        await console.until(lambda: screen.focused is what and what.max_scroll_y > 1)
        await console.press("j")
        assert what.scroll_offset.y == 1


async def test_list_and_account_are_two_such_parts() -> None:
    async with console_on(demo(), size=(120, 24)) as console:
        await console.press("e")
        screen = await console.on(ErrorsScreen)
        await console.press("tab")
        await console.until(lambda: isinstance(screen.focused, TextPane))
        await console.press("tab")
        await console.until(lambda: isinstance(screen.focused, LineList))


@pytest.mark.parametrize("tab", ["4", pytest.param("5", marks=pytest.mark.slow)])
async def test_the_lists_of_a_model_as_well(tab: str) -> None:
    async with console_on(demo(), size=(120, 24)) as console:
        console.app.open_model("trouble/worker-dies.joblib" if tab == "4" else PATH)
        screen = await console.on(ModelScreen)
        await console.press(tab)
        await console.until(lambda: isinstance(screen.focused, LineList) and screen.other_column is not None)
        await console.press("tab")
        await console.until(lambda: isinstance(screen.focused, TextPane))


@pytest.mark.slow
async def test_the_versions_and_what_is_told_of_one() -> None:
    async with console_on(demo(), size=(120, 24)) as console:
        await console.press("h")
        screen = await console.on(HistoryScreen)
        await console.until(lambda: screen.other_column is not None)
        await console.press("tab")
        await console.until(lambda: isinstance(screen.focused, TextPane))
