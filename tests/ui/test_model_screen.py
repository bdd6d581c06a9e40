from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from backends.core.inspection import ModelEntry
from console.errors import InputError
from console.records import (
    DataFile,
    Difference,
    Failure,
    Inspection,
    Json,
    Judgement,
    Prediction,
    RecipeFacts,
    Report,
    Signature,
    Verdict,
)
from console.ui.app import ConsoleApp
from console.ui.dialogs.choice import CopiesScreen
from console.ui.panes.facts import file_lines
from console.ui.panes.live import LivePane
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.widgets.line_list import LineList
from tests.ui.demo_records import demo
from tests.ui.driving import Driver, console_on
from tests.ui.fed_engine import fed
from tests.ui.feeder import Feeder
from tests.ui.measured import Clock, story
from tests.ui.test_charts import moves

pytestmark = pytest.mark.usefixtures("still_clock")

FOREST = "churn/rf.joblib"
ZERO = "005d910000dfaf5003f20b8004c008800580098004b01c7002e5ac00006da000"
"""A nought of eight by eight pixels, a hexadecimal digit each."""


class Answering(Feeder):
    """The demo records with rows to try and answers to give."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(demo().__dict__)
        self.data: dict[str, Json] = {f"pixel_{place}": float(int(digit, 16)) for place, digit in enumerate(ZERO)}
        self.truth: Json = 0
        self.outputs: dict[str, Json] = {
            "predict": [0],
            "predict_proba": [[0.93, 0, 0.01, 0, 0, 0.03, 0.02, 0, 0.01, 0]],
        }
        self.bad_data: InputError | None = None
        classes = tuple(range(10))
        self.views[FOREST] = replace(
            self.views[FOREST],
            signature=Signature(64, classes=classes),
            phases={"judge": 3.1, "start": 8.2, "read": 64.0, "warm": 14.0},
        )
        self.recorders[FOREST] = story(Clock())

    def recipe(self, path: str) -> RecipeFacts:
        return RecipeFacts()

    async def open_data(self, path: str, data: str | None, target: str | None = None) -> DataFile:
        if self.bad_data is not None:
            raise self.bad_data
        decided = "separated by ';', header, utf-8, decimal comma, ignored: scanner, taken at, columns by name"
        return DataFile("/srv/models/churn/data/holdout.csv", 360, (), "label", decided)

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        return [{**self.data, "label": self.truth}]

    async def predict(self, path: str, **wanted: Any) -> Prediction:
        self.asked.append(("predict", str(wanted.get("start")), str(wanted.get("rows"))))
        found = self.outputs["predict"]
        right = isinstance(found, list) and found[0] == self.truth
        score = {"rows": 1.0, "correct": float(right)} if wanted.get("score") else None
        return Prediction(1, self.outputs, 0.82, 1.1, score=score)

    async def set_copies(self, path: str, count: int) -> None:
        self.asked.append(("set_copies", path, str(count)))
        self.views[path] = replace(self.views[path], copies=count, pids=tuple(range(4242, 4242 + count)))

    def set_probe(self, path: str, *, rate: float | None = None, batch: int | None = None) -> None:
        self.asked.append(("set_probe", str(rate), str(batch)))


async def opened(driver: Driver, path: str = FOREST, tab: str = "overview") -> ModelScreen:
    driver.app.push_screen(ModelScreen(path, tab))
    screen = await driver.on(ModelScreen)
    await driver.until(lambda: screen.tab == tab and tab in screen._panes)
    assert isinstance(screen, ModelScreen)
    return screen


@asynccontextmanager
async def model(
    feeder: Feeder, path: str = FOREST, tab: str = "overview", size: tuple[int, int] = (100, 30)
) -> AsyncIterator[tuple[Driver, ModelScreen]]:
    async with console_on(feeder, size) as driver:
        yield driver, await opened(driver, path, tab)


async def test_the_overview_says_what_it_is_and_whether_it_can_be_trusted() -> None:
    async with model(Answering(), size=(160, 48)) as (driver, _):
        seen = driver.picture()
        for words in (
            "RandomForestClassifier",
            "sklearn.ensemble._forest",
            "n_estimators",
            "48,211",
            "✔ safe",
            "scikit-learn",
            "4242",
            "rss 210M",
            "cgroup",
            "the control groups here are read-only",
            "64 ms",
        ):
            assert words in seen


def test_a_forest_is_one_line_and_not_a_hundred() -> None:
    trees = (
        ModelEntry(f"estimators_[{number}]", "sklearn.tree._classes.DecisionTreeClassifier") for number in range(100)
    )
    other = ModelEntry("estimators_[100]", "sklearn.svm._classes.SVC")
    models = (ModelEntry("", "sklearn.ensemble._forest.RandomForestClassifier"), *trees, other)
    report = Report(demo().rows["churn/rf.joblib"], Inspection("joblib", models=models), Judgement(Verdict.SAFE))
    lines = [line.plain.split() for line in file_lines(report, 80)]
    assert ["estimators_[0]…[99]", "DecisionTreeClassifier,", "100", "of", "them"] in lines
    assert ["estimators_[100]", "SVC"] in lines


async def test_the_overview_ends_with_the_last_measurements_and_what_happened_lately() -> None:
    feeder = Answering()
    async with model(feeder, size=(160, 48)) as (driver, _):
        assert "p50 0.81 ms" in driver.picture()
        feeder.say("worker.ready", FOREST, f"{FOREST} has come back", "ok")
        feeder.say("worker.ready", "iris/svm.pkl", "another has come back", "ok")
        await driver.until(lambda: "has come back" in driver.picture().partition("lately")[2])
        assert "another" not in driver.picture().partition("lately")[2]


async def test_a_blocked_file_says_what_it_would_have_done_and_where() -> None:
    async with model(Answering(), "inbox/unknown.pkl", size=(80, 24)) as (driver, _):
        seen = driver.picture()
        assert "calls os.system" in seen
        assert "byte 27" in seen
        assert "l loads it" not in seen


async def test_number_keys_open_tabs_and_escape_goes_home() -> None:
    async with model(Answering()) as (driver, screen):
        for key, tab in (("2", "live"), ("3", "try"), ("4", "errors"), ("5", "versions"), ("1", "overview")):
            await driver.press(key)
            await driver.until(lambda wanted=tab: screen.tab == wanted and screen._panes[wanted].display)  # type: ignore[misc]
            assert [name for name, pane in screen._panes.items() if pane.display] == [tab]
        await driver.press("escape")
        await driver.until(lambda: isinstance(driver.app.screen, HomeScreen))


async def test_charts_run_only_while_their_tab_is_seen() -> None:
    async with model(Answering(), tab="live") as (driver, screen):
        pane = screen._panes["live"]
        assert isinstance(pane, LivePane)
        assert moves(pane.charts)
        await driver.press("1")
        await driver.until(lambda: screen.tab == "overview" and not moves(pane.charts))
        await driver.press("2")
        await driver.until(lambda: moves(pane.charts))
        await driver.press("v")
        await driver.until(lambda: driver.app.screen is not screen and not moves(pane.charts))


async def test_the_probe_line_and_its_keys() -> None:
    feeder = Answering()
    feeder.probes[FOREST] = replace(feeder.probes[FOREST], score={"accuracy": 0.9471})
    async with model(feeder, tab="live", size=(120, 36)) as (driver, _):
        seen = driver.picture()
        assert "probe 10/s, reached 20/s" in seen
        assert "accuracy 0.9471" in seen
        await driver.press("greater_than_sign", "less_than_sign", "right_parenthesis")
        assert feeder.asked == [("set_probe", "20.0", "None"), ("set_probe", "5.0", "None"), ("set_probe", "None", "2")]
        await driver.press("space")
        assert "held; measuring goes on" in driver.picture()
        await driver.press("space", "minus")
        assert "held" not in driver.picture()


async def test_w_asks_how_many_copies_there_shall_be() -> None:
    feeder = Answering()
    async with model(feeder, size=(100, 60)) as (driver, _):
        await driver.press("w")
        await driver.on(CopiesScreen)
        await driver.press("escape")
        assert feeder.asked == []
        await driver.press("w")
        await driver.on(CopiesScreen)
        await driver.press("j", "j", "enter")
        await driver.until(lambda: feeder.asked == [("set_copies", FOREST, "3")])
        feeder.say("worker.copies", FOREST)
        await driver.until(lambda: "4242, 4243, 4244 (3 of 3 copies)" in driver.picture())
        await driver.press("w")
        chooser = await driver.on(CopiesScreen)
        assert chooser.query_one(LineList).key == 3
        await driver.press("2")
        await driver.until(lambda: feeder.asked[-1] == ("set_copies", FOREST, "2"))


async def test_a_row_of_pixels_stands_beside_its_answer_and_its_truth() -> None:
    feeder = Answering()
    async with model(feeder, tab="try", size=(80, 24)) as (driver, _):
        await driver.until(lambda: "right" in driver.picture())
        seen = driver.picture()
        assert "▀" in seen
        assert "row 1 of 360" in seen
        assert "0.930" in seen
        feeder.truth = 8
        await driver.press("right", "right", "left")
        await driver.until(lambda: "row 2 of 360" in driver.picture() and "wrong" in driver.picture())
        assert ("predict", "2", "None") in feeder.asked


async def test_a_typed_row_is_predicted() -> None:
    feeder = Answering()
    feeder.data = {"age": 41.0, "plan": "gold"}
    feeder.outputs = {"predict": ["no"]}
    async with model(feeder, tab="try") as (driver, _):
        await driver.until(lambda: "41" in driver.picture())
        await driver.press("i")
        await driver.until(lambda: "41, gold" in driver.picture())
        await driver.press("end", "backspace", "enter")
        await driver.until(lambda: "a row typed by hand" in driver.picture())
        assert feeder.asked[-1] == ("predict", "None", "[[41, 'gol']]")


async def test_data_that_does_not_fit_is_explained_where_the_answer_would_stand() -> None:
    feeder = Answering()
    feeder.bad_data = InputError("holdout.csv does not fit the model (missing: 'age')", hint="name another file")
    async with model(feeder, tab="try") as (driver, _):
        await driver.until(lambda: "'age'" in driver.picture())


@pytest.mark.parametrize(("size", "whole"), [((80, 24), False), ((160, 48), True)])
async def test_how_the_rows_were_read_is_told(size: tuple[int, int], whole: bool) -> None:
    async with model(Answering(), tab="try", size=size) as (driver, _):
        await driver.until(lambda: "right" in driver.picture())
        seen = driver.picture()
        assert "target label · " in seen
        assert "ignored: scanner, taken at · columns by name" in seen
        assert ("decimal comma" in seen) is whole
        await driver.press("2")
        await driver.until(lambda: "in sight" in driver.picture())
        seen = driver.picture()
        assert "churn-holdout.csv · 600 rows" in seen
        assert "ignored: customer, since · columns by name" in seen
        assert ("target churned · separated by ';'" in seen) is whole


def unfit(when: float = 0.0) -> Failure:
    """A file that is far from what the model wants."""
    differences = [Difference("age", "missing", "number", None)]
    differences += [Difference(f"sensor_{number:02d}\x1b[2J", "surplus", None, "int64") for number in range(40)]
    what = "holdout.csv does not fit the model"
    return Failure(9, when, FOREST, "open_data", "columns", what, differences=tuple(differences), differing=99)


async def test_columns_that_do_not_fit_stand_side_by_side_and_scroll() -> None:
    feeder = Answering()
    feeder.bad_data = InputError(unfit().message, hint="give another file", failure=unfit())
    async with model(feeder, tab="try", size=(80, 24)) as (driver, _):
        await driver.until(lambda: "column" in driver.picture())
        lines = driver.picture().splitlines()
        head, age = (next(line for line in lines if line.lstrip().startswith(word)) for word in ("column", "age"))
        assert [age.index(word) for word in ("age", "number", "missing")] == [
            head.index(word) for word in ("column", "expected", "found")
        ]
        assert "give another file" in driver.picture()
        assert "\x1b" not in driver.picture()
        await driver.press("G")
        await driver.until(lambda: "and 58 more" in driver.picture())
        assert "not wanted" in driver.picture()


async def test_a_probe_that_was_refused_says_why_until_it_runs_again() -> None:
    feeder = Answering()
    probe = feeder.probes[FOREST]
    feeder.failed.append(unfit(probe.started + 5))
    async with model(feeder, tab="live", size=(80, 24)) as (driver, _):
        await driver.until(lambda: "missing" in driver.picture())
        assert "p tries again" in driver.picture()
        assert "latency" not in driver.picture()
        await driver.press("G")
        await driver.until(lambda: "and 58 more" in driver.picture())
        feeder.probes[FOREST] = replace(probe, started=probe.started + 10)
        feeder.say("probe.started", FOREST)
        await driver.until(lambda: "latency" in driver.picture())
        assert "missing" not in driver.picture()


async def test_the_errors_show_the_same_table() -> None:
    feeder = Answering()
    feeder.failed.append(unfit())
    async with model(feeder, tab="errors", size=(100, 40)) as (driver, _):
        await driver.until(lambda: "not wanted" in driver.picture())


async def test_what_a_recipe_sets_in_vain_is_told() -> None:
    class Vain(Answering):
        def recipe(self, path: str) -> RecipeFacts:
            return RecipeFacts(notes=("[watch] is not acted on: this version raises no alerts",))

    feeder = Vain()
    feeder.rows[FOREST] = replace(feeder.rows[FOREST], recipe="churn/rf.recipe.toml")
    async with model(feeder, size=(100, 60)) as (driver, _):
        await driver.until(lambda: "[watch] is not acted on: this version raises no alerts" in driver.picture())


async def test_hostile_text_in_a_row_cannot_steer_the_terminal() -> None:
    feeder = Answering()
    feeder.data = {"text": "\x1b]52;c;AAAA\x07[red]markup[/] \u202eevil"}
    feeder.outputs = {"predict": ["\x1b[2J[b]bold"]}
    async with model(feeder, tab="try") as (driver, _):
        await driver.until(lambda: "predicted" in driver.picture())
        seen = driver.picture()
        assert "\x1b" not in seen
        assert "\u202e" not in seen
        assert "[red]markup[/]" in seen
        assert "[b]bold" in seen


async def test_enter_on_a_failure_opens_its_whole_account() -> None:
    async with model(Answering(), "trouble/predict-raises.joblib", "errors") as (driver, _):
        assert "could not convert string to float" in driver.picture()
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, ErrorsScreen))


async def test_a_version_is_put_back_only_after_a_yes() -> None:
    feeder = Answering()
    async with model(feeder, tab="versions") as (driver, screen):
        await driver.until(lambda: "0.9251" in driver.picture())
        assert not screen.allowed("rollback")
        await driver.press("j", "B")
        await driver.until(lambda: "Put version 2" in driver.picture())
        await driver.press("enter")
        await driver.until(lambda: driver.app.screen is screen)
        assert feeder.asked == []
        await driver.press("B")
        await driver.until(lambda: "Put version 2" in driver.picture())
        await driver.press("y")
        await driver.until(lambda: ("rollback", FOREST, "2") in feeder.asked)


@pytest.mark.parametrize("tab", ["overview", "live", "try", "errors", "versions"])
@pytest.mark.parametrize("size", [(60, 18), (200, 50)])
async def test_every_tab_fits_every_terminal(tab: str, size: tuple[int, int]) -> None:
    async with model(Answering(), tab=tab, size=size) as (driver, screen):
        assert screen.max_scroll_y == 0
        assert screen.max_scroll_x == 0
        lines = driver.picture().splitlines()
        assert len(lines) == size[1]
        assert "help" in lines[-1]
        assert max(len(line) for line in lines) <= size[0]


async def test_a_model_that_is_gone_says_so() -> None:
    feeder = Answering()
    async with model(feeder, "iris/svm.pkl") as (driver, _):
        del feeder.rows["iris/svm.pkl"]
        feeder.say("artifact.removed", "iris/svm.pkl", "removed")
        await driver.until(lambda: "not in the store any more" in driver.picture())


def shot(tab: str, done: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def before(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        driver = Driver(app, pilot)
        await driver.on(HomeScreen)
        await opened(driver, FOREST, tab)
        await driver.until(lambda: done in driver.picture())

    return before


@pytest.mark.parametrize(
    ("tab", "done", "size"),
    [
        ("overview", "n_estimators", (80, 24)),
        ("live", "in sight", (120, 36)),
        ("try", "right", (80, 24)),
    ],
)
def test_pictures(snap_compare: Any, tab: str, done: str, size: tuple[int, int]) -> None:
    feeder = Answering()

    app = ConsoleApp(feeder.root, fed(feeder))
    assert snap_compare(app, terminal_size=size, run_before=shot(tab, done))
