"""States on the screens follow from what happens: failing, dead, old and not asked are each told as such."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.screen import Screen
from textual.widgets import Input

from console.errors import OperationError
from console.records import ProbePlan, ProbeState, Verdict, WorkerState
from console.screen_table import SCREENS as SCREEN_TABLE
from console.ui.keys import ACTIONS, EVERYWHERE
from console.ui.navigation import screen_class
from console.ui.rows import Row
from console.ui.screens.base import ConsoleScreen
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import TABS, ModelScreen
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.columns import layout
from console.ui.widgets.filter_bar import FilterBar
from console.ui.widgets.footer import Footer
from tests.ui.demo_records import NOW, RAISED, artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")

DRIVEN = "churn/rf.joblib"
DEAD = "trouble/worker-dies.joblib"


def fail(feeder: Feeder) -> None:
    """The driven model fails from now on."""
    feeder.probes[DRIVEN] = replace(
        feeder.probes[DRIVEN], failing=True, error_rate=20.0, errors=412, last_error="X has 13 features"
    )
    feeder.say("worker.phase", DRIVEN)


def die(feeder: Feeder, retry_at: float | None = None) -> None:
    """The worker of the driven model is dead; its probe waits."""
    feeder.views[DRIVEN] = replace(
        feeder.views[DRIVEN], state=WorkerState.ERROR, pid=None, memory=None, since=NOW, retry_at=retry_at
    )
    feeder.probes[DRIVEN] = replace(feeder.probes[DRIVEN], waits=True)
    feeder.recorders[DRIVEN].gone()
    feeder.say("worker.error", DRIVEN)


def line_of(console: Driver, words: str) -> str:
    return next(line for line in console.picture().splitlines() if words in line)


async def test_a_model_that_is_driven_and_fails_is_failing_wherever_its_state_is_told() -> None:
    feeder = demo()
    async with console_on(feeder, size=(160, 48)) as console:
        fail(feeder)
        await console.until(lambda: "1 failing" in console.picture())
        row = line_of(console, DRIVEN)
        assert "✖ failing" in row
        assert "20/s fail, 412 errors" in row
        assert "probing" not in console.picture()
        assert "✖ failing  20/s fail, 412 errors: X has 13 features" in console.picture()
        await console.press("j", "exclamation_mark", "exclamation_mark", "exclamation_mark", "exclamation_mark")
        await console.press("exclamation_mark")
        assert console.app.screen.subject == DRIVEN  # type: ignore[attr-defined]
        await console.press("enter")
        await console.on(ModelScreen)
        await console.until(lambda: "ready for 60s" in console.picture() or "ready for 1m" in console.picture())
        assert "✖ failing  20/s fail, 412 errors" in line_of(console, "RandomForestClassifier   ")
        await console.until(lambda: "ready for 1m, 20/s fail, 412 errors" in console.picture())
        await console.until(lambda: "probe        20/s fail, 412 errors" in console.picture())
        await console.press("2")
        await console.until(lambda: "✖ probe" in console.picture())
        await console.until(lambda: "20/s fail, 412 errors" in line_of(console, "✖ probe"))
        assert "▶" not in console.picture()


async def test_a_file_that_is_removed_keeps_its_row_while_it_is_loaded() -> None:
    feeder = demo()
    async with console_on(feeder, size=(160, 48)) as console:
        gone = feeder.rows.pop(DRIVEN)
        feeder.probes.pop(DRIVEN, None)
        for kind in ("artifact.removed", "store.scanned"):
            feeder.say(kind, DRIVEN if kind == "artifact.removed" else "")
            await console.until(lambda: "▲ removed" in line_of(console, DRIVEN))
        console.app.screen.query_one(ArtifactTable).select(DRIVEN)
        await console.until(lambda: "any more; x unloads its worker" in console.picture())
        del feeder.views[DRIVEN]
        feeder.say("worker.ended", DRIVEN)
        await console.until(lambda: DRIVEN not in console.app.rows.by_path)
        assert gone.path not in console.picture()


@pytest.mark.slow
async def test_a_model_that_fails_ranks_before_all_others() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        fail(feeder)
        console.app.arrange(sort="state")
        await console.until(lambda: console.app.rows.sort == "state" and console.app.rows.at(0).path == DRIVEN)


async def test_a_copy_that_died_is_counted_and_its_restart_counted_down(monkeypatch: pytest.MonkeyPatch) -> None:
    feeder = demo()
    async with console_on(feeder, size=(160, 48)) as console:
        feeder.probes.pop(DRIVEN, None)
        feeder.views[DRIVEN] = replace(feeder.views[DRIVEN], copies=3, pids=(4242, 4243), retry_at=NOW + 4)
        feeder.say("worker.copies", DRIVEN)
        await console.until(lambda: "2 of 3 ready, 1 again in 4 s" in line_of(console, DRIVEN))
        assert "● ready" in line_of(console, DRIVEN)
        monkeypatch.setattr(time, "time", lambda: NOW + 2)
        await console.until(lambda: "2 of 3 ready, 1 again in 2 s" in line_of(console, DRIVEN))
        feeder.views[DRIVEN] = replace(feeder.views[DRIVEN], pids=(4242, 4243, 4244), retry_at=None)
        feeder.say("worker.copies", DRIVEN)
        await console.until(lambda: "of 3 ready" not in console.picture())


async def test_a_dead_worker_is_dead_everywhere_and_its_restart_is_counted_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feeder = demo()
    async with console_on(feeder, size=(160, 48)) as console:
        assert "2.1 ms" in line_of(console, DRIVEN)
        die(feeder, NOW + 4)
        await console.until(lambda: "again in 4 s" in console.picture())
        row = line_of(console, DRIVEN)
        assert "✖ error" in row
        assert "2.1 ms" not in row
        assert console.picture().count("again in 4 s") == 2
        monkeypatch.setattr(time, "time", lambda: NOW + 2)
        await console.until(lambda: console.picture().count("again in 2 s") == 2)
        await console.press("enter")
        await console.on(ModelScreen)
        await console.until(lambda: "error for 2s, again in 2 s" in console.picture())
        assert "waits: no worker answers" in console.picture()
        await console.press("2")
        await console.until(lambda: "probe waits: the worker is dead, again in 2 s" in console.picture())
        assert "▶" not in console.picture()
        await console.until(lambda: "ended" in console.picture())
        assert " now" not in console.picture()
        monkeypatch.setattr(time, "time", lambda: NOW + 3)
        await console.until(lambda: "probe waits: the worker is dead, again in 1 s" in console.picture())


@pytest.mark.parametrize("state", [WorkerState.ERROR, WorkerState.LOADING, WorkerState.DRAINING, WorkerState.ENDED])
def test_only_a_worker_that_answers_has_a_p99(state: WorkerState) -> None:
    feeder = demo()
    row = Row(feeder.rows[DRIVEN], feeder.views[DRIVEN], feeder.probes[DRIVEN])
    assert row.p99 == feeder.probes[DRIVEN].worker.p99  # type: ignore[union-attr]
    assert replace(row, worker=replace(feeder.views[DRIVEN], state=state)).p99 is None


def test_what_was_measured_of_the_worker_before_is_not_told_of_this_one() -> None:
    feeder = demo()
    over = replace(feeder.probes[DRIVEN], running=False)
    assert Row(feeder.rows[DRIVEN], feeder.views[DRIVEN], over).p99 is not None
    assert Row(feeder.rows[DRIVEN], replace(feeder.views[DRIVEN], since=NOW - 10), over).p99 is None


async def test_a_model_that_an_earlier_session_judged_is_not_told_as_unreadable() -> None:
    feeder = Feeder([artifact("a.pkl", 10, 5, "pickle", "a.B", Verdict.SAFE)])
    known = demo().reports[DRIVEN]
    async with console_on(feeder) as console:
        assert "no facts could be read" not in console.picture()
        assert "every byte was read" not in console.picture()
        assert "safe when it was last read" in console.picture()
        await console.until(lambda: "nothing is known of a.pkl" in console.picture(), "why it could not be read")
        feeder.reports["a.pkl"] = known
        feeder.say("artifact.inspected", "a.pkl")
        await console.until(lambda: "200 trees" in console.picture())


SAMPLES = {"errors": None, "trust": "fraud/lr.pkl"}
"""Models that screens are about here, where it is not the driven one."""


def made(name: str) -> Callable[[], Screen[None]]:
    kind = screen_class(name)
    return kind if SCREEN_TABLE[name].about == "store" else lambda: kind(SAMPLES.get(name, DRIVEN))


SCREENS: dict[str, Callable[[], Screen[None]]] = {
    "home": HomeScreen,
    **{name: made(name) for name in SCREEN_TABLE},
    **{f"model {tab}": lambda tab=tab: ModelScreen(DRIVEN, tab) for tab in TABS if tab != "try"},  # type: ignore[misc]
    **{f"dead {tab}": lambda tab=tab: ModelScreen(DEAD, tab) for tab in TABS},  # type: ignore[misc]
}
"""Every full screen; those of a model with each tab, alive and dead."""


def test_every_full_screen_is_walked() -> None:
    def kinds(kind: type[ConsoleScreen]) -> set[type[ConsoleScreen]]:
        return {kind}.union(*(kinds(one) for one in kind.__subclasses__()))

    own = {kind for kind in kinds(ConsoleScreen) if kind.PLACE and kind.__module__.startswith("console.ui.screens.")}
    assert {kind.PLACE for kind in own} == {name.split()[0] for name in SCREENS} - {"dead"} | {"boot"}


@pytest.mark.parametrize(
    "name",
    [
        "model overview",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("home", "errors", "history", "trust", "model versions", "dead errors")
        ),
    ],
)
async def test_relative_times_move_while_nothing_happens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    feeder = demo()
    feeder.failed[:] = [replace(one, when=NOW - 8) for one in feeder.failed]
    feeder.versions[DRIVEN] = tuple(replace(one, when=NOW - 7) for one in demo().versions[DRIVEN])
    feeder.rows = {path: replace(row, modified=NOW - 6) for path, row in feeder.rows.items()}
    async with console_on(feeder) as console:
        await console.app.push_screen(SCREENS[name]())
        await console.until(lambda: "s ago" in console.picture() or name == "trust")
        monkeypatch.setattr(time, "time", lambda: NOW + 7200 + 600)
        await console.until(lambda: "2h ago" in console.picture() or ("4h ago" in console.picture()))
        assert "s ago" not in console.picture()


@pytest.mark.slow
async def test_a_screen_on_which_nothing_moves_is_not_painted_again() -> None:
    async with console_on(demo()) as console:
        home = console.app.screen
        assert isinstance(home, HomeScreen)
        home._tick()
        told: list[str] = []
        home.times_passed = lambda: told.append("passed")  # type: ignore[method-assign]
        home._tick()
        assert told == []


def reaches(screen: ConsoleScreen, action: str) -> bool:
    """Whether a key of the action gets to it from where the focus is; what scrolls lets a key through."""
    chain = [bindings.key_to_bindings for _node, bindings in screen._binding_chain]
    for key in {key for one in chain for key in one}:
        answers = [binding.action for one in chain for binding in one.get(key, ())]
        if next((answer for answer in answers if not answer.startswith("scroll_")), "") == f"do('{action}')":
            return True
    return False


@pytest.mark.slow
async def test_footers_tell_keys_that_work_there_and_the_others_say_why() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        for name, make in SCREENS.items():
            await console.app.push_screen(make())
            screen = console.app.screen
            assert isinstance(screen, ConsoleScreen)
            await console.until(lambda screen=screen: screen.is_built)  # type: ignore[misc]
            await console.pilot.pause()
            told = () if isinstance(screen.focused, Input) else screen.query_one(Footer)._wanted()
            assert [action for action in told if not reaches(screen, action)] == [], name
            assert all(screen.can(action) for action in told), name
            for one in ACTIONS:
                here = screen.PLACE in one.places or EVERYWHERE in one.places
                if here and screen._has(one.id) and not screen.can(one.id):
                    assert screen.why_not(one.id), (name, one.id)
            console.app.pop_screen()
            await console.pilot.pause()


async def test_a_key_that_cannot_act_says_why_in_a_word() -> None:
    store = demo()
    async with console_on(store) as console:
        console.app.screen.query_one(ArtifactTable).select("iris/svm.pkl")
        await console.press("x")
        assert [one.message for one in console.app._notifications] == ["unload: it is not loaded"]
        await console.press("r")
        assert [one.message for one in console.app._notifications] == ["reload: it is not loaded"]
        console.app.screen.query_one(ArtifactTable).select("inbox/unknown.pkl")
        await console.press("p")
        assert [one.message for one in console.app._notifications] == ["probe: it is blocked"]
        console.app.screen.query_one(ArtifactTable).select("inbox/half.joblib")
        store.put(replace(store.rows["inbox/half.joblib"], problem="cannot be read", verdict=None))
        await console.until(lambda: console.app.mirror.rows["inbox/half.joblib"].problem)
        await console.press("p")
        assert [one.message for one in console.app._notifications] == ["probe: it cannot be read"]


@pytest.mark.slow
async def test_toasts_give_way_to_what_a_key_opens_and_go_with_escape() -> None:
    feeder = demo()
    async with console_on(feeder, toasts=True) as console:
        console.app.say("something happened")
        await console.until(lambda: "something happened" in console.picture())
        await console.press("enter")
        await console.on(ModelScreen)
        await console.until(lambda: "something happened" not in console.picture())
        console.app.say("something else")
        await console.until(lambda: "something else" in console.picture())
        await console.press("escape")
        assert isinstance(console.app.screen, ModelScreen)
        await console.until(lambda: "something else" not in console.picture())
        await console.press("escape")
        await console.on(HomeScreen)


async def test_a_load_that_fails_is_told_once_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    feeder = demo()

    async def reload(path: str) -> None:
        feeder.say("failure.added", path, "no space is left", "failure")
        raise OperationError("no space is left", hint="make room there")

    async with console_on(feeder) as console:
        monkeypatch.setattr(feeder, "reload", reload)
        console.app.operations.perform("reload", DRIVEN)
        await console.until(lambda: len(console.app._notifications))
        feeder.say("update.compared", DRIVEN, "compared", "ok")
        await console.until(lambda: len(console.app._notifications) > 1)
        told = [one.message for one in console.app._notifications]
        assert told == ["no space is left\nmake room there", "compared"]


@pytest.mark.parametrize("kinds", [("worker.error", "failure.added"), ("failure.added", "worker.error")])
async def test_a_death_is_told_once_in_whichever_order_it_comes(kinds: tuple[str, str]) -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        for kind in kinds:
            feeder.say(kind, DRIVEN, "it died", "failure")
        await console.until(lambda: len(console.app._notifications))
        feeder.say("worker.phase", DRIVEN)
        await console.pilot.pause()
        assert len(console.app._notifications) == 1


async def test_the_filter_is_told_at_any_size_and_the_next_one_starts_empty() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        await console.press("slash")
        assert "enter keep  esc drop" in console.picture()
        assert "load" not in console.picture().splitlines()[-1]
        await console.write("trouble")
        await console.press("enter")
        await console.until(lambda: "filter trouble: 2 of 12" in console.picture())
        await console.press("slash")
        assert console.widget(FilterBar).pattern == ""
        assert "up last pattern" in console.picture()
        await console.press("up")
        assert console.widget(FilterBar).pattern == "trouble"
        await console.press("enter")
        await console.until(lambda: "filter trouble: 2 of 12" in console.picture())
        await console.press("escape", "slash", "up", "enter")
        await console.until(lambda: "filter trouble: 2 of 12" in console.picture())


@pytest.mark.slow
async def test_sorting_takes_only_columns_that_are_shown() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        rows, table = console.app.rows, console.app.screen.query_one(ArtifactTable)
        seen = [rows.sort]
        for _ in range(len(table.shown_columns)):
            await console.press("s")
            await console.until(lambda: rows.sort != seen[-1])
            seen.append(rows.sort)
        assert set(seen) == set(table.shown_columns) < {"state", "model", "class", "size", "trust", "p99", "rss"}
        assert seen[-1] == seen[0]


def test_names_are_cut_last_and_columns_without_values_give_way() -> None:
    def room(width: int, **wanted: int) -> dict[str, int]:
        return {column.name: cells for column, cells in layout(width, wanted).columns}

    assert "p99" not in room(120, model=20)
    assert "p99" in room(120, model=20, p99=1)
    assert room(80, model=36)["model"] == 36
    assert room(160, model=70, p99=1, rss=1)["model"] == 70
    assert room(200, model=80, **{"class": 60})["class"] == 60
    assert {"class", "trust"} <= room(80, model=400).keys()


@pytest.mark.slow
async def test_a_probe_that_has_no_answer_yet_is_told_so() -> None:
    feeder = demo()
    feeder.probes[DRIVEN] = ProbeState(ProbePlan("d.csv"), True, NOW - 2)
    del feeder.recorders[DRIVEN]
    async with console_on(feeder) as console:
        await console.until(lambda: "latency no answer yet" in console.picture())
        assert "to drive it" not in console.picture()


@pytest.mark.slow
async def test_a_failure_that_goes_on_tells_when_it_was_last() -> None:
    feeder = demo()
    feeder.failed[:] = [replace(RAISED, when=NOW - 40, last=NOW - 2, count=218)]
    async with console_on(feeder) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        assert "2s ago" in console.picture()
        assert "40s ago" not in console.picture()
        assert "218 times until" in console.picture()
