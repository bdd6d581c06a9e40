"""The command line of `:`: words with arguments, completion, what is wrong with them, and those given before."""

from __future__ import annotations

from functools import partial
from itertools import chain, repeat

import pytest
from textual.widgets import Input

from console.nearest import nearest
from console.records import ServedModel, ServeSettings
from console.screen_table import NAMES, OF_MODEL
from console.start import Start
from console.trust.roles import Permission, Role
from console.ui.app import ConsoleApp
from console.ui.commands import COLUMN_NAMES, SETTINGS, chosen_columns
from console.ui.keys import ACTIONS, BY_ID
from console.ui.screens.about import AboutScreen
from console.ui.screens.charts import ChartsScreen
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.events import EventsScreen
from console.ui.screens.finding import Finder, _nearest, completed
from console.ui.screens.history import HistoryScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.palette import PaletteScreen
from console.ui.themes import THEMES
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.columns import layout
from console.ui.widgets.line_list import LineList
from tests.ui.demo_records import artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.fed_engine import fed
from tests.ui.feeder import Feeder
from tests.ui.test_hostile import HOSTILE, assert_harmless

SMALL = (80, 24)


async def typed(console: Driver, line: str) -> PaletteScreen:
    """Open the command line and put a line into it."""
    await console.press("colon")
    palette: PaletteScreen = await console.on(PaletteScreen)
    palette.query_one(Input).value = line
    await settled(console, palette)
    return palette


async def settled(console: Driver, palette: PaletteScreen) -> None:
    await console.pilot.pause()
    await palette._settled()
    await console.pilot.pause()


async def given(console: Driver, line: str) -> None:
    """Give a command."""
    await typed(console, line)
    await console.press("enter")


def words(console: Driver) -> str:
    """The picture on the terminal, without frames and line breaks."""
    return " ".join(console.picture().replace("│", " ").split())


def says(console: Driver, said: str) -> bool:
    return said in words(console)


def has(console: Driver, name: str, value: object) -> bool:
    return bool(getattr(console.app, name) == value)


def at_tab(screen: ModelScreen, tab: str) -> bool:
    return screen.tab == tab


def is_sorted(console: Driver, column: str, reverse: bool) -> bool:
    return (console.app.rows.sort, console.app.rows.reverse) == (column, reverse)


def keys(palette: PaletteScreen) -> list[object]:
    return [key for key, _ in palette.query_one(LineList)._items]


def line_of(palette: PaletteScreen) -> str:
    return palette.query_one(Input).value


async def test_a_name_that_several_models_have_filters_and_that_of_one_opens_it() -> None:
    async with console_on(demo(), SMALL) as console:
        await given(console, "trouble")
        await console.until(lambda: "filter trouble: 2 of 12" in console.picture())
        await given(console, "kmeans")
        assert (await console.on(ModelScreen)).subject == "segments/kmeans.h5"
        await given(console, "joblib")
        await console.on(HomeScreen)
        await console.until(lambda: "filter joblib:" in console.picture())


@pytest.mark.slow
async def test_themes_and_orders_by_name() -> None:
    async with console_on(demo(), SMALL) as console:
        for line, theme in (
            ("theme light", "console-light"),
            (":theme ANSI-dark", "ansi-dark"),
            ("theme ansi-l", "ansi-light"),
        ):
            await given(console, line)
            await console.until(partial(has, console, "theme", theme), line)
        for line, order in (
            ("sort size", ("size", False)),
            ("sort -size", ("size", True)),
            ("SORT tru", ("trust", False)),
            ("sort size desc", ("size", True)),
            ("sort -size asc", ("size", False)),
        ):
            await given(console, line)
            await console.until(partial(is_sorted, console, *order), line)


@pytest.mark.slow
async def test_the_table_is_looked_at_when_it_is_sorted_or_filtered_from_elsewhere() -> None:
    async with console_on(demo(), SMALL) as console:
        await console.press("enter", "v")
        await console.on(EventsScreen)
        await given(console, "filter ^trouble")
        await console.on(HomeScreen)
        await console.until(lambda: "filter ^trouble: 2 of 12" in console.picture())
        await console.press("slash", "up")
        await console.until(lambda: "up: ^trouble" in console.picture() or "^trouble" in console.picture())


