"""The jobs of an engine, the header of a console that is attached to one, and what happened while nobody looked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from console.config import Settings
from console.engine.api import EngineApi
from console.errors import EngineGoneError, OperationError
from console.records import EngineFacts, ErrorRecord, Job, JobState, UpdateProgress
from console.ui.away import LastLook, keep_look, last_look
from console.ui.dialogs.confirm import ConfirmScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.jobs import JobsScreen
from console.ui.screens.model import ModelScreen
from console.ui.text import uptime
from console.ui.widgets.line_list import LineList
from tests.ui.demo_records import NOW, demo
from tests.ui.driving import Driver, console_on
from tests.ui.fed_engine import FedEngine
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")

RF, LR = "churn/rf.joblib", "iris/svm.pkl"
FACTS = EngineFacts(4242, NOW - (3 * 24 + 4) * 3600, "ada", "/run/model-console/engine.sock")
UPDATE = Job(3, "update", RF, "ada", NOW - 12, done=0.4, note="training 4 of 10")
FAILED = Job(
    2,
    "convert",
    LR,
    "grace",
    NOW - 90,
    JobState.FAILED,
    NOW - 60,
    error=ErrorRecord("InputError", "bad-input", "no such format", "name another"),
)
DONE = Job(1, "accelerate", RF, "grace", NOW - 300, JobState.DONE, NOW - 240, 1.0, result="the export waits")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def attached(*jobs: Job) -> Feeder:
    feeder = demo()
    feeder.engine = FACTS
    feeder.jobs = list(jobs)
    return feeder


def lines(console: Driver) -> list[str]:
    return [line for line in console.picture().splitlines() if any(one in line for one in ("✔", "✖", "◐", "▲ "))]


async def test_what_runs_stands_on_top_with_its_share_and_who_asked() -> None:
    async with console_on(attached(UPDATE, FAILED, DONE), size=(120, 30)) as console:
        await console.press("J")
        await console.on(JobsScreen)
        running, failed, done = lines(console)
        for words in ("◐ update", RF, "━", "40%", "training 4 of 10", "ada", "12s"):
            assert words in running
        for words in ("✖ conversion", LR, "no such format", "grace", "30s", "1m ago"):
            assert words in failed
        assert "the export waits" in done
        assert "1 running" in console.picture()
        await console.press("j")
        assert "name another" in console.picture()


async def test_it_follows_what_runs_live() -> None:
    feeder = attached(UPDATE)
    async with console_on(feeder, size=(80, 24)) as console:
        await console.press("J")
        await console.on(JobsScreen)
        feeder.put_job(replace(UPDATE, done=0.9, note="measuring"), "job.progress")
        await console.until(lambda: "90%" in console.picture())
        feeder.put_job(Job(4, "convert", LR, "grace", NOW), "job.started")
        await console.until(lambda: len(lines(console)) == 2)
        assert console.widget(LineList).key == UPDATE.id
        over = replace(UPDATE, state=JobState.DONE, ended=NOW, note="", result="the candidate waits, gate passed")
        feeder.put_job(over, "job.ended")
        await console.until(lambda: "the candidate waits" in console.picture())


async def test_a_job_is_cancelled_after_a_question() -> None:
    feeder = attached(UPDATE, FAILED)
    async with console_on(feeder) as console:
        await console.press("J", "X")
        await console.on(ConfirmScreen)
        assert f"Stop the update of {RF}?" in console.picture()
        assert "ada began it 12s ago" in console.picture()
        await console.press("y")
        await console.on(JobsScreen)
        await console.until(lambda: ("cancel-job", "3") in feeder.asked)
        await console.until(lambda: "cancelled" in console.picture())
        await console.press("X")
        assert isinstance(console.app.screen, JobsScreen)


async def test_enter_goes_to_what_a_job_is_about() -> None:
    async with console_on(attached(FAILED)) as console:
        await console.press("J", "enter")
        assert (await console.on(ModelScreen)).subject == LR


async def test_no_jobs_say_how_to_begin_one() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        await console.press("J")
        await console.on(JobsScreen)
        assert "nothing runs long here" in console.picture()
        assert "engine" not in console.picture().splitlines()[0]


@pytest.mark.parametrize("width", [80, 120, 160])
async def test_the_header_tells_of_the_engine_that_is_attached_to(width: int) -> None:
    async with console_on(attached(UPDATE), size=(width, 30)) as console:
        assert "engine 4242, up 3d 4h" in console.picture().splitlines()[0]
        assert "1 job" in console.picture().splitlines()[0]


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3s"), (150, "2m"), (7300, "2h 1m"), ((3 * 24 + 4) * 3600.0, "3d 4h")]
)
def test_uptime_has_two_units_at_most(seconds: float, words: str) -> None:
    assert uptime(seconds) == words


async def test_leaving_an_attached_console_asks_nothing_and_says_what_goes_on() -> None:
    feeder = attached(UPDATE)
    feeder.progresses[RF] = UpdateProgress(RF, "training", NOW)
    async with console_on(feeder) as console:
        await console.press("q")
        await console.ended()
        assert console.app.return_code == 0
        assert "engine 4242 goes on with" in console.app.attachment.farewell()
        assert "1 job running" in console.app.attachment.farewell()


async def test_an_engine_that_is_gone_leaves_the_rows_and_comes_back() -> None:
    feeder, back = attached(), asyncio.Event()
    first, second = FedEngine(feeder), FedEngine(feeder)

    async def again() -> EngineApi:
        if not back.is_set():
            raise OperationError("no engine serves the store")
        return second

    async with console_on(feeder, seen=lambda _engine: first, again=again) as console:
        rows = len(console.app.rows.by_path)
        first.gone.set()
        await console.until(lambda: "engine gone, trying again" in console.picture())
        assert len(console.app.rows.by_path) == rows
        await console.press("l")
        assert ("load", RF) not in feeder.asked
        assert isinstance(console.app.screen, HomeScreen)
        assert "the engine is gone" in str(console.app.screen.objection("load"))
        await console.press("j", "k", "J", "escape", "v", "escape")
        back.set()
        feeder.say("worker.ended", LR, "it came back")
        await console.until(lambda: "engine 4242, up" in console.picture())
        assert console.app.engine is second
        feeder.put_job(UPDATE, "job.started")
        await console.until(lambda: "1 job" in console.picture())


async def test_an_engine_in_this_process_is_never_looked_for() -> None:
    feeder = demo()
    engine = FedEngine(feeder)

    async def lost() -> None:
        async with console_on(feeder, seen=lambda _engine: engine) as console:
            engine.gone.set()
            await console.ended()

    with pytest.raises(EngineGoneError):
        await lost()


async def test_events_since_the_last_look_are_set_off() -> None:
    feeder = attached()
    feeder.say("worker.ready", RF, f"{RF} is ready")
    keep_look(feeder.root, LastLook(FACTS.started, feeder.bus.last, NOW - 3600))
    for _ in range(2):
        feeder.say("failure.added", LR, f"{LR} failed", "failure")
    async with console_on(feeder, toasts=True) as console:
        await console.until(lambda: "While you were away: 2 events, 2 failures among them." in console.picture())
        await console.press("v")
        await console.until(lambda: "while you were away · 2 events since" in console.picture())
        told = [
            line for line in console.picture().splitlines() if "failed" in line or "is ready" in line or "──" in line
        ]
        marks = [index for index, line in enumerate(told) if "while you were away" in line]
        assert ["failed" in line for line in told[marks[0] - 2 : marks[0]]] == [True, True]
        assert "is ready" in told[marks[0] + 1]
    look = last_look(feeder.root)
    assert look is not None
    assert (look.engine, look.number) == (FACTS.started, feeder.bus.last)
    async with console_on(feeder) as console:
        assert console.app.away is None


async def test_an_engine_begun_since_is_told_of_as_a_whole() -> None:
    feeder = attached()
    keep_look(feeder.root, LastLook(FACTS.started - 1000, 400, NOW - 200_000))
    feeder.say("worker.ready", RF, f"{RF} is ready")
    async with console_on(feeder) as console:
        assert console.app.away is not None
        assert console.app.away.after == 0


async def test_read_only_holds_for_an_engine_that_may_be_changed() -> None:
    async with console_on(attached(UPDATE), settings=Settings(read_only=True)) as console:
        assert "READ-ONLY" in console.picture().splitlines()[0]
        assert console.app.mirror.permissions.why_read_only == "it was asked for"
        await console.press("J", "X")
        assert isinstance(console.app.screen, JobsScreen)
