"""The page of all loaded models: what needs a person first, as many as fit, moved by keys, still when nothing moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.geometry import Region, Size

from console.config import Settings
from console.records import Memory, ProbeState, Verdict, WorkerState
from console.trust.roles import Permission, Role
from console.ui import text
from console.ui.dialogs.confirm import ConfirmScreen
from console.ui.screens.charts import ChartsScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.widgets.charts_grid import ChartsGrid, fitted
from console.ui.widgets.small_chart import SmallChart
from tests.ui.demo_records import NOW, artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder
from tests.ui.measured import Clock, feed, story

pytestmark = pytest.mark.usefixtures("still_clock")

FOREST, DEAD, IDLE = "churn/rf.joblib", "trouble/worker-dies.joblib", "fraud/lr.pkl"


@pytest.fixture(autouse=True)
def _other_signs_afterwards() -> Iterator[None]:
    yield
    text.use_ascii(False)


def path(number: int) -> str:
    return f"fleet/m{number:02}.joblib"


def fleet(count: int) -> Feeder:
    """So many loaded models that are driven, the first one's requests failing, and none beside."""
    feeder = demo()
    view, probe = feeder.views[FOREST], feeder.probes[FOREST]
    feeder.views, feeder.probes = {}, {}
    for number in range(count):
        one = path(number)
        feeder.rows[one] = artifact(one, 9_000, 60, "joblib", "sklearn.svm._classes.SVC", Verdict.SAFE)
        feeder.views[one] = replace(view, path=one, pid=5000 + number, memory=Memory(10**8))
        feeder.probes[one] = probe
    if count:
        feeder.probes[path(0)] = failing(probe)
        feeder.recorders[path(0)] = story(Clock())
    return feeder


def failing(probe: ProbeState) -> ProbeState:
    return replace(probe, failing=True, errors=412, error_rate=19.0, last_error="could not convert")


@asynccontextmanager
async def charts(
    feeder: Feeder, size: tuple[int, int] = (80, 24), settings: Settings | None = None
) -> AsyncIterator[tuple[Driver, ChartsScreen]]:
    async with console_on(feeder, size, settings) as driver:
        await driver.press("C")
        screen = await driver.on(ChartsScreen)
        await driver.until(lambda: not feeder.views or "in sight" in driver.picture())
        yield driver, screen


def titles(driver: Driver) -> list[str]:
    """The models in sight, in their order."""
    shown = driver.app.screen.query(SmallChart)
    return [one.path for one in shown if one.display and one.path is not None]


