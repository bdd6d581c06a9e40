"""The action table is complete, free of clashes, and what the screens really do."""

from __future__ import annotations

import pytest

from console.trust.roles import NEEDS, Permission, Role
from console.ui import text
from console.ui.keys import ACTIONS, BY_ID, EVERYWHERE, bindings_at, markdown, shown_keys
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.charts import ChartsScreen
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.events import EventsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.history import HistoryScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.update import UpdateScreen
from tests.ui.demo_records import COMPARED, demo
from tests.ui.driving import console_on

SCREENS: dict[str, type[ConsoleScreen]] = {
    screen.PLACE: screen
    for screen in (
        HomeScreen,
        ModelScreen,
        ChartsScreen,
        ErrorsScreen,
        EventsScreen,
        HelpScreen,
        HistoryScreen,
        UpdateScreen,
    )
}


def test_every_id_stands_once() -> None:
    assert len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("place", sorted(SCREENS))
def test_a_screen_has_a_method_for_each_of_its_actions(place: str) -> None:
    for action in ACTIONS:
        if place in action.places or EVERYWHERE in action.places:
            assert SCREENS[place]._has(action.id), f"{place} lacks {action.id}"


@pytest.mark.parametrize("place", sorted(SCREENS))
def test_no_key_means_two_things_on_one_screen(place: str) -> None:
    taken: dict[str, str] = {}
    for action in ACTIONS:
        own = place in action.places
        shadowed = any(place in other.places and set(other.keys) & set(action.keys) for other in ACTIONS)
        if own or ({EVERYWHERE, "list", "text"} & set(action.places) and not shadowed):
            for key in action.keys:
                assert key not in taken, f"{key} is both {taken.get(key)} and {action.id} on {place}"
                taken[key] = action.id


def test_what_destroys_is_far_from_what_is_frequent() -> None:
    for action in ACTIONS:
        if action.dangerous and action.writes:
            assert all(key.isupper() for key in action.keys), f"{action.id} is too easy to press"
            assert not any(key.startswith("ctrl") for key in action.keys)


def test_the_list_for_the_readme_names_every_action() -> None:
    table = markdown()
    assert all(action.help in table for action in ACTIONS)
    assert table.count("\n") == len(ACTIONS) + 2


def test_bindings_come_from_the_table() -> None:
    home = {binding.action for binding in bindings_at("home")}  # type: ignore[union-attr]
    assert "do('load')" in home
    assert "do('promote')" not in home


async def test_read_only_takes_away_what_writes() -> None:
    feeder = demo()
    feeder.read_only = True
    feeder.compared["churn/rf.joblib"] = COMPARED
    async with console_on(feeder) as console:
        assert not console.app.screen.allowed("update")  # type: ignore[attr-defined]
        assert console.app.screen.allowed("unload")  # type: ignore[attr-defined]
        assert "READ-ONLY" in console.picture()
        await console.press("u")
        assert isinstance(console.app.screen, HomeScreen)
        await console.press("h", "j", "B")
        assert isinstance(console.app.screen, HistoryScreen)
        console.app.push_screen(UpdateScreen("churn/rf.joblib"))
        await console.on(UpdateScreen)
        await console.press("P", "D")
        await console.on(UpdateScreen)
    assert feeder.asked == []


async def test_who_may_only_view_keeps_the_keys_that_look_and_is_told_why_of_the_others() -> None:
    feeder = demo()
    feeder.permission = Permission(Role.VIEW, "ada", {"operate": ("ml-oncall",)}, "the policy")
    async with console_on(feeder) as console:
        screen = console.app.screen
        for action in ("load", "unload", "probe", "update"):
            assert not screen.allowed(action)  # type: ignore[attr-defined]
        assert screen.allowed("history")  # type: ignore[attr-defined]
        assert "may view" in console.picture()
        await console.press("l")
        told = next(iter(console.app._notifications))
        assert told.message.endswith("loading needs the role operate (group ml-oncall)")
        await console.press("u")
        assert isinstance(console.app.screen, HomeScreen)
    assert feeder.asked == []


def test_every_permission_that_an_action_needs_is_in_the_table_of_roles() -> None:
    assert {action.needs for action in ACTIONS if action.needs} <= set(NEEDS)
    assert all(action.needs for action in ACTIONS if action.writes)


def test_keys_are_named_in_words_where_there_are_no_arrows() -> None:
    text.use_ascii(True)
    try:
        assert shown_keys(BY_ID["down"]) == "j down"
        assert "".join(map(shown_keys, ACTIONS)).isascii()
    finally:
        text.use_ascii(False)
