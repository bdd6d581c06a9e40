"""A property: whatever the texts of a store are, no screen, pane, dialog or toast lets them steer a terminal or act."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from textual import events

from backends.core.inspection import ArrayInfo, Signature
from console.config import Settings
from console.errors import InputError, OperationError
from console.monitor.series import Recorder
from console.records import (
    Change,
    Claim,
    ContentDiff,
    DataFile,
    Evidence,
    Explanation,
    Json,
    Layer,
    Memory,
    Prediction,
    ProbePlan,
    ProbeState,
    Quantiles,
    RecipeFacts,
    Target,
    UpdatePlan,
    UpdateProgress,
    Verdict,
)
from console.serving.worker_logs import WorkerLog
from console.ui.dialogs.choice import PlaceScreen
from console.ui.dialogs.confirm import ConfirmScreen, TypedYesScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import TABS, ModelScreen
from tests.ui.demo_records import NOW, recorded
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder
from tests.ui.test_hostile import HOSTILE, assert_harmless, compared, hostile_store

PIECES = (
    "\x1b", "\x1b[31;1337m", "\x1b]52;c;ZXZpbA==\x07", "\x1b]8;;file:///etc\x1b\\", "\x9b31m", "\x90q\x9c", "\x00",
    "\x07", "\x08", "\x0b", "\x7f", "\x85", "\n", "\r", "\t", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f",
    "\u061c", "\u200b", "\u200d", "\ufeff", "\u00ad", "\U000e0041", "\ue000", "\ufdd0", "\udcff", "\ud800",
    "[@click=app.quit]",
    "[@click=screen.do('load')]x[/]", "[bold red]", "[/]", "[[", "$primary", "{0}", "%s", "\\", "e" + "\u0301" * 40,
    "\u0489" * 30, "幅", "👩\u200d👩\u200d👧", "🇩🇪", "a" * 255, "../..", "-rf", " ", "'", '"', "=cmd()", "plain words",
)  # fmt: skip
"""Text that steers terminals, markup, layouts and shells, in parts."""

TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.characters()), max_size=8).map("".join)
SIZES = st.sampled_from([(80, 24), (120, 40), (47, 15)])


class HostileFeeder(Feeder):
    """An engine of which nothing is harmless: rows to try, answers, layers, explanations, plans and refusals."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self.__dict__.update(hostile_store(texts).__dict__)
        self.texts = itertools.cycle(texts)
        self.why_read_only = self.remedy = self.text
        for path, view in self.views.items():
            self.views[path] = replace(
                view,
                layers={f"{number}{self.text}": Layer(bool(number % 2), self.text) for number in range(3)},
                selftest={self.text: Layer(True, self.text)},
                signature=Signature(2, (self.text, self.text), 1, (self.text, self.text)),
                memory=Memory(10**8),
                phases={self.text: 4.0},
                pid=17,
            )
            plan = ProbePlan(self.text, target=self.text)
            measured = Quantiles(1.0, 2.0, 3.0, 4.0, 9)
            self.probes[path] = ProbeState(
                plan, True, NOW, 9, 9, 1, 3.0, measured, measured, {self.text: 0.5}, self.text
            )
            self.recorders[path] = self.recorder()
            log = self.logs[path] = WorkerLog()
            log.begin(17)
            for stream in (1, 2):
                log.take(17, stream, f"{self.text}\n{self.text}".encode("utf-8", "surrogatepass"))
            log.end(17, self.text, failed=True)
        for path, report in self.reports.items():
            self.explanations[path] = self.explanation(report.judgement.verdict or Verdict.REVIEW)
            found = report.inspection
            if found is not None:
                arrays = (ArrayInfo(self.text, (2, 3), self.text, 48),)
                details: dict[str, Json] = {self.text: [self.text, {self.text: self.text}]}
                self.reports[path] = replace(report, inspection=replace(found, arrays=arrays, details=details))

    @property
    def text(self) -> str:
        return next(self.texts)

    def recorder(self) -> Recorder:
        recorder = recorded(2)
        recorder.mark(self.text)
        return recorder

    def explanation(self, verdict: Verdict) -> Explanation:
        mention = Evidence(self.text, self.text, self.text, 7, self.text, self.text, True, self.text, True)
        points = tuple(Claim(self.text, verdict, self.text, self.text, (mention, mention), 2) for _ in range(5))
        changes = (
            Change("verdict", "", self.text, self.text),
            Change("name", self.text, None, self.text),
            Change("finding", self.text, self.text, None),
            Change("parameter", self.text, self.text, self.text),
        )
        return Explanation(
            self.text, points, (self.text,), self.text, ContentDiff(NOW - 9, changes, self.text, left_out=1)
        )

    def recipe(self, path: str) -> RecipeFacts:
        raise InputError(self.text, hint=self.text)

    async def open_data(self, path: str, data: str | None, target: str | None = None) -> DataFile:
        return DataFile(self.text, 3, ((self.text, self.text),), self.text)

    async def sample(self, path: str, data: str | None, start: int, count: int) -> list[dict[str, Json]]:
        return [{self.text: self.text, self.text: [self.text, 1.0]}]

    async def predict(self, path: str, **wanted: Any) -> Prediction:
        if wanted.get("rows"):
            raise OperationError(self.text, hint=self.text)
        outputs: dict[str, Json] = {"predict": [self.text], self.text: [[self.text, 0.5]]}
        return Prediction(1, outputs, 0.8, 1.1, (self.text,), {}, self.text)

    def plan(self, path: str, *, data: str | None = None, target: Target | None = None) -> UpdatePlan:
        return UpdatePlan(path, self.text, self.text, self.text, command=(self.text, self.text), at=self.text)


