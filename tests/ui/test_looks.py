"""Faults of looks: clipped words, columns that break, text against a scrollbar."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.content import Content
from textual.widgets import Input

from console.records import Verdict
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.events import EventsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.palette import PaletteScreen
from console.ui.screens.update import UpdateScreen
from console.ui.widgets.keyvalue import pairs
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import Hanging, TextPane, wrapped
from console.ui.widgets.versions import version_lines
from tests.ui.demo_records import COMPARED, RAISED, artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")

SMALL, WIDE = (80, 24), (160, 48)


async def test_what_wraps_hangs_under_its_own_column() -> None:
    line = Hanging(Content("  name   a value that is longer than there is room for"), 9)
    assert [part.plain for part in wrapped(line, 30)] == [
        "  name   a value that is",
        "         longer than there is",
        "         room for",
    ]


async def test_what_has_no_room_in_its_column_hangs_under_its_own_start() -> None:
    line = Hanging(Content("  a name that fills the line   and its value"), 31)
    assert [part.plain for part in wrapped(line, 32)] == ["  a name that fills the line", "    and its value"]


async def test_a_gate_stands_in_columns_in_a_small_terminal_and_what_is_not_met_comes_first() -> None:
    feeder = demo()
    met, unmet = COMPARED.gate[0], replace(COMPARED.gate[0], passed=False, condition="another content", detail="same")
    long = replace(met, condition="f1 not worse by more than 0.005", detail="0.814568 now, 0.826896 for the candidate")
    feeder.compared["churn/rf.joblib"] = replace(COMPARED, gate=(met, long, unmet))
    async with console_on(feeder, size=SMALL) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        lines = console.picture().splitlines()
    first = next(number for number, line in enumerate(lines) if "another content" in line)
    here = next(number for number, line in enumerate(lines) if "not worse by more" in line)
    assert first < here
    column = lines[first].index("same")
    assert lines[here].index("0.814568") == column
    assert lines[here + 1][column:].startswith(("for", "candidate", "the"))
    assert not lines[here + 1][1:column].strip()


async def test_no_text_touches_a_scrollbar() -> None:
    feeder = demo()
    feeder.failed.append(replace(RAISED, id=9, stderr="x" * 1900 + "\n" + "x" * 1900))
    async with console_on(feeder, size=SMALL) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        pane = console.widget(TextPane)
        await console.press("enter", "G")
        assert pane.scroll_offset.y > 0
        before_the_bar = pane.scrollable_content_region.right - 1
        rows = console.picture().splitlines()[pane.region.y : pane.region.bottom]
        assert any(row[:before_the_bar].endswith("xxx") for row in rows)
        assert {row[before_the_bar : before_the_bar + 1] for row in rows} <= {" ", ""}


async def test_a_list_cuts_its_lines_before_the_scrollbar() -> None:
    feeder = demo()
    for number in range(40):
        feeder.say("worker.ready", "", f"{number} " + "said at length " * 10)
    async with console_on(feeder, size=SMALL) as console:
        await console.press("v")
        await console.on(EventsScreen)
        listed = console.widget(LineList)
        await console.until(lambda: listed.max_scroll_y > 0 and "said at length" in console.picture())
        row = console.picture().splitlines()[listed.region.y]
        end = listed.scrollable_content_region.right
    assert row[:end].endswith("… ")


async def test_the_help_keeps_its_notes_whole() -> None:
    for size in (SMALL, (100, 30), WIDE):
        async with console_on(demo(), size=size) as console:
            await console.press("question_mark")
            await console.on(HelpScreen)
            for line in console.widget(TextPane).plain.splitlines():
                assert line.count("(") == line.count(")") or "leading !" in line or line.split()[0] in "()", line
                assert ("asks" in line) == ("asks first" in line), line


async def test_failures_of_a_model_stand_above_their_account_in_a_wide_terminal_too() -> None:
    async with console_on(demo(), size=WIDE) as console:
        await opened(console, "trouble/predict-raises.joblib", "4")
        errors = console.app.screen.query_one("#errors")
        await console.until(lambda: errors.display)
        listed, account = errors.query_one(LineList), errors.query_one(TextPane)
        await console.until(lambda: account.region.width > 0)
        assert listed.region.width == account.region.width > 150
        assert listed.region.bottom <= account.region.y


async def test_the_list_of_failures_takes_no_more_room_than_it_needs() -> None:
    feeder = demo()
    del feeder.failed[1:]
    async with console_on(feeder, size=SMALL) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        await console.until(lambda: console.widget(LineList).region.height == 1)
        assert console.widget(TextPane).region.height > 14


async def test_a_refused_file_is_offered_no_load() -> None:
    async with console_on(demo(), size=SMALL) as console:
        await opened(console, "inbox/unknown.pkl", "1")
        for key, tab in (("1", "overview"), ("2", "live"), ("3", "try")):
            await console.press(key)
            await console.until(lambda tab=tab: console.app.screen.query_one(f"#{tab}").display)  # type: ignore[misc]
            seen = console.picture()
            assert "l load" not in seen
            assert "p drives" not in seen
            assert "t why" in seen.splitlines()[-1]


async def test_charts_say_what_happened_while_another_tab_was_open() -> None:
    path, feeder = "trouble/worker-dies.joblib", demo()
    ended = feeder.views.pop(path)
    async with console_on(feeder, size=SMALL) as console:
        await opened(console, path, "2")
        await console.until(lambda: console.picture().count("l loads it, p drives it") == 4)
        await console.press("3")
        await console.until(lambda: console.app.screen.query_one("#try").display)
        feeder.views[path] = ended
        feeder.say("worker.error", path, "it died", "failure")
        await console.press("2")
        await console.until(lambda: console.picture().count("ended: r tries again") == 4)
        assert "r reload" in console.picture().splitlines()[-1]


async def test_the_name_of_a_model_is_whole_where_there_is_room_for_it() -> None:
    path = "legacy/forest-of-the-quarter-before-the-last.joblib"
    feeder = Feeder([artifact(path, 1, 1, "joblib", None, Verdict.SAFE)])
    async with console_on(feeder, size=SMALL) as console:
        await opened(console, path, "1")
        assert path in console.picture().splitlines()[0]


async def test_a_click_in_the_palette_runs_what_was_clicked_or_nothing() -> None:
    feeder = demo()
    for number in range(60_000):
        path = f"zoo/model-with-a-long-name-{number:05}.joblib"
        feeder.rows[path] = artifact(path, 1, 1, "joblib", None, Verdict.SAFE)
    async with console_on(feeder) as console:
        await console.press("colon")
        palette = await console.on(PaletteScreen)
        listed = palette.query_one(LineList)
        await console.until(lambda: listed.key is not None)
        shown = listed.key
        palette.query_one(Input).value = "long-name-59999"
        listed.post_message(LineList.Chosen(shown))
        await console.until(lambda: listed.key == ("model", "zoo/model-with-a-long-name-59999.joblib"))
        await console.pilot.pause()
        assert console.app.screen is palette
        listed.post_message(LineList.Chosen(listed.key))
        screen = await console.on(ModelScreen)
        assert screen.subject == "zoo/model-with-a-long-name-59999.joblib"


def test_names_and_values_are_cut_with_a_mark_and_line_up() -> None:
    shown = [line.plain for line in pairs([("monthly_charge_in_cents", "1"), ("模型", "2")], 40, 12)]
    assert shown == ["month…ents  1", "模型        2"]


async def test_a_version_says_nothing_of_what_is_not_known() -> None:
    feeder = demo()
    (version, *_) = await feeder.history("churn/rf.joblib")
    lines = [
        line.line.plain if isinstance(line, Hanging) else line.plain for line in version_lines(replace(version, who=""))
    ]
    assert not [line for line in lines if line.startswith("who")]


async def opened(console: Driver, path: str, tab: str) -> None:
    """A model's screen with the tab of a key open."""
    console.app.open_model(path)
    await console.on(ModelScreen)
    await console.press(tab)