async def test_columns_are_chosen_hidden_and_left_to_the_width_again() -> None:
    async with console_on(demo(), (160, 48)) as console:
        table = console.widget(ArtifactTable)
        usual = table.shown_columns
        await given(console, "columns class size trust")
        await console.until(lambda: table.shown_columns == ("state", "model", "class", "size", "trust"))
        await given(console, "columns -trust +rss")
        await console.until(lambda: table.shown_columns == ("state", "model", "class", "size", "rss"))
        for _ in range(6):
            await console.press("s")
        assert console.app.rows.asked.sort in table.shown_columns
        await given(console, "columns")
        await console.until(lambda: table.shown_columns == usual)
        await given(console, "columns -format")
        await console.until(lambda: table.shown_columns == tuple(name for name in usual if name != "format"))


async def test_the_order_is_told_where_its_column_is_hidden() -> None:
    async with console_on(demo(), SMALL) as console:
        await given(console, "sort -format")
        await console.until(lambda: "sorted by format ↓" in console.picture())
        await given(console, "columns format")
        await console.until(lambda: "FORMAT↓" in console.picture())
        assert "sorted by" not in console.picture()


def test_what_is_chosen_of_the_columns() -> None:
    assert chosen_columns((), ()) == ()
    assert chosen_columns((), ("size",)) == ("state", "model", "size")
    assert chosen_columns((), ("-size", "-rss")) == ("-size", "-rss")
    assert chosen_columns(("-size", "-rss"), ("+rss", "-p99")) == ("-size", "-p99")
    assert chosen_columns(("state", "model", "size"), ("-size", "+rss")) == ("state", "model", "rss")
    assert chosen_columns(("state", "model", "size"), ("-size",)) == ("state", "model")


@pytest.mark.parametrize("width", [20, 40, 80, 160])
@pytest.mark.parametrize("chosen", [("state", "model"), COLUMN_NAMES, ("-trust", "-state"), ("rss",)])
def test_chosen_columns_fit(width: int, chosen: tuple[str, ...]) -> None:
    laid = layout(width, {"model": 400, "class": 400}, chosen)
    names = [column.name for column, _ in laid.columns]
    assert names[:2] == ["state", "model"]
    assert "trust" not in names or "-trust" not in chosen
    assert sum(room for _, room in laid.columns) + laid.gap * (len(names) - 1) + 4 <= max(width, 40)


def test_a_column_that_was_asked_for_gives_way_to_nothing_but_the_width() -> None:
    names = [column.name for column, _ in layout(80, {"model": 400}, ("format", "p99")).columns]
    assert names == ["state", "model", "format", "p99"]


async def test_a_mistyped_word_is_compared_with_so_many_names_and_no_more() -> None:
    names = chain([("churn", "churn/rf.joblib")], repeat(("wine", "wine/forest.joblib")))
    assert await _nearest("chrun", names) == "churn/rf.joblib"


WRONG = (
    ("theme lihgt", "there is no theme lihgt (did you mean light?)"),
    ("sort szie", "there is no column szie (did you mean size?)"),
    ("sort size up", "up is no order"),
    ("columns clas size", "there is no column clas (did you mean class?)"),
    ("columns -model", "model is always shown"),
    ("columns size -rss", "either named or taken away"),
    ("rate fast", "it takes a number from 0 to 100000"),
    ("rate 1e9", "it takes a number from 0 to 100000"),
    ("rate nan", "it takes a number from 0 to 100000"),
    ("batch 1.5", "it takes a whole number from 1 to 100000"),
    ("home churn", "nothing follows it"),
    ("share 7", "it takes a version and its share"),
    ("share x 10%", "x is no number of a version"),
    ("share 7 10", "10 is no share of the requests"),
    ("label stable seven", "seven is no number of a version"),
    ("load chrun", "no model is called chrun: did you mean churn/rf.joblib?"),
    ("unload joblib", "down chooses one"),
    ("themee light", "nothing has that name"),
    ("evnts", "nothing has that name: did you mean events?"),
    ("laod churn", "nothing has that name: did you mean load churn?"),
    ("srot size", "nothing has that name: did you mean sort size?"),
    ("events today", "events takes nothing"),
    ("[bold]x", "nothing has that name"),
)


