"""The first screen: table, preview, filter, sorting, and what it says when there is nothing to show."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from console.config import Settings
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.columns import layout
from console.ui.widgets.filter_bar import FilterBar
from tests.ui.demo_records import NOW, artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")


def table(console: Driver) -> ArtifactTable:
    found: ArtifactTable = console.widget(ArtifactTable)
    return found


def selected(console: Driver) -> str:
    row = table(console).selected
    return row.path if row is not None else ""


async def test_every_row_says_state_class_size_and_trust() -> None:
    async with console_on(demo()) as console:
        picture = console.picture()
    for words in (
        "▶ probing   churn/rf.joblib",
        "RandomForestCl",
        "4.2M",
        "2h ago  ✔ safe",
        "2.1 ms",
        "210M",
        "▲ changed   fraud/lr.pkl",
        "? review",
        "✖ blocked   inbox/unknown.pkl",
        "12 models · 1 probing · 1 changed · 1 error · 1 blocked · 1 damaged · sandbox 8/9",
    ):
        assert words in picture


async def test_the_cursor_stays_on_its_model_when_rows_come_and_go() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("j", "j")
        assert selected(console) == "fraud/lr.pkl"
        feeder.put(artifact("aaa/new.pkl", 10, 0, "pickle", None, None), "artifact.added")
        await console.until(lambda: "aaa/new.pkl" in console.picture())
        assert selected(console) == "fraud/lr.pkl"
        assert table(console).index == 3
        del feeder.rows["fraud/lr.pkl"], feeder.views["fraud/lr.pkl"]
        feeder.say("artifact.removed", "fraud/lr.pkl")
        await console.until(lambda: "fraud/lr.pkl" not in console.picture())
        assert selected(console) == "housing/boost.joblib"


async def test_only_the_lines_that_changed_are_painted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        painted: list[int] = []
        draw = ArtifactTable.render_line

        def counted(self: ArtifactTable, y: int) -> object:
            painted.append(y)
            return draw(self, y)

        monkeypatch.setattr(ArtifactTable, "render_line", counted)
        table(console).revise()
        await console.pilot.pause()
        assert painted == []
        feeder.put(replace(feeder.rows["iris/svm.pkl"], size=9_000_000))
        await console.until(lambda: "8.6M" in console.picture())
        assert set(painted) == {7}
        painted.clear()
        await console.press("j")
        assert set(painted) == {1, 2}


async def test_the_filter_is_live_and_goes_with_escape() -> None:
    async with console_on(demo()) as console:
        await console.press("slash")
        await console.write("trouble")
        await console.until(lambda: " 2 of 12" in console.picture())
        assert "churn/rf" not in console.picture()
        await console.press("enter")
        assert not console.widget(FilterBar).has_class("open")
        await console.until(lambda: "filter trouble: 2 of 12" in console.picture())
        await console.press("j")
        assert selected(console) == "trouble/worker-dies.joblib"
        await console.press("escape")
        await console.until(lambda: "churn/rf" in console.picture())
        assert selected(console) == "trouble/worker-dies.joblib"


async def test_an_action_acts_on_the_row_that_is_seen() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("slash")
        await console.write("svm")
        await console.until(lambda: " 1 of 12" in console.picture())
        await console.press("enter", "l")
        await console.until(lambda: feeder.asked)
    assert feeder.asked == [("load", "iris/svm.pkl", "", "")]


async def test_sorting_by_each_column_and_back() -> None:
    async with console_on(demo()) as console:
        rows = console.app.rows
        seen = [rows.sort]
        for _ in range(8):
            await console.press("s")
            await console.until(lambda: rows.sort not in seen)
            seen.append(rows.sort)
        assert set(seen) == {"state", "model", "class", "format", "size", "changed", "trust", "p99", "rss"}
        await console.press("s")
        await console.until(lambda: rows.sort == "model")
        await console.press("S")
        await console.until(lambda: "MODEL↓" in console.picture())
        assert rows.at(0).path == "vision/digits-cnn.keras"


async def test_each_press_counts_though_none_is_shown_yet() -> None:
    async with console_on(demo()) as console:
        home, rows = console.app.screen, console.app.rows
        assert isinstance(home, HomeScreen)
        for act in (home.do_sort, home.do_sort, home.do_reverse, home.do_reverse, home.do_reverse):
            act()
        await console.until(lambda: (rows.sort, rows.reverse) == ("format", True))


async def test_a_click_on_a_title_sorts_by_it() -> None:
    async with console_on(demo()) as console:
        line = next(text for text in console.picture().splitlines() if "STATE" in text)
        await console.pilot.click(ArtifactTable, offset=(line.index("SIZE") + 1, 0))
        await console.until(lambda: console.app.rows.sort == "size")


async def test_the_next_problem_is_one_key_away() -> None:
    async with console_on(demo()) as console:
        found = []
        for _ in range(4):
            await console.press("exclamation_mark")
            found.append(selected(console))
    assert found == ["fraud/lr.pkl", "inbox/half.joblib", "inbox/unknown.pkl", "trouble/worker-dies.joblib"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("churn/rf.joblib", ("200 trees · 30 inputs · 2 classes", "pid 4242", "p99", "210M", "errors  none")),
        (
            "fraud/lr.pkl",
            ("StandardScaler › LogisticRegression", "now names company.features.Ratio", "r to load the file"),
        ),
        (
            "inbox/unknown.pkl",
            ("✖ blocked  Loading it calls os.system, which could", "os.system, byte 27"),
        ),
        ("inbox/half.joblib", ("✖ damaged  The file is cut off", "it ends at byte 88,000")),
        (
            "trouble/worker-dies.joblib",
            ("predict failed  killed by signal 11", "Segmentation fault", "press e", "r to try"),
        ),
        (
            "trouble/predict-raises.joblib",
            ("Loading it runs code of company", "company.features.Ratio, byte 114", "typed yes"),
        ),
        ("iris/svm.pkl", ("safe: it names no code at all", "press l to load it")),
    ],
)
async def test_the_preview_says_what_matters_of_the_selected_row(path: str, words: tuple[str, ...]) -> None:
    async with console_on(demo(), size=(140, 40)) as console:
        table(console).select(path)
        await console.pilot.pause()
        picture = console.picture()
    for said in words:
        assert said in picture


LINES = {
    "churn/rf.joblib": ("▶ probing · 20/s · p50 ", " · p99 ", " · 210M"),
    "fraud/lr.pkl": ("▲ changed on disk · now names ", "verdict safe → review; and 1 more"),
    "inbox/unknown.pkl": ("✖ Loading it calls os.system", "any command on this m… · byte 27"),
    "inbox/half.joblib": ("✖ The file is cut off", "byte 88,000"),
    "trouble/worker-dies.joblib": ("✖ predict failed: killed by signal 11 (SIGSEGV, segmentation fault)",),
    "trouble/predict-raises.joblib": ("? Loading it runs code of company", "byte 114"),
    "iris/svm.pkl": ("SVC · 30 inputs · 2 classes · scikit-learn 1.9.1",),
    "empty/new.pkl": ("reading",),
}
"""The one line of a small terminal about each row."""


async def test_on_a_small_terminal_one_line_says_what_matters_and_nothing_moves() -> None:
    feeder = demo()
    feeder.rows["empty/new.pkl"] = artifact("empty/new.pkl", 10, 5, "pickle", None, None)
    async with console_on(feeder, size=(80, 24)) as console:
        where = {path: console.app.rows.index(path) for path in LINES}
        for path in LINES:
            table(console).select(path)

            def said(path: str = path) -> bool:
                return all(one in console.picture().splitlines()[-2] for one in LINES[path])

            await console.until(said, path)
            rows = console.picture().splitlines()[3:-2]
            assert all(found in rows[place or 0] for found, place in where.items())


async def test_what_an_answer_is_warned_of_gives_way_at_its_end_and_trouble_stays_in_the_first_line() -> None:
    feeder, path = demo(), "churn/rf.joblib"
    feeder.views[path] = replace(feeder.views[path], warnings=("written with scikit-learn 1.3.2, " + "run it " * 20,))
    async with console_on(feeder, size=(80, 24)) as console:
        table(console).select(path)
        await console.until(lambda: "210M  ▲ written with sc" in console.picture().splitlines()[-2])
        assert console.picture().splitlines()[-2].endswith("…")
        assert "12 models · 1 changed · 1 error · 1 blocked · 1 damaged" in console.picture().splitlines()[0]
        await console.pilot.resize_terminal(100, 24)
        await console.until(lambda: "1 probing · 1 changed · 1 error · 1 blocked · 1 damaged" in console.picture())


async def test_the_line_names_the_versions_where_they_differ() -> None:
    feeder = demo()
    report = feeder.reports["iris/svm.pkl"]
    assert report.inspection is not None
    old = replace(report.inspection, library_versions={"scikit-learn": "0.1"})
    feeder.reports["iris/svm.pkl"] = replace(report, inspection=old)
    async with console_on(feeder, size=(80, 24)) as console:
        table(console).select("iris/svm.pkl")
        await console.until(lambda: "▲ written with scikit-learn 0.1, here 1." in console.picture())


async def test_facts_that_cannot_be_read_while_the_screen_goes_are_nobodys_business() -> None:
    async with console_on(demo(), size=(80, 24)):
        await HomeScreen()._read_facts("nothing/is-known.pkl")


async def test_an_empty_store_says_what_it_looked_for() -> None:
    async with console_on(Feeder()) as console:
        picture = console.picture()
        assert "no models here" in picture
        assert "/srv/models" in picture
        assert "model-console demo" in picture
        await console.press("l", "p", "u", "enter", "slash", "s", "exclamation_mark")


async def test_a_store_that_vanished_says_so_and_keeps_what_is_known() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        feeder.offline = "/srv/models is not mounted any more"
        feeder.say("store.offline", "", feeder.offline, "failure")
        await console.until(lambda: "OFFLINE" in console.picture())
        assert "churn/rf.joblib" in console.picture()
    gone = Feeder()
    gone.offline = "/srv/models is not mounted any more"
    async with console_on(gone) as console:
        assert "the store is not there" in console.picture()


async def test_a_small_terminal_folds_the_preview_and_drops_columns() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        picture = console.picture()
        assert "FORMAT" not in picture
        assert "TRUST" in picture
        assert "sha256" not in picture
        assert "trust   " not in picture
        assert all(len(line) <= 80 for line in picture.splitlines())
        await console.pilot.resize_terminal(160, 48)
        await console.until(lambda: "FORMAT" in console.picture() and "200 trees" in console.picture())


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 250])
def test_columns_fit_and_do_not_stretch(width: int) -> None:
    laid = layout(width, {"model": 400, "class": 400})
    used = sum(room for _, room in laid.columns) + laid.gap * (len(laid.columns) - 1) + 4
    assert used <= max(width, 40)
    assert all(room <= max(column.width, column.grow) for column, room in laid.columns)
    assert {"state", "model"} <= {column.name for column, _ in laid.columns}


async def test_a_finished_row_flashes_once() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        feeder.say("worker.ready", "churn/rf.joblib", "ready", "ok")
        await console.until(lambda: "churn/rf.joblib" in table(console)._flashing)
        await console.until(lambda: not table(console)._flashing)


async def test_times_go_on_while_nothing_else_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    async with console_on(demo()) as console:
        assert "5s ago" in console.picture()
        monkeypatch.setattr(time, "time", lambda: NOW + 3)
        await console.until(lambda: "8s ago" in console.picture())


async def test_enter_opens_the_model() -> None:
    async with console_on(demo()) as console:
        await console.press("enter")
        screen = await console.on(ModelScreen)
        assert screen.subject == "churn/rf.joblib"
        await console.press("escape")
        await console.until(lambda: not isinstance(console.app.screen, ModelScreen))


@pytest.mark.slow
async def test_a_hundred_thousand_rows_scroll_and_filter() -> None:
    feeder = Feeder(
        artifact(f"team-{n % 977:03}/model-{n:06}.pkl", n, n, "pickle", "a.B", None) for n in range(100_000)
    )
    async with console_on(feeder, settings=Settings()) as console:
        assert "100,000 models" in console.picture()
        await console.press("G")
        assert selected(console) == "team-976/model-099653.pkl"
        await console.press("slash")
        await console.write("976/.*53")
        await console.until(lambda: 0 < len(console.app.rows) < 10)
        await console.press("enter")
        assert selected(console) == "team-976/model-099653.pkl"


async def test_the_line_on_top_tells_how_far_the_inspection_got() -> None:
    feeder = Feeder(artifact(f"m{number:03}.pkl", 10, 1.0, "pickle", "X", None) for number in range(300))
    feeder.uninspected = 200
    async with console_on(feeder, size=(160, 40)) as console:
        await console.until(lambda: "inspected 100 of 300" in console.picture())
        feeder.uninspected = 40
        feeder.say("artifact.inspected", "m000.pkl")
        await console.until(lambda: "inspected" not in console.picture())