@pytest.mark.parametrize(
    ("count", "size", "shape"),
    [
        (1, (78, 21), (1, 1, 21)),
        (3, (78, 21), (1, 3, 7)),
        (6, (78, 21), (2, 3, 7)),
        (60, (78, 21), (2, 3, 7)),
        (1, (158, 45), (1, 1, 45)),
        (2, (158, 45), (2, 1, 45)),
        (6, (158, 45), (2, 3, 15)),
        (1, (238, 45), (2, 1, 45)),
        (20, (158, 45), (3, 7, 6)),
        (60, (158, 45), (4, 7, 6)),
        (9, (30, 9), (1, 1, 9)),
        (9, (20, 1), (1, 1, 2)),
    ],
)
def test_charts_are_as_large_as_can_be_where_all_fit(
    count: int, size: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    assert fitted(count, Size(*size)) == shape


async def test_a_dead_worker_that_is_left_alone_tells_the_key_beside_its_chart() -> None:
    feeder = fleet(1)
    feeder.views[path(0)] = replace(feeder.views[path(0)], state=WorkerState.ERROR, pid=None, memory=None)
    async with charts(feeder) as (driver, _):
        await driver.until(lambda: "r tries again" in driver.picture() and "ended:" not in driver.picture())


async def test_what_needs_a_person_comes_first_and_every_state_is_told() -> None:
    feeder = demo()
    feeder.views[path(1)] = replace(feeder.views[FOREST], path=path(1), state=WorkerState.LOADING, phase="read")
    feeder.rows[path(1)] = artifact(path(1), 9_000, 60, "joblib", "sklearn.svm._classes.SVC", Verdict.SAFE)
    feeder.views[DEAD] = replace(feeder.views[DEAD], retry_at=NOW + 4)
    async with charts(feeder, (120, 36)) as (driver, screen):
        told = (
            "again in 4 s",
            "ended: killed by signal 11",
            "  r tries again",
            "not driven: p",
            "loading: read",
            "p50    0.85 ms",
            "rate     10 /s",
            "mem       210M",
            "err          0",
            "4 models · latency, ",
        )
        order = [DEAD, IDLE, path(1), FOREST]
        await driver.until(lambda: titles(driver) == order and all(words in driver.picture() for words in told))
        assert screen.subject == DEAD
        feeder.probes[FOREST] = failing(feeder.probes[FOREST])
        feeder.say("probe.started", FOREST)
        order = [FOREST, DEAD, IDLE, path(1)]
        await driver.until(lambda: titles(driver) == order and "fail     19 /s" in driver.picture())
        assert screen.subject == DEAD


async def test_the_word_of_a_state_ends_above_the_figures() -> None:
    feeder = fleet(1)
    async with charts(feeder) as (driver, _):
        await driver.until(lambda: "fail     19 /s" in driver.picture())
        lines = driver.picture().splitlines()
        state, figure = (next(line for line in lines if words in line) for words in (path(0), " 19 /s"))
        assert state.endswith(" failing")
        assert len(state) == len(figure)


async def test_keys_move_among_sixty_models_and_open_one() -> None:
    async with charts(fleet(60)) as (driver, screen):
        first = [path(number) for number in range(6)]
        await driver.until(lambda: titles(driver) == first and "1 to 6 of 60 models" in driver.picture())
        for key, number in (
            ("right", 1), ("left", 0), ("right", 1), ("j", 3), ("up", 1), ("k", 1), ("down", 3),
            ("pagedown", 9), ("pageup", 3), ("G", 59), ("right", 59), ("j", 59), ("g", 0),
        ):  # fmt: skip
            await driver.press(key)
            assert screen.subject == path(number), key
        await driver.press("j", "j", "j")
        last = [path(number) for number in range(2, 8)]
        await driver.until(lambda: titles(driver) == last and "3 to 8 of 60 models" in driver.picture())
        await driver.press("enter")
        model = await driver.on(ModelScreen)
        await driver.until(lambda: model.tab == "live")
        assert model.subject == path(6)
        await driver.press("escape")
        await driver.on(ChartsScreen)
        await driver.press("escape")
        await driver.on(HomeScreen)


@pytest.mark.slow
async def test_the_one_under_the_cursor_is_driven_and_unloaded_where_that_may_be() -> None:
    feeder = fleet(3)
    async with charts(feeder) as (driver, _):
        await driver.until(lambda: len(titles(driver)) == 3)
        await driver.press("j", "p")
        await driver.until(lambda: feeder.asked == [("stop_probe", path(1))])
        await driver.press("x")
        await driver.on(ConfirmScreen)
        await driver.press("y")
        await driver.until(lambda: ("unload", path(1)) in feeder.asked)
        del feeder.views[path(1)]
        feeder.say("worker.ended", path(1))
        await driver.until(lambda: titles(driver) == [path(0), path(2)])
        feeder.permission = Permission(Role.VIEW, "ada", {"operate": ("ml-oncall",)}, "the policy")
        feeder.say("worker.phase", path(0))
        await driver.until(lambda: driver.app.mirror.permissions.role == "view", "the role that the screen goes by")
        feeder.asked.clear()
        await driver.press("p", "x")
        assert isinstance(driver.app.screen, ChartsScreen)
    assert feeder.asked == []


async def test_a_model_that_fails_offers_its_errors() -> None:
    feeder = fleet(1)
    async with charts(feeder) as (driver, _):
        await driver.until(
            lambda: "failing" in driver.picture() and "enter open  e errors  p probe" in driver.picture()
        )
        feeder.probes[path(0)] = replace(feeder.probes[path(0)], failing=False, error_rate=0.0)
        feeder.say("worker.phase", path(0))
        await driver.until(lambda: "enter open  p probe  x unload" in driver.picture())


async def test_nothing_loaded_says_what_to_press() -> None:
    feeder = fleet(0)
    async with charts(feeder) as (driver, screen):
        await driver.until(lambda: "nothing is loaded" in driver.picture())
        assert not any(screen.allowed(action) for action in ("open", "down", "pause", "zoom-in", "probe"))
        await driver.press("j", "enter", "space")
        assert isinstance(driver.app.screen, ChartsScreen)
        feeder.views[FOREST] = demo().views[FOREST]
        feeder.say("worker.ready", FOREST)
        await driver.until(lambda: titles(driver) == [FOREST] and "not driven: p" in driver.picture())


async def test_all_are_held_and_zoomed_together() -> None:
    feeder, clocks = fleet(2), (Clock(), Clock())
    feeder.recorders = {path(number): story(clock) for number, clock in enumerate(clocks)}

    def measured() -> None:
        for clock, recorder in zip(clocks, feeder.recorders.values(), strict=True):
            feed(recorder, clock, 2, ms=400.0)

    async with charts(feeder) as (driver, screen):
        await driver.until(lambda: driver.picture().count("rate     20 /s") == 2)
        spans = {one.span for one in driver.app.screen.query(SmallChart) if one.display}
        assert len(spans) == 1
        await driver.press("space")
        await driver.until(lambda: "held; measuring goes on" in driver.picture())
        measured()
        screen.engine_changed(())
        await driver.pilot.pause()
        assert "400 ms" not in driver.picture()
        await driver.press("space")
        await driver.until(lambda: driver.picture().count(" 400 ms") == 4 and "held" not in driver.picture())
        await driver.press("minus")
        assert {one.span for one in driver.app.screen.query(SmallChart) if one.display} == {2.5 * min(spans)}


async def test_what_has_not_changed_is_not_painted_and_nothing_is_under_another_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feeder, clock = fleet(2), Clock()
    feeder.recorders = {path(0): story(Clock()), path(1): story(clock)}
    async with charts(feeder) as (driver, screen):
        await driver.until(lambda: driver.picture().count("rate     20 /s") == 2)
        painted: list[str | None] = []

        def refresh(self: SmallChart, *regions: Region, **_: bool) -> SmallChart:
            painted.append(self.path)
            return self

        monkeypatch.setattr(SmallChart, "refresh", refresh)
        screen.engine_changed(())
        assert painted == []
        feed(feeder.recorders[path(1)], clock, 1)
        await screen.fetch()
        screen.engine_changed(())
        assert set(painted) == {path(1)}
        await driver.press("v")
        await driver.until(lambda: driver.app.screen is not screen)
        painted.clear()
        feed(feeder.recorders[path(1)], clock, 1)
        await screen.fetch()
        screen.engine_changed(())
        assert painted == []


async def test_models_may_come_and_go_while_their_measurements_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    async with charts(fleet(2)) as (driver, screen):
        workers = driver.app.mirror.workers
        measured: list[str] = []

        async def measure(path: str, widths: object) -> None:
            measured.append(path)
            workers.pop(path, None)

        monkeypatch.setattr(driver.app.mirror, "measure", measure)
        await screen.fetch()
        assert measured == [path(0), path(1)]


@pytest.mark.slow
async def test_a_click_stands_on_a_model_and_another_opens_it() -> None:
    async with charts(fleet(3)) as (driver, screen):
        await driver.until(lambda: len(titles(driver)) == 3)
        cell = list(driver.app.screen.query(SmallChart))[2]
        await driver.pilot.click(cell)
        await driver.until(lambda: screen.subject == path(2))
        await driver.pilot.click(cell)
        await driver.on(ModelScreen)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(60, 18), (80, 24), (200, 50)])
async def test_the_page_fits_every_terminal_in_ascii_too(size: tuple[int, int]) -> None:
    async with charts(fleet(60), size, Settings(ascii=True)) as (driver, screen):
        await driver.until(lambda: driver.widget(ChartsGrid).shown[1] > 0)
        lines = driver.picture().splitlines()
        assert driver.picture().isascii()
        assert (len(lines), "help" in lines[-1]) == (size[1], True)
        assert max(len(line) for line in lines) <= size[0]
        assert (screen.max_scroll_x, screen.max_scroll_y) == (0, 0)