async def test_what_is_wrong_is_told_with_what_was_perhaps_meant() -> None:
    async with console_on(demo(), SMALL) as console:
        finder = Finder(await console.on(HomeScreen))
        for line, said in WRONG:
            found = await finder.find(line)
            assert said in found.problem, line


async def test_what_a_command_does_is_told_once() -> None:
    async with console_on(demo(), SMALL) as console:
        await typed(console, "theme ")
        await console.until(lambda: "ansi-light" in console.picture())
        assert console.picture().count("How the console looks") == 1


async def test_words_of_a_help_find_what_only_looks_and_nothing_that_acts() -> None:
    async with console_on(demo(), SMALL) as console:
        finder = Finder(await console.on(HomeScreen))
        assert (await finder.find("why verdict")).items[0][0] == ("action", "trust")
        found = await finder.find("unload worker memory")
        assert found.items == ()
        assert found.problem.startswith("no model is called")


async def test_what_is_wrong_stays_in_the_line_with_the_reason_beneath() -> None:
    feeder = demo()
    async with console_on(feeder, SMALL) as console:
        for line, said in (*WRONG[:2], ("unload iris/svm", "unload: it is not loaded")):
            palette = await typed(console, line)
            await console.press("enter")
            await console.until(partial(says, console, said), line)
            assert console.app.screen is palette
            assert line_of(palette) == line
            await console.press("escape")
    assert feeder.asked == []


async def test_an_action_is_done_to_the_model_that_is_named() -> None:
    feeder = demo()
    async with console_on(feeder, SMALL) as console:
        for line in ("load iris/svm.pkl", "load iris/svm", "load SVM"):
            feeder.asked.clear()
            await given(console, line)
            await console.until(lambda: feeder.asked == [("load", "iris/svm.pkl", "", "")])
            assert console.app.screen.subject == "iris/svm.pkl"  # type: ignore[attr-defined]
        await given(console, "unload churn/rf")
        await console.until(lambda: "probe is running" in console.picture())
        await console.press("y")
        await console.until(lambda: ("unload", "churn/rf.joblib") in feeder.asked)


async def test_the_screens_of_a_named_model() -> None:
    feeder = demo()
    async with console_on(feeder, SMALL) as console:
        for line, screen, tab in (
            ("live iris/svm", ModelScreen, "live"),
            ("history iris/svm", HistoryScreen, ""),
            ("errors trouble/worker-dies", ErrorsScreen, ""),
        ):
            await given(console, line)
            found = await console.on(screen)
            assert not tab or (found.subject, found.tab) == ("iris/svm.pkl", tab)
            await given(console, "home")
            await console.on(HomeScreen)
            assert len(console.app.screen_stack) == 2


async def test_the_habits_of_leaving() -> None:
    async with console_on(demo(), SMALL) as console:
        palette = await typed(console, "")
        for line in ("q", "quit", ":qa", "exit", "wq", "Q!"):
            palette.query_one(Input).value = line
            await settled(console, palette)
            assert keys(palette)[0] == ("action", "quit")
        await console.press("enter")
        await console.ended()


async def test_a_word_alone_is_the_action_that_is_called_so() -> None:
    """Also where another one is found before it: `filter` by the help of esc, `load` in unload."""
    feeder = demo()
    async with console_on(feeder, SMALL) as console:
        for action in ("filter", "load"):
            palette = await typed(console, action)
            assert keys(palette)[0] == ("action", action) or action == "load"
            await console.press("escape")
        palette = await typed(console, "load")
        await console.press("enter")
        await console.until(lambda: "load: it is ready already" in console.picture())
        await console.press("escape")
        await given(console, "filter")
        await console.until(lambda: console.app.screen.query_one("FilterBar").has_class("open"))
    assert feeder.asked == []


async def test_what_is_not_allowed_says_why_and_does_nothing() -> None:
    feeder = demo()
    feeder.permission = Permission(Role.VIEW, "ada", {"operate": ("ml-oncall",)}, "the policy")
    async with console_on(feeder, SMALL) as console:
        for line in ("load iris/svm", "rate 50"):
            palette = await typed(console, line)
            await console.press("enter")
            await console.until(lambda: "needs the role operate" in words(console))
            assert console.app.screen is palette
            await console.press("escape")
    assert feeder.asked == []


