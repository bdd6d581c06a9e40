"""Rules of appearance: contrast, 16 colours, signs, columns that line up, nothing cut beside free space."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.color import ColorType
from textual.color import Color
from textual.content import Content
from textual.theme import Theme

from backends.core.inspection import ModelEntry
from console.config import Settings
from console.records import Event, EventKind, Verdict
from console.safe_text import SIGNS
from console.ui import states, text
from console.ui.ascii_signs import as_ascii
from console.ui.dialogs.choice import PlaceScreen
from console.ui.event_words import event_line
from console.ui.keys import BY_ID
from console.ui.rows import Row, Rows
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.themes import ANSI_DARK, ANSI_LIGHT, DARK, LIGHT
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.columns import layout
from console.ui.widgets.keyvalue import pairs, value_text
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import Hanging
from console.ui.widgets.traceback import failure_titles
from console.ui.widgets.versions import VersionList
from tests.ui.demo_records import DIED, NOW, RAISED, VERSIONS, artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder
from tests.ui.test_model_screen import Answering, model
from tests.ui.test_states_told import DEAD, DRIVEN, SCREENS, die, fail

pytestmark = pytest.mark.usefixtures("still_clock")

CLASS = "sklearn.linear_model._logistic.LogisticRegression"
WIDE = "wide/客户流失-随机森林-二〇二六年第三季度.joblib"
FREAK = "long/" + "the-model-of-the-branch-" * 5 + "final.joblib"


@pytest.fixture(autouse=True)
def _other_signs_afterwards() -> Iterator[None]:
    yield
    text.use_ascii(False)


def colours(theme: Theme) -> dict[str, str]:
    own = ("foreground", "accent", "success", "warning", "error", "background", "surface", "panel")
    return {**theme.variables, **{name: str(getattr(theme, name)) for name in own}}


def contrast(one: str, other: str) -> float:
    """As WCAG computes it, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = Color.parse(colour).normalized
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_text_stands_out_from_every_ground(theme: Theme) -> None:
    known = colours(theme)
    usual, lit = ("background", "surface"), ("panel", "cursor-tint", "flash-tint")
    inks = ("foreground", "accent", "success", "warning", "error")
    wanted = {
        **dict.fromkeys(itertools.product(inks, usual + lit), 4.5),
        **dict.fromkeys(itertools.product(("quiet",), usual), 4.5),
        **dict.fromkeys(itertools.product(("quiet",), lit), 3.0),
        **dict.fromkeys(itertools.product(("chart-faint", "chart-fill"), ("background",)), 3.0),
    }
    found = {(ink, ground): contrast(known[ink], known[ground]) for ink, ground in wanted}
    assert {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < wanted[pair]} == {}


@pytest.mark.parametrize("theme", [ANSI_DARK, ANSI_LIGHT], ids=lambda theme: theme.name)
def test_a_theme_of_16_colours_names_no_other(theme: Theme) -> None:
    assert {name: value for name, value in colours(theme).items() if not value.startswith("ansi_")} == {
        "input-cursor-text-style": theme.variables["input-cursor-text-style"]
    }
    assert theme.variables["scrollbar-background"] == "ansi_default"


def more_than_16(console: Driver) -> set[str]:
    inks = {
        one
        for strip in console.strips()
        for segment in strip
        if segment.style is not None
        for one in (segment.style.color, segment.style.bgcolor)
        if one is not None
    }
    return {str(one) for one in inks if one.type not in (ColorType.DEFAULT, ColorType.STANDARD)}


async def test_the_first_screens_are_painted_in_16_colours() -> None:
    async with console_on(demo(), (80, 24), Settings(theme="ansi-dark"), toasts=True) as console:
        console.app.say("something is told", "error")
        await console.until(lambda: "something is told" in console.picture())
        assert more_than_16(console) == set()
        console.app.theme = "ansi-light"
        await console.app.push_screen(ModelScreen(DRIVEN, "live"))
        await console.until(lambda: "round trip" in console.picture())
        assert more_than_16(console) == set()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_every_screen_is_painted_in_16_colours(theme: str) -> None:
    async with console_on(demo(), (120, 40), Settings(theme=theme)) as console:  # type: ignore[arg-type]
        for make in SCREENS.values():
            screen = make()
            await console.app.push_screen(screen)
            await console.until(lambda screen=screen: screen.is_mounted)  # type: ignore[misc]
            await console.pilot.pause()
            assert more_than_16(console) == set()
            console.app.pop_screen()
        for key in ("colon", "question_mark", "slash"):
            await console.press(key)
            assert more_than_16(console) == set()
            await console.press("escape")


