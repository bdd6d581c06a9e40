"""With `--ascii` no sign beyond ASCII is on any screen, whatever the store's texts are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.config import Settings
from console.ui import text
from console.ui.ascii_signs import as_ascii
from console.ui.keys import ACTIONS, EVERYWHERE
from console.ui.screens.home import HomeScreen
from tests.ui.driving import console_on
from tests.ui.test_hostile import HOSTILE, assert_harmless
from tests.ui.test_hostile_everywhere import HostileFeeder, home, look, tour

pytestmark = pytest.mark.usefixtures("still_clock")


@pytest.fixture(autouse=True)
def _other_signs_afterwards() -> Iterator[None]:
    yield
    text.use_ascii(False)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_no_screen_pane_dialog_or_toast_shows_another_sign(size: tuple[int, int]) -> None:
    await tour((*HOSTILE, "Prüfung … → 幅 👩"), size, 1, plain=True)


async def test_the_first_screens_show_no_other_sign() -> None:
    async with console_on(HostileFeeder(["Prüfung", "幅"]), settings=Settings(ascii=True)) as console:
        await look(console)
        await look(console, "enter", "2")


@pytest.mark.slow
async def test_no_key_of_the_first_screen_brings_another_sign() -> None:
    async with console_on(HostileFeeder(["Prüfung", "幅"]), settings=Settings(ascii=True)) as console:
        for action in ACTIONS:
            if {"home", EVERYWHERE} & set(action.places) and "q" not in action.keys and not action.writes:
                await look(console, action.keys[0])
                await home(console)
        await console.on(HomeScreen)
        assert_harmless(console)


def test_a_sign_takes_as_many_cells_as_before() -> None:
    assert as_ascii("a…→幅é█│╭e\u0301") == "a.-???#|+e"