@pytest.mark.slow
async def test_on_a_models_own_screen_its_name_changes_the_tab_and_no_second_screen_is_put_on_top() -> None:
    async with console_on(demo(), SMALL) as console:
        await given(console, "live churn/rf")
        screen = await console.on(ModelScreen)
        for line, tab in (("versions churn/rf", "versions"), ("open churn/rf", "overview")):
            await given(console, line)
            await console.until(partial(at_tab, screen, tab))
        assert console.app.screen is screen


async def test_a_word_that_wants_more_lists_what_may_follow_and_what_else_has_that_name() -> None:
    async with console_on(demo(), SMALL) as console:
        home = await console.on(HomeScreen)
        found = await Finder(home).find("theme")
        assert [key for key, _ in found.items][:2] == [("setting", "theme", name) for name in list(THEMES)[:2]]
        assert found.problem.startswith("theme: it takes the name of a theme")
        assert (await Finder(home).find("home")).items[0][0] == ("setting", "home", "")


async def test_shares_and_labels_of_versions_move() -> None:
    feeder = demo()
    feeder.served = tuple(
        ServedModel(name, path, "joblib", None, "safe", ServeSettings(name, labels={"stable": 6}))
        for name, path in (("churn/rf", "churn/rf.joblib"), ("wine", "wine/forest.joblib"))
    )

    def settings(number: int) -> tuple[dict[str, float], dict[str, int]]:
        return feeder.served[number].settings.weights, feeder.served[number].settings.labels

    async with console_on(feeder, SMALL, toasts=True) as console:
        await given(console, "share 7 10%")
        await console.until(lambda: settings(0) == ({"7": 0.1}, {"stable": 6}))
        await console.until(lambda: says(console, "churn/rf: version 7 answers 10%"))
        await given(console, "label wine/forest canary 8")
        await console.until(lambda: settings(1) == ({}, {"stable": 6, "canary": 8}))
        await given(console, "label churn/rf stable -")
        await given(console, "share 7 0")
        await console.until(lambda: settings(0) == ({}, {}))
        await given(console, "label nobody stable 7")
        await console.until(lambda: says(console, "no model in service is called nobody"))


async def test_the_rate_and_batch_of_the_model_in_sight() -> None:
    feeder = demo()
    changed: list[object] = []
    feeder.set_probe = lambda path, **what: changed.append((path, what))  # type: ignore[method-assign]
    async with console_on(feeder, SMALL) as console:
        await given(console, "rate 50")
        await console.until(lambda: changed == [("churn/rf.joblib", {"rate": 50.0})])
        await console.press("enter")
        await console.on(ModelScreen)
        await given(console, "batch 8")
        await console.until(lambda: changed[1:] == [("churn/rf.joblib", {"batch": 8})])


async def test_of_several_models_one_is_chosen_before_anything_is_done_to_it() -> None:
    feeder = demo()
    async with console_on(feeder, SMALL) as console:
        palette = await typed(console, "load joblib")
        await console.press("enter", "down")
        assert "▌" in console.picture()
        chosen = palette.query_one(LineList).key
        assert chosen == keys(palette)[0]
        await console.press("enter")
        assert isinstance(chosen, tuple)
        await console.until(lambda: feeder.asked == [("load", chosen[2], "", "")])


async def test_tab_completes_and_up_brings_back_what_was_given() -> None:
    async with console_on(demo(), SMALL) as console:
        palette = await typed(console, "so")
        await console.press("tab")
        assert line_of(palette) == "sort"
        palette.query_one(Input).value = "sort si"
        await console.press("tab")
        assert line_of(palette) == "sort size"
        await console.press("enter")
        await given(console, "theme light")
        palette = await typed(console, "history kmea")
        await console.press("tab")
        assert line_of(palette) == "history segments/kmeans.h5"
        palette.query_one(Input).value = ""
        await settled(console, palette)
        await console.press("up")
        assert line_of(palette) == "theme light"
        await console.press("up", "up")
        assert line_of(palette) == "sort size"
        await console.press("down")
        assert line_of(palette) == "theme light"
        await console.press("down")
        assert line_of(palette) == ""
        await console.press("down", "up")
        assert line_of(palette) == ""
        await console.press("up", "up", "enter")
        await console.until(lambda: console.app.rows.sort == "size")