STATES = (
    *(getattr(states, name) for name in ("UNREADABLE", "FAILING", "DEAD", "CHANGED", "PROBING", "UNREAD", "SETTLING")),
    states.ON_DISK,
    *states._WORKER.values(),
    *states._REST.values(),
)


def test_a_sign_of_a_state_has_one_meaning_in_ascii_too() -> None:
    for shown in (STATES, [replace(one, glyph=as_ascii(one.glyph)) for one in STATES]):
        roles = {(one.glyph, one.role) for one in shown}
        assert len(roles) == len({glyph for glyph, _ in roles})
        assert {cell_len(one.glyph) for one in shown} == {1}
    words = {one.word: one for one in STATES}
    assert all(words[one.word] == one for one in STATES)


def test_every_sign_that_is_written_has_one_in_ascii() -> None:
    missing = set()
    for path in (Path(states.__file__).parents[1]).rglob("*.py"):
        source = path.read_text("utf-8")
        if "child" in path.parts or source.isascii():
            continue
        tree = ast.parse(source)
        told = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        strings = (one for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in told)
        for one in strings:
            written = one.value if isinstance(one.value, str) else ""
            missing |= {char for char in written if char.isprintable() and as_ascii(char) == "?" != char}
    assert missing <= {"\ufffd"}
    assert all(sign.isascii() for sign in SIGNS.values())


async def test_signs_in_ascii_cut_no_word() -> None:
    rows = [artifact("a.pkl", 9, 9, "pickle", None, None)]
    async with console_on(Feeder(rows), (80, 24), Settings(ascii=True)) as console:
        await console.until(lambda: ". reading" in console.picture())


@pytest.mark.parametrize("measured", [0, 1])
def test_nothing_is_cut_beside_free_space(measured: int) -> None:
    for width, name, kind in itertools.product(range(50, 221, 3), (10, 38, 60, 118), (8, 24, 60)):
        for usual in {min(name, 30), name}:
            wanted = {"model": name, "usual": usual, "class": kind, "p99": measured, "rss": measured}
            found = layout(width, wanted)
            room = {column.name: cells for column, cells in found.columns}
            used = sum(room.values()) + found.gap * (len(room) - 1)
            assert used <= width - 4 or width < 60, (width, wanted)
            cut = [one for one in ("model", "class") if one in room and room[one] < wanted[one]]
            assert not cut or (found.gap == 2 and used == width - 4) or width < 60, (width, wanted)


def test_a_format_has_the_cells_of_its_name_and_a_list_of_tensors_shows_where_each_ends() -> None:
    rows = Rows()
    rows.put(Row(artifact("a.safetensors", 9, 9, "safetensors", None, Verdict.SAFE)))
    room = {column.name: cells for column, cells in layout(160, rows.widest).columns}
    assert room["format"] == len("safetensors")
    assert value_text([{"name": "x", "shape": [1, 2]}, {"name": "y"}]) == "[{name: 'x', shape: [1, 2]}, {name: 'y'}]"


