"""Requests of other programs on the screens: told apart from the probe, with their worst, and what is served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.monitor.series import Recorder
from console.records import (
    Durations,
    Failure,
    Memory,
    ModelStatistics,
    Quantiles,
    RequestOutcome,
    ServedModel,
    ServedState,
    ServedVersion,
    ServeSettings,
    TrafficState,
)
from console.ui import text
from console.ui.dialogs.worst import WorstScreen
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.serving import ServingScreen
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.charts_panel import LATENCY, THROUGHPUT
from console.ui.widgets.plot import Ink
from console.ui.widgets.traceback import failure_lines
from console.ui.widgets.window import Window
from tests.fetched import fetched
from tests.ui.demo_records import NOW, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder
from tests.ui.measured import Clock

pytestmark = pytest.mark.usefixtures("still_clock")

MODEL = "churn/rf.joblib"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"
TIMES = Quantiles(0.9, 1.8, 4.25, 9.0, 600)
ASKED = TrafficState(
    "churn", 12_345, 3, 50_000, NOW - 2, 48.0, 0.0, TIMES, TIMES, Quantiles(0.1, 0.2, 0.3, 1.0, 600), 4.0
)


def outcome(number: int, **about: object) -> RequestOutcome:
    """A request of some milliseconds."""
    usual = {"model": "churn", "path": MODEL, "version": "7", "when": NOW - number, "rows": 4, "bytes_in": 300}
    more = {"queue_ms": 1.0, "model_ms": 2.0, "total_ms": float(number), "batch": 8, "id": f"r{number}", "who": "ada"}
    return RequestOutcome(**{**usual, **more, **about})  # type: ignore[arg-type]


def asked(*, driven: bool = False, **about: object) -> Feeder:
    """The demo store, whose forest is asked by others, and `driven` besides."""
    feeder = demo()
    if not driven:
        feeder.probes.clear()
    feeder.traffic[MODEL] = replace(ASKED, **about)  # type: ignore[arg-type]
    feeder.worst = (outcome(5), outcome(700), outcome(1, error="deadline", message="too late", trace=TRACE))
    versions = (
        ServedVersion("7", ServedState.AVAILABLE, digest="sha256:9f2c41d0aa", current=True, weight=0.9),
        ServedVersion(
            "8",
            ServedState.AVAILABLE,
            digest="sha256:77aa",
            labels=("canary",),
            weight=0.1,
            memory=Memory(50 << 20),
            cpu=12.0,
        ),
    )
    feeder.served = (
        ServedModel("churn", MODEL, "joblib", None, "safe", ServeSettings("churn", copies=2), versions, ready=True),
        ServedModel("iris", "iris/svm.pkl", "pickle", None, "safe", ServeSettings("iris"), reason="it was unloaded"),
    )
    counts = ModelStatistics("churn", "7", NOW, 9, 9, Durations(12_000, 1), Durations(3, 1), errors={"deadline": 3})
    feeder.statistics = (counts,)
    return feeder


def line_of(console: Driver, words: str) -> str:
    return next(line for line in console.picture().splitlines() if words in line)


async def shown(console: Driver, words: str) -> None:
    await console.until(lambda: words in console.picture(), words)


async def test_home_shows_real_traffic_where_there_is_any() -> None:
    async with console_on(asked(), (150, 32)) as console:
        await shown(console, "REQ/S")
        line = line_of(console, "churn/rf")
        assert "serving" in line
        assert "48" in line
        assert "4.2 ms" in line
        assert "ERR/S" not in console.picture()
        assert "1 serving" in console.picture()


async def test_a_model_whose_requests_fail_is_failing() -> None:
    feeder = asked(failing=True, error_rate=3.0, last_error="it raised")
    async with console_on(feeder, (150, 32)) as console:
        await shown(console, "failing")
        line = line_of(console, "churn/rf")
        assert "3/s fail, 3 errors" in line
        assert "ERR/S" in console.picture()
        console.widget(ArtifactTable).select(MODEL)
        await shown(console, "it raised")


async def test_a_narrow_home_has_no_room_for_rates_and_tells_them_below() -> None:
    async with console_on(asked(), (80, 24)) as console:
        console.widget(ArtifactTable).select(MODEL)
        await shown(console, "48/s asked")
        assert "REQ/S" not in console.picture()


async def test_the_live_tab_tells_requests_and_opens_the_worst() -> None:
    async with console_on(asked(), (150, 40)) as console:
        await console.app.push_screen(ModelScreen(MODEL, "live"))
        await console.on(ModelScreen)
        await shown(console, "requests 48/s")
        assert "12,345 in all" in console.picture()
        await console.press("R")
        await console.on(WorstScreen)
        lines = [line for line in console.picture().splitlines() if " r" in line and "ago" in line]
        assert ["deadline" in line for line in lines[:3]] == [True, False, False]
        assert [word for line in lines for word in line.split() if word[0] == "r" and word[1:].isdigit()] == [
            *("r1", "r700", "r5")
        ]
        assert TRACE_ID in console.picture()
        assert "too late" in console.picture()
        await console.press("escape")
        await console.on(ModelScreen)


async def test_where_nobody_asked_there_is_no_worst() -> None:
    feeder = asked()
    feeder.traffic.clear()
    async with console_on(feeder, (100, 30), toasts=True) as console:
        console.widget(ArtifactTable).select(MODEL)
        await console.press("R")
        await shown(console, "no other program has asked it")
        assert isinstance(console.app.screen, HomeScreen)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_screen_of_what_is_served(size: tuple[int, int]) -> None:
    async with console_on(asked(), size) as console:
        await console.press("T")
        await console.on(ServingScreen)
        await shown(console, "12,000 answered, 3 failed")
        picture = console.picture()
        assert "90% of requests" in picture
        assert "canary" in picture
        assert "50M, 12% cpu" in picture
        assert "deadline 3" in picture
        assert "48" in line_of(console, "churn")
        assert max(map(len, picture.splitlines())) <= size[0]
        await console.press("j")
        await shown(console, "it was unloaded")
        await console.press("k", "enter")
        screen = await console.on(ModelScreen)
        assert (screen.subject, screen.tab) == (MODEL, "live")


async def test_a_store_without_models_serves_nothing() -> None:
    async with console_on(Feeder(), (80, 24)) as console:
        await console.press("T")
        await console.on(ServingScreen)
        await shown(console, "there is no model to serve")


async def test_a_failure_tells_the_request_it_happened_to() -> None:
    failure = Failure(9, NOW, MODEL, "request", "deadline", "too late", request="r\x1b[1m9", trace=TRACE)
    lines = "\n".join(str(getattr(line, "content", line)) for line in failure_lines(failure))
    assert f"trace {TRACE_ID}" in lines
    assert "\x1b" not in lines
    feeder = asked()
    feeder.failed.append(replace(failure, request="r9"))
    async with console_on(feeder, (100, 30)) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        await shown(console, "request r9")


def served(clock: Clock, *, probe: bool, requests: bool) -> Recorder:
    """Twenty seconds of either or both."""
    recorder = Recorder(clock)
    for number in range(400):
        if probe:
            recorder.call(1, 2.0 + number % 3, 2.5)
        if requests and number % 2:
            recorder.request(outcome(number, total_ms=6.0 + number % 50 / 10))
        clock.now += 0.05
    return recorder


@pytest.mark.parametrize(
    ("probe", "requests", "legend"),
    [
        (True, True, ["probe", "requests"]),
        (False, True, ["requests"]),
        (True, False, ["p50", "p90", "p99"]),
    ],
)
def test_charts_draw_probe_and_requests_apart(*, probe: bool, requests: bool, legend: list[str]) -> None:
    window = Window(LATENCY)
    window.resize(8, 30)
    window.advance(fetched(served(Clock(), probe=probe, requests=requests)))
    inks = {ink for row in window.body() for _char, ink in row}
    assert (Ink.OTHER in inks) is requests
    assert (Ink.LINE in inks) is probe
    assert [word for word, _ink in window.legend] == legend


def test_without_colour_requests_have_a_sign_of_their_own() -> None:
    window = Window(THROUGHPUT, plain=True)
    window.resize(8, 30)
    window.advance(fetched(served(Clock(), probe=True, requests=True)))
    assert "o" in "".join(char for row in window.body() for char, _ink in row)


@pytest.mark.parametrize(
    ("value", "words"), [(None, ""), (0.0, "0"), (0.25, "0.2"), (48.4, "48"), (6100.0, "6.1k"), (250_000.0, "250k")]
)
def test_rates_have_two_or_three_digits(value: float | None, words: str) -> None:
    assert text.rate(value) == words
