"""Exports from the screens: data as csv, and any screen as it is seen."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from console.config import Settings, state_dir
from console.ui.dialogs.confirm import ConfirmScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.palette import PaletteScreen
from tests.ui.demo_records import demo
from tests.ui.driving import Driver, console_on
from tests.ui.test_hostile import HOSTILE
from tests.ui.test_hostile_everywhere import HostileFeeder

pytestmark = pytest.mark.usefixtures("still_clock")


def told(console: Driver) -> str:
    return "\n".join(note.message for note in console.app._notifications)


async def saved(console: Driver, key: str, *endings: str) -> list[str]:
    """Press a key, wait until files with these endings are there; what is in them."""
    folder = state_dir() / "exports"
    before = set(folder.glob("[!.]*"))

    def new() -> list[Path]:
        return sorted(set(folder.glob("[!.]*")) - before)

    await console.press(key)
    await console.until(lambda: len(new()) == len(endings), "the files")
    assert [path.suffix for path in new()] == sorted(endings)
    await console.until(lambda: str(new()[0].with_suffix("")) in told(console), "where they are")
    assert {path.stat().st_mode & 0o777 for path in new()} == {0o600}
    return [path.read_text("utf-8") for path in new()]


def words(svg: str) -> str:
    return "".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ")


@pytest.mark.parametrize("size", [(80, 24), pytest.param((160, 48), marks=pytest.mark.slow)])
async def test_a_screen_is_saved_as_it_is_seen(size: tuple[int, int]) -> None:
    async with console_on(demo(), size) as console:
        before = console.picture()
        svg, text = await saved(console, "ctrl+s", ".svg", ".txt")
        assert text in (f"{before}\n", f"{console.picture()}\n")
        assert "churn/rf.joblib" in words(svg)
        assert not re.search(r"url\((?!#)|https?://(?!www\.(w3\.org|textualize\.io))", svg)


async def test_dialogs_lists_and_toasts_are_saved_with_what_lies_below() -> None:
    async with console_on(demo(), (80, 24), toasts=True) as console:
        await console.press("h", "j", "B")
        await console.on(ConfirmScreen)
        _, text = await saved(console, "ctrl+s", ".svg", ".txt")
        assert "Put version 2 of churn/rf.joblib back in place?" in text
        assert "versions of" in text
        await console.until(lambda: "screen:" in console.picture(), "the toast")
        _, text = await saved(console, "ctrl+s", ".svg", ".txt")
        assert "screen:" in text
        await console.press("escape", "escape", "escape", ":")
        await console.on(PaletteScreen)
        _, text = await saved(console, "ctrl+s", ".svg", ".txt")
        assert "unload" in text
        assert "back in place?" not in text


@pytest.mark.slow
async def test_the_list_of_commands_finds_both() -> None:
    async with console_on(demo(), (120, 40)) as console:
        console.app.push_screen(ModelScreen("churn/rf.joblib", "live"))
        await console.on(ModelScreen)
        await console.press(":")
        await console.on(PaletteScreen)
        await console.write("csv file")
        await console.until(lambda: "Write what the charts" in console.picture())
        await console.press("enter")
        await console.until(lambda: "steps of 0.5 s of churn/rf.joblib" in told(console))


async def test_ascii_stays_ascii_and_hostile_names_make_no_broken_picture() -> None:
    async with console_on(HostileFeeder([*HOSTILE, "Prüfung"]), settings=Settings(ascii=True)) as console:
        for keys in ((), ("enter",)):
            await console.press(*keys)
            svg, text = await saved(console, "ctrl+s", ".svg", ".txt")
            assert text.isascii()
            assert words(svg)


async def test_the_data_of_the_charts_is_saved() -> None:
    async with console_on(demo(), (120, 40)) as console:
        console.app.push_screen(ModelScreen("churn/rf.joblib"))
        await console.on(ModelScreen)
        await console.press("E")
        assert "export: only under live" in told(console)
        await console.press("2")
        await console.until(lambda: "latency" in console.picture(), "the charts")
        (table,) = await saved(console, "E", ".csv")
        assert table.startswith("time_utc,epoch_s,step_s,calls,rows,errors,rate_per_s,batch_rows,p50_ms,")
        assert "0.5,5,5,0,10,1," in table.splitlines()[3]
        await console.press("-")
        (wider,) = await saved(console, "E", ".csv")
        assert "1,10,10,0,10,1," in wider.splitlines()[3]


async def test_where_nothing_was_measured_that_is_said() -> None:
    async with console_on(demo(), (120, 40)) as console:
        console.app.push_screen(ModelScreen("iris/svm.pkl", "live"))
        screen = await console.on(ModelScreen)
        await console.until(lambda: screen.tab == "live" and "latency" in console.picture())
        await console.press("E")
        assert "export: nothing is measured" in told(console)
    assert not (state_dir() / "exports").exists()


async def test_a_disk_that_takes_nothing_is_told_in_a_sentence() -> None:
    state_dir().mkdir(parents=True)
    (state_dir() / "exports").write_text("no directory")
    async with console_on(demo()) as console:
        await console.press("question_mark")
        await console.on(HelpScreen)
        await console.press("ctrl+s")
        await console.until(lambda: "cannot write into" in told(console))
        assert "XDG_STATE_HOME" in told(console)