def test_one_freak_of_a_name_leaves_the_other_columns_their_room() -> None:
    rows = Rows()
    for number in range(6):
        rows.put(Row(artifact(f"churn/model-{number}.joblib", 9, 9, "joblib", CLASS, Verdict.SAFE)))
    rows.put(Row(artifact(FREAK, 9, 9, "joblib", CLASS, Verdict.SAFE)))
    wanted = {**rows.widest, "usual": rows.usual_name}
    room = {column.name: cells for column, cells in layout(160, wanted).columns}
    assert room["class"] >= len("LogisticRegression")
    assert {"format", "size", "changed"} <= room.keys()
    rows.drop(FREAK)
    assert rows.usual_name == len("churn/model-0.joblib")
    rows.put(Row(artifact("churn/model-0.joblib", 10, 9, "joblib", CLASS, Verdict.SAFE)))
    assert sum(rows._lengths.values()) == len(rows) == 6


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_columns_line_up_whatever_letters_names_have(size: tuple[int, int]) -> None:
    paths = (WIDE, "wide/👩 émotions.pkl", "hostile/[red]x[/]\x1b[31m\u202e.pkl", "churn/rf.joblib", FREAK)
    feeder = Feeder(artifact(path, 9, 9, "joblib", "a.SVC", Verdict.SAFE) for path in paths)
    async with console_on(feeder, size) as console:
        await console.until(lambda: console.picture().count("SVC") == len(paths))
        lines = [line for line in console.picture().splitlines() if "SVC" in line]
        assert len({cell_len(line[: line.index("SVC")]) for line in lines}) == 1
        assert {cell_len(strip.text) for strip in console.strips()} == {size[0]}
        if size[0] > 80:
            assert WIDE in console.picture()


async def test_a_failing_model_says_how_often_in_any_column_and_why_on_its_first_page() -> None:
    feeder = demo()
    fail(feeder)
    feeder.failed.append(replace(RAISED, id=8, artifact=DRIVEN, when=NOW - 3))
    async with console_on(feeder, (80, 24)) as console:
        await console.until(lambda: "20/s fail " in console.picture())
        await console.app.push_screen(ModelScreen(DRIVEN))
        told = ("predict failed 3s ago: ValueError", "\n trust")
        await console.until(lambda: all(words in console.picture() for words in told))
        seen = console.picture()
        assert seen.index("predict failed") < seen.index("\n trust")


async def test_a_dead_model_says_why_on_its_first_page_and_is_offered_what_helps() -> None:
    feeder = demo()
    die(feeder, NOW + 8)
    async with console_on(feeder, (80, 24)) as console:
        await console.app.push_screen(ModelScreen(DEAD))
        await console.until(lambda: "predict failed 8s ago: killed by signal 11" in console.picture())
        assert "r tries again" in console.picture()
        await console.until(lambda: console.picture().splitlines()[-1].startswith(" e errors  r reload"))


@pytest.mark.slow
async def test_where_nothing_is_measured_or_listed_no_key_is_offered_for_it() -> None:
    async with console_on(demo(), (80, 24)) as console:
        screen = ModelScreen("iris/svm.pkl", "live")
        await console.app.push_screen(screen)
        await console.until(lambda: "l loads it" in console.picture())
        assert "in sight" not in console.picture()
        for action in ("pause", "zoom-in", "zoom-out"):
            assert not screen.can(action)
            assert screen.why_not(action) == "nothing is measured"
        for key, nothing in (("4", "Nothing has failed"), ("5", "No older version")):
            await console.press(key)
            await console.until(lambda nothing=nothing: nothing in console.picture())  # type: ignore[misc]
            assert not screen.can("open")
            assert BY_ID["open"].label not in console.picture().splitlines()[-1]


@pytest.mark.slow
async def test_the_place_gives_way_to_the_counts_and_all_trouble_is_counted() -> None:
    feeder = demo()
    fail(feeder)
    feeder.rows["a.pkl"] = artifact("a.pkl", 9, 9, None, None, None, problem="Permission denied")  # type: ignore[arg-type]
    for size, told in (((80, 24), "1 failing"), ((160, 48), "1 skipped")):
        async with console_on(feeder, size) as console:
            await console.on(HomeScreen)
            await console.until(lambda told=told: told in console.picture().splitlines()[0])  # type: ignore[misc]
            first = console.picture().splitlines()[0]
            assert "/srv/models" in first
            assert "1 error" in first
            assert console.widget(ArtifactTable).shown_columns


def test_failures_are_listed_in_columns() -> None:
    first, last = replace(RAISED, artifact="a.pkl", phase="load"), replace(RAISED, artifact="模型/模型.pkl", count=12)
    failures = [first, DIED, last]
    for width in (40, 76, 120):
        lines = [line.plain for line in failure_titles(failures, width)]
        assert max(map(cell_len, lines)) <= width
        starts = {cell_len(line[: line.index(name)]) for line, name in zip(lines, ("a.pkl", "tr", "模型"), strict=True)}
        assert len(starts) == 1
    assert "killed by signal 11" in failure_titles(failures, 76)[1].plain