async def settled(console: Driver) -> None:
    for _ in range(3):
        await console.pilot.pause()


async def look(console: Driver, *keys: str) -> None:
    """Press keys, then look at everything that is on the screen."""
    for key in keys:
        await console.pilot.press(key)
    await settled(console)
    assert_harmless(console)


async def pasted(console: Driver, text: str) -> None:
    """The bytes that a terminal delivers when somebody pastes."""
    if console.app.screen.focused is not None:
        console.app.screen.focused.post_message(events.Paste(text))
    await settled(console)
    assert_harmless(console)


async def everyone(console: Driver, feeder: HostileFeeder) -> None:
    """The screens that are about the whole store."""
    app = console.app
    await look(console)
    app.say(feeder.text, "error")
    app.say_error(OperationError(feeder.text, hint=feeder.text))
    feeder.say("trust.changed", feeder.text, feeder.text, "attention")
    await look(console, "j", "slash")
    await pasted(console, feeder.text)
    await look(console, "escape", "escape", "s", "e", "j", "enter", "slash")
    await pasted(console, feeder.text)
    await look(console, "escape")
    await home(console)
    for key in ("v", "question_mark", "b", "C"):
        await look(console, key, "j")
        await home(console)
    await look(console, "colon")
    await pasted(console, feeder.text)
    await home(console)
    feeder.offline = feeder.text
    feeder.say("store.offline", "", feeder.text, "failure")
    await look(console)
    feeder.offline = None


async def one(console: Driver, feeder: HostileFeeder, path: str) -> None:
    """The screens that are about one model."""
    app = console.app
    app.open_model(path)
    await console.on(ModelScreen)
    for number in range(1, len(TABS) + 1):
        await look(console, str(number))
        if number == list(TABS).index("try") + 1:
            await look(console, "i")
            await pasted(console, feeder.text)
            await look(console, "enter")
    for name in ("trust", "sandbox", "history", "errors"):
        app.show(name, path)
        await look(console, "j")
    stages: list[Callable[[], object]] = [
        lambda: None,
        lambda: feeder.progresses.update({path: UpdateProgress(path, feeder.text, NOW, 1, 2, feeder.text)}),
        lambda: (feeder.progresses.pop(path), feeder.compared.update({path: compared(path, feeder.text)})),
    ]
    for stage in stages:
        stage()
        app.show("update", path)
        await look(console, "j")
    await dialogs(console, feeder, path)


async def dialogs(console: Driver, feeder: HostileFeeder, path: str) -> None:
    """The dialogs."""
    app = console.app
    report, told = feeder.reports[path], await feeder.explain(path)
    assert report.inspection is not None
    for screen in (
        TypedYesScreen.of_report(report, told),
        PlaceScreen(path, report.inspection.models),
    ):
        app.push_screen(screen)
        await look(console, "down")
        await look(console, "escape")
    app.operations.roll_back(path, feeder.versions[path][0])
    await console.on(ConfirmScreen)
    await look(console, "escape")
    feeder.compared[path] = compared(path, feeder.text)
    app.leave()
    await console.on(ConfirmScreen)
    await look(console, "escape")


async def home(console: Driver) -> None:
    """Back to the table, whatever is on top of it: six screens, and toasts that take an escape for themselves."""
    for _ in range(20):
        if isinstance(console.app.screen, HomeScreen):
            return
        await console.press("escape")
    await console.on(HomeScreen)


async def tour(texts: Sequence[str], size: tuple[int, int], paths: int, *, plain: bool = False) -> None:
    """Every screen on a store of these texts; nothing was done and nothing ended by looking. `plain` = in ASCII."""
    feeder = HostileFeeder(texts)
    async with console_on(feeder, size=size, settings=Settings(ascii=plain)) as console:
        await everyone(console, feeder)
        for path in itertools.islice(feeder.rows, 1, 1 + paths):
            await one(console, feeder, path)
            await home(console)
        assert console.app.is_running
    assert [asked for asked in feeder.asked if asked[0] not in ("predict",)] == []


def run(work: Awaitable[None]) -> None:
    async def whole() -> None:
        await work

    asyncio.run(whole())


@pytest.mark.slow
@pytest.mark.usefixtures("still_clock")
@given(texts=st.lists(TEXTS, min_size=4, max_size=8), size=SIZES)
@example(texts=list(HOSTILE), size=(120, 40))
@settings(max_examples=1, suppress_health_check=list(HealthCheck))
def test_no_text_gets_through_anywhere(texts: list[str], size: tuple[int, int]) -> None:
    run(tour(texts, size, 1))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("still_clock")
@given(texts=st.lists(TEXTS, min_size=4, max_size=12), size=SIZES)
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_no_text_gets_through_anywhere_at_length(texts: list[str], size: tuple[int, int]) -> None:
    run(tour(texts, size, 2))


def cells(console: Driver, line: int, step: int) -> Iterator[tuple[int, int]]:
    return ((column, line) for column in range(0, console.app.size.width, step))


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_click_on_any_cell_of_a_row_does_what_a_row_does(step: int) -> None:
    feeder = HostileFeeder(("[@click=app.quit]", "[@click=screen.do('load')]m[/]", "[@click=app.exit]click[/]"))
    async with console_on(feeder, size=(80, 24)) as console:
        for line in (4, 5):
            for offset in cells(console, line, step):
                await console.pilot.click(offset=offset)
                if not isinstance(console.app.screen, HomeScreen):
                    assert isinstance(console.app.screen, ModelScreen)
                    await home(console)
        assert console.app.is_running
    assert feeder.asked == []