@pytest.mark.slow
async def test_typing_on_after_something_was_brought_back_moves_in_the_list_again() -> None:
    async with console_on(demo(), SMALL) as console:
        await given(console, "sort size")
        palette = await typed(console, "")
        await console.press("up", "backspace")
        await settled(console, palette)
        assert line_of(palette) == "sort siz"
        await console.press("down")
        assert line_of(palette) == "sort siz"


@pytest.mark.slow
async def test_hostile_names_are_completed_whole_and_shown_harmlessly() -> None:
    feeder = Feeder(artifact(name, 1, 1.0, "pickle", "a.B", None) for name in HOSTILE)
    async with console_on(feeder, SMALL) as console:
        for name in HOSTILE[:2]:
            palette = await typed(console, f"open {name}")
            assert_harmless(console)
            assert ("of", "open", name) in keys(palette)
            await console.press("tab")
            assert_harmless(console)
            await console.press("enter")
            assert (await console.on(ModelScreen)).subject == name
            await given(console, "home")
            await console.on(HomeScreen)
        for line in ("open \x1b[2Jx", "theme \x1b]0;x\x07", "\x1b[31mred", "sort \u202esize"):
            palette = await typed(console, line)
            await console.press("enter")
            assert_harmless(console)
            await console.press("escape")
            await console.on(HomeScreen)


async def test_every_action_about_a_model_can_be_done_to_a_named_one() -> None:
    taking = [action for action in ACTIONS if action.takes_model]
    assert {"load", "unload", "probe", "update", "history", "trust", "errors", "open", "tab-live"} <= {
        action.id for action in taking
    }
    async with console_on(demo(), SMALL):
        about = AboutScreen("iris/svm.pkl")
        for action in taking:
            assert about._has(action.id), action.id


async def test_each_screen_that_the_command_line_names_is_a_word_here() -> None:
    async with console_on(demo(), SMALL) as console:
        finder = Finder(console.app.screen)  # type: ignore[arg-type]
        for name in NAMES:
            action = finder.action(name)
            assert (action is None) == (name == "home")
            assert name not in OF_MODEL or (action is not None and action.takes_model)
    assert not {one.word for one in SETTINGS} - {"sort", "filter"} & set(BY_ID)
    assert completed(("setting", "columns", "")) == "columns"


def test_what_is_like_a_word() -> None:
    assert nearest("szie", COLUMN_NAMES) == "size"
    assert nearest("zzz", COLUMN_NAMES) is None
    assert nearest("", COLUMN_NAMES) is None


async def begun(start: Start, feeder: Feeder, screen: type[object], *said: str) -> None:

    app = ConsoleApp(feeder.root, fed(feeder), None, start)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        console = Driver(app, pilot)
        await console.on(HomeScreen if said else screen)
        feeder.say("store.scanned", "", "")
        await console.on(screen)
        for words in said:
            await console.until(partial(says, console, words))


async def test_the_first_screen_is_the_one_that_was_named() -> None:
    await begun(Start("events"), demo(), EventsScreen)
    await begun(Start("charts"), demo(), ChartsScreen)
    await begun(Start("live", "churn/rf"), demo(), ModelScreen)


async def test_a_model_that_is_not_there_is_told_above_the_table() -> None:
    await begun(Start("model", "chrun/rf"), demo(), HomeScreen, "no model is called chrun/rf: did you mean")
    await begun(Start("model", "joblib"), demo(), HomeScreen, "models are called joblib")


async def test_a_model_that_is_found_by_the_first_scan_is_waited_for() -> None:
    feeder = Feeder()

    app = ConsoleApp(feeder.root, fed(feeder), None, Start("model", "a/new"))
    async with app.run_test(size=SMALL) as pilot:
        console = Driver(app, pilot)
        await console.on(HomeScreen)
        feeder.put(artifact("a/new.pkl", 10, 1.0, "pickle", None, None), "artifact.added")
        feeder.say("store.scanned", "", "")
        assert (await console.on(ModelScreen)).subject == "a/new.pkl"