def test_events_of_two_days_line_up() -> None:
    lines = [event_line(Event(EventKind.STORE_SCANNED, when, "", "found"), 16) for when in (NOW - 90_000, NOW)]
    assert len({line.plain.index("found") for line in lines}) == 1


def test_names_have_the_cells_they_need_where_no_value_needs_them() -> None:
    shown = [line.plain for line in pairs([("monthly_charge_in_cents", "2599.5"), ("模型", "1")], 38)]
    assert shown == ["monthly_charge_in_cents  2599.5", "模型" + " " * 21 + "1"]
    assert "…" in pairs([("monthly_charge_in_cents", "long " * 9)], 38)[0].plain


async def test_lists_line_up_whatever_letters_are_in_them() -> None:
    feeder = demo()
    feeder.versions[DRIVEN] = (replace(VERSIONS[0], who="玛丽亚", metrics={"准确率": 0.9}), *VERSIONS[1:])
    models = [ModelEntry(place, CLASS, {}, "1.9.1", ()) for place in ("['model']", "['模型']")]
    async with console_on(feeder, (120, 30)) as console:
        console.app.push_screen(PlaceScreen("m.pkl", models))
        await console.on(PlaceScreen)
        await console.until(lambda: "['模型']" in console.picture())
        lines = [line for line in console.picture().splitlines() if "']" in line]
        assert len({cell_len(line[: line.index("Logistic")]) for line in lines}) == 1
        await console.press("escape")
        console.app.show("history", DRIVEN)
        await console.until(lambda: "9f2c41d0" in console.picture())
        listed = console.widget(VersionList)
        assert isinstance(listed, LineList)
        shown = [line for _, line in listed._items]
        ends = zip(shown, ("9f2c", "71bb", "02aa"), strict=True)
        assert len({cell_len(line.plain[: line.plain.index(digest)]) for line, digest in ends}) == 1


def test_texts_that_differ_in_colour_alone_are_not_the_same() -> None:
    green, red = Content.styled("9 errors", "$success"), Content.styled("9 errors", "$error")
    assert text.same((green, Hanging(red, 2)), (Content.styled("9 errors", "$success"), Hanging(red, 2)))
    assert not text.same((green,), (red,))
    assert not text.same((Hanging(green, 2),), (Hanging(red, 2),))
    assert not text.same((green,), (green, red))


async def test_the_picture_of_a_row_follows_the_row_and_the_theme() -> None:
    feeder = Answering()
    async with model(feeder, tab="try", size=(80, 24)) as (console, _):
        await console.until(lambda: "right" in console.picture())

        def painted() -> list[str]:
            cells = (one for strip in console.strips() for one in strip if one.text and not one.text.strip("▀"))
            return [str(one.style) for one in cells]

        first = painted()
        assert first
        feeder.data = dict.fromkeys(feeder.data, 8.0)
        await console.press("right")
        await console.until(lambda: painted() != first)
        second = painted()
        console.app.theme = LIGHT.name
        await console.until(lambda: painted() != second)


async def test_another_theme_of_16_colours_leaves_no_colour_of_the_one_before() -> None:
    feeder = demo()
    feeder.views[DRIVEN] = replace(feeder.views[DRIVEN], warnings=("written with another version",))
    async with console_on(feeder, (80, 24), Settings(theme="ansi-dark")) as console:
        await console.app.push_screen(ModelScreen(DRIVEN))

        def painted() -> list[str]:
            return [str(one.style) for strip in console.strips() for one in strip if "another version" in one.text]

        await console.until(painted)
        first = painted()
        console.app.theme = ANSI_LIGHT.name
        await console.until(lambda: painted() and painted() != first)


async def test_what_an_action_does_is_told_whole_where_there_is_room() -> None:
    async with console_on(demo(), (160, 48)) as console:
        await console.press("colon")
        await console.until(lambda: BY_ID["trust"].help in console.picture())
        assert "…" not in "".join(line[30:130] for line in console.picture().splitlines()[10:40])
