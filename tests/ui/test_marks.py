"""Marks on the first screen, and what the keys do over all that is marked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from console.config import Sealing, Settings
from console.errors import AccessDeniedError, NeedsMemoryError, NeedsReviewError, OperationError
from console.records import ArrayChange, Change, Differences, ProbePlan, ProbeState, Verdict, WorkerState, WorkerView
from console.trust.roles import Permission, Role
from console.ui import text
from console.ui.dialogs.confirm import ConfirmScreen, SealScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.tally import Outcome, Tally, names
from console.ui.widgets.artifact_table import ArtifactTable
from tests.ui.demo_records import NOW, artifact, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder
from tests.ui.test_hostile import HOSTILE
from tests.ui.test_hostile_everywhere import HostileFeeder, look, settled

pytestmark = pytest.mark.usefixtures("still_clock")

RF, FRAUD, SVM, REVIEW = "churn/rf.joblib", "fraud/lr.pkl", "iris/svm.pkl", "trouble/predict-raises.joblib"
KMEANS = "segments/kmeans.h5"


def line_of(console: Driver, words: str) -> str:
    return next(line for line in console.picture().splitlines() if words in line)


def said(console: Driver) -> list[str]:
    return [one.message for one in console.app._notifications]


def again(console: Driver) -> None:
    """Take away what was said."""
    console.app.clear_notifications()


def marked(console: Driver) -> set[str]:
    return set(console.app.rows.marks)


async def mark(console: Driver, *paths: str) -> None:
    for path in paths:
        console.app.screen.query_one(ArtifactTable).select(path)
        await console.press("m")


async def filtered(console: Driver, pattern: str) -> None:
    await console.press("slash")
    await console.write(pattern)
    await console.press("enter")
    await console.until(lambda: console.app.rows.filter.pattern == pattern)


async def test_a_mark_is_a_sign_in_the_margin_and_moves_the_cursor_down() -> None:
    async with console_on(demo()) as console:
        before = line_of(console, SVM)
        await console.press("m", "space")
        assert marked(console) == {RF, "digits/mlp.h5"}
        table = console.widget(ArtifactTable)
        assert table.selected.path == FRAUD
        assert "2 marked" in console.picture()
        assert line_of(console, RF).strip("│ ").startswith("◆ ▶ probing")
        await mark(console, SVM)
        at = before.index("○")
        assert line_of(console, SVM)[at:] == before[at:]
        table.select(SVM)
        await console.pilot.pause()
        assert line_of(console, SVM).strip("│ ").startswith("▌◆○ on disk")
        assert line_of(console, SVM)[at:] == before[at:]
        await console.press("m")
        assert marked(console) == {RF, "digits/mlp.h5"}
        await console.press("G", "m")
        assert table.selected.path == "vision/digits-cnn.keras"
        assert line_of(console, "vision/digits-cnn.keras").strip("│ ").startswith("▌◆")


async def test_without_signs_and_colours_a_mark_is_told_by_ascii() -> None:
    try:
        async with console_on(demo(), (80, 24), Settings(ascii=True, theme="ansi-dark")) as console:
            await console.press("m")
            assert line_of(console, RF).startswith("# > probing")
            await console.press("k")
            assert line_of(console, RF).startswith(">#> probing")
            assert console.picture().isascii()
            assert "1 marked" in console.picture()
    finally:
        text.use_ascii(False)


async def test_all_that_are_shown_are_marked_and_then_none_is() -> None:
    async with console_on(demo(), (80, 24)) as console:
        await mark(console, RF)
        await filtered(console, "trouble")
        await console.until(lambda: "1 marked, 1 of them hidden" in console.picture())
        await console.press("M")
        assert len(marked(console)) == 3
        assert "3 marked, 1 of them hidden · filter trouble: 2 of 12" in console.picture()
        await console.press("M")
        assert marked(console) == set()
        await console.press("M")
        await filtered(console, "nothing matches this")
        await console.until(lambda: "2 marked, 2 of them hidden" in console.picture())


@pytest.mark.slow
async def test_escape_drops_the_marks_before_the_filter() -> None:
    async with console_on(demo()) as console:
        await filtered(console, "trouble")
        await console.press("M", "escape")
        assert marked(console) == set()
        assert "filter trouble: 2 of 12" in console.picture()
        await console.press("escape")
        await console.until(lambda: "churn/rf" in console.picture())


@pytest.mark.slow
async def test_marks_stay_with_their_rows_and_go_with_them() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await mark(console, RF, FRAUD, SVM)
        await console.press("s", "S")
        await console.until(lambda: console.app.rows.reverse and console.app.rows.sort == "class")
        await filtered(console, "trouble")
        await console.press("escape", "escape")
        await console.press("enter")
        assert "3 marked" not in console.picture()
        await console.press("escape")
        await console.on(HomeScreen)
        feeder.put(replace(feeder.rows[SVM], size=9))
        feeder.say("store.scanned", "")
        await console.until(lambda: console.app.rows.by_path[SVM].artifact.size == 9)
        assert marked(console) == set()
        await mark(console, RF, FRAUD, SVM)
        del feeder.rows[SVM]
        feeder.say("artifact.removed", SVM)
        await console.until(lambda: "2 marked" in console.picture())
        feeder.views = {RF: feeder.views[RF]}
        feeder.rows = {RF: feeder.rows[RF]} | {
            path: artifact(path, 1, 1, "pickle", "a.B", None) for path in (f"new/{number}" for number in range(200))
        }
        feeder.say("store.scanned", "")
        await console.until(lambda: "1 marked" in console.picture() and len(console.app.rows) == 201)
        assert marked(console) == {RF}


async def test_the_footer_says_how_many_a_key_acts_on_and_other_keys_mean_the_cursor() -> None:
    async with console_on(demo(), (160, 48)) as console:
        await mark(console, SVM, "segments/kmeans.h5")
        footer = console.picture().splitlines()[-1]
        assert "l load 2  p probe 2  esc unmark  I inspect 2" in footer
        assert "unload" not in footer
        assert "seal" not in footer
        await mark(console, RF)
        assert "x unload 3" in console.picture().splitlines()[-1]
        console.widget(ArtifactTable).select(FRAUD)
        await console.press("enter")
        assert (await console.on(ModelScreen)).subject == FRAUD


async def test_loading_many_is_one_sentence_and_their_own_news_are_not_told_beside_it() -> None:
    feeder = demo()
    refusals: dict[str, Exception] = {
        "inbox/unknown.pkl": AccessDeniedError("inbox/unknown.pkl is not loaded: calls os.system"),
        REVIEW: NeedsReviewError("trouble/predict-raises.joblib needs a review"),
        "vision/digits-cnn.keras": OperationError("no\nkeras"),
        KMEANS: NeedsMemoryError("segments/kmeans.h5 will not fit into memory"),
    }

    async def load(path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> None:
        feeder.asked.append(("load", path, at, accept or ""))
        if path in refusals:
            feeder.say("worker.error", path, "it failed", "failure")
            raise refusals[path]
        feeder.say("worker.ready", path, f"{path} is ready", "ok")

    feeder.load = load  # type: ignore[method-assign]
    for path in set(feeder.rows) - set(feeder.reports):
        feeder.reports[path] = replace(feeder.reports[SVM], artifact=feeder.rows[path])
    async with console_on(feeder) as console:
        await mark(
            console,
            RF,
            REVIEW,
            "inbox/half.joblib",
            "inbox/unknown.pkl",
            SVM,
            KMEANS,
            "vision/digits-cnn.keras",
        )
        await console.press("l")
        await console.until(lambda: said(console))
        feeder.say("artifact.changed", "digits/mlp.h5", "what happens to others", "attention")
        await console.until(lambda: "what happens to others" in said(console))
        (sentence,) = set(said(console)) - {"what happens to others"}
    for words in (
        "1 loaded; 1 loaded already; ",
        "2 refused: blocked (inbox/unknown.pkl), damaged (inbox/half.joblib)",
        "2 left out: too little memory (segments/kmeans.h5), under review (trouble/predict-raises.joblib)",
        "1 failed: no keras (vision/digits-cnn.keras)",
        "l on one alone asks about it",
    ):
        assert words in sentence
    assert [one[1] for one in feeder.asked] == [
        "inbox/unknown.pkl",
        SVM,
        KMEANS,
        REVIEW,
        "vision/digits-cnn.keras",
    ]


class Slow(Feeder):
    """Five hundred models whose loads last until they are let go."""

    def __init__(self) -> None:
        super().__init__(artifact(f"m{number:03}.pkl", 9, 9, "pickle", "a.B", Verdict.SAFE) for number in range(500))
        report = demo().reports[SVM]
        self.reports = {path: replace(report, artifact=row) for path, row in self.rows.items()}
        self.go = asyncio.Semaphore(0)
        self.most = self.now = 0

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go.acquire()
        self.now -= 1
        self.asked.append(("load", path))


async def test_many_are_loaded_after_a_question_a_few_at_a_time_until_they_are_stopped() -> None:
    feeder = Slow()
    async with console_on(feeder, (80, 24)) as console:
        await console.press("M", "l")
        await console.on(ConfirmScreen)
        assert "Load 500 models, each into a worker of its own?" in console.picture()
        assert "of memory" in console.picture()
        assert "m000.pkl, m001.pkl and 498 more" in console.picture()
        await console.press("n")
        await console.on(HomeScreen)
        assert feeder.asked == []
        assert said(console) == []
        await console.press("l")
        await console.on(ConfirmScreen)
        await console.press("y")
        await console.on(HomeScreen)
        await console.until(lambda: feeder.now == 4)
        for _ in range(12):
            feeder.go.release()
        told = ("loading 12 of 500, X stops · 500 marked", "◐ starting", "X stop  esc unmark")
        await console.until(lambda: all(words in console.picture() for words in told))
        await console.press("p")
        assert said(console) == ["probe: still loading 12 of 500, X stops"]
        again(console)
        await console.press("escape", "X")
        await console.until(lambda: "loading 12 of 500, stopping" in console.picture())
        await console.until(lambda: feeder.now == 4)
        for _ in range(4):
            feeder.go.release()
        await console.until(lambda: len(said(console)) == 1)
        assert said(console) == ["16 loaded; 484 not begun: stopped (m016.pkl, m017.pkl and 482 more)"]
        await console.until(lambda: "loading" not in console.picture())
        await console.press("X")
    assert feeder.most == 4
    assert len(feeder.asked) == 16


async def test_what_is_stopped_while_it_is_still_looked_at_is_neither_asked_nor_begun() -> None:
    feeder = Slow()
    async with console_on(feeder) as console:
        await console.press("M")
        home = console.app.screen
        assert isinstance(home, HomeScreen)
        home.do_load()
        home.do_stop()
        await console.until(lambda: said(console))
        assert said(console) == ["500 not begun: stopped (m000.pkl, m001.pkl and 498 more)"]
        assert isinstance(console.app.screen, HomeScreen)
        home.do_load()
        home.do_load()
        await console.on(ConfirmScreen)
        assert len(console.app.screen_stack) == 3
    assert feeder.asked == []


@pytest.mark.slow
async def test_what_memory_has_little_room_for_is_asked_however_few() -> None:
    feeder = Slow()
    feeder.rows = {path: replace(row, size=2**50) for path, row in list(feeder.rows.items())[:2]}
    async with console_on(feeder) as console:
        await console.press("M", "l")
        await console.on(ConfirmScreen)
        assert "Load 2 models" in console.picture()
        assert "2.0P of memory" in console.picture()


def driven(feeder: Feeder, *paths: str) -> None:
    for path in paths:
        feeder.views[path] = WorkerView(path, WorkerState.READY, NOW)
        feeder.probes[path] = ProbeState(ProbePlan("rows.csv"), True, NOW)
        feeder.say("worker.ready", path)


async def test_unloading_asks_once_about_all_that_are_driven() -> None:
    feeder = demo()
    feeder.views[SVM] = WorkerView(SVM, WorkerState.READY, NOW)
    async with console_on(feeder) as console:
        await mark(console, RF, SVM, "segments/kmeans.h5")
        await console.until(lambda: "x unload 3" in console.picture())
        await console.press("x")
        await console.on(ConfirmScreen)
        assert "Unload 2 models while one of them is driven?" in console.picture()
        assert "Driven: churn/rf.joblib." in console.picture()
        await console.press("escape")
        await console.on(HomeScreen)
        assert feeder.asked == []
        await console.press("x")
        await console.on(ConfirmScreen)
        await console.press("y")
        await console.until(lambda: said(console))
        assert said(console) == ["2 unloaded; 1 not loaded"]
    assert feeder.asked == [("unload", RF), ("unload", SVM)]


async def test_probes_start_where_none_runs_and_stop_where_all_do() -> None:
    feeder = demo()
    feeder.reports["segments/kmeans.h5"] = feeder.reports[SVM]
    feeder.driven_with = dict.fromkeys((RF, SVM, "segments/kmeans.h5"), "rows.csv")
    async with console_on(feeder) as console:
        await mark(console, RF, SVM, "digits/mlp.h5", "inbox/unknown.pkl", "segments/kmeans.h5")
        await console.press("p")
        await console.until(lambda: said(console))
        assert said(console) == ["2 driven; 2 left out: blocked (inbox/unknown.pkl), no data is named (digits/mlp.h5)"]
        assert {one for one in feeder.asked if one[0] == "start_probe"} == {
            ("start_probe", SVM),
            ("start_probe", "segments/kmeans.h5"),
        }
        feeder.asked.clear()
        driven(feeder, SVM, "segments/kmeans.h5")
        feeder.say("probe.started", SVM)
        feeder.say("probe.started", "segments/kmeans.h5")
        await console.until(lambda: "segments/kmeans.h5" in console.app.mirror.probes)
        again(console)
        await console.press("p")
        await console.until(lambda: said(console) == ["3 driven no more"])
    assert feeder.asked == [("stop_probe", RF), ("stop_probe", SVM), ("stop_probe", "segments/kmeans.h5")]


@pytest.mark.slow
async def test_one_marked_is_asked_like_one_alone() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await mark(console, SVM)
        await console.press("l")
        await console.until(lambda: feeder.asked)
        assert feeder.asked == [("load", SVM, "", "")]
        await console.press("I")
        await console.until(lambda: said(console))
        assert said(console) == [f"{SVM}: read anew: safe as before"]


@pytest.mark.slow
async def test_reading_anew_tells_what_is_other_than_before() -> None:
    feeder = demo()
    judged = feeder.reports[FRAUD]
    feeder.rows[FRAUD] = replace(feeder.rows[FRAUD], verdict=Verdict.SAFE)
    async with console_on(feeder) as console:
        await mark(console, RF, SVM, FRAUD)
        await console.press("I")
        await console.until(lambda: said(console))
        assert said(console) == [f"3 read anew: safe as before, now {judged.judgement.verdict} (fraud/lr.pkl)"]
        again(console)
        console.app.open_model(SVM)
        await console.on(ModelScreen)
        await console.press("I")
        await console.until(lambda: said(console))
        assert said(console) == [f"{SVM}: read anew: safe as before"]


SEALS = Settings(sealing=Sealing(recipients=("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",)))


async def test_sealing_asks_once_with_names_and_recipients() -> None:
    feeder = demo()
    feeder.settings = SEALS
    feeder.rows[FRAUD] = replace(feeder.rows[FRAUD], sealed=True)
    feeder.rows["segments/kmeans.h5"] = replace(feeder.rows["segments/kmeans.h5"], link="elsewhere.h5")
    async with console_on(feeder) as console:
        await mark(console, RF, SVM, FRAUD, "segments/kmeans.h5")
        assert "Z seal 4" in console.picture()
        await console.press("Z")
        await console.on(SealScreen)
        assert f"{RF}, {SVM}. Each is encrypted with age" in console.picture()
        assert "Seal 2 models for age1qqqqqqqq…qqqqqqqqqqq?" in console.picture()
        assert "Remove originals" in console.picture()
        await console.press("enter")
        await console.on(HomeScreen)
        assert feeder.asked == []
        assert said(console) == []
        await console.press("Z")
        await console.on(SealScreen)
        await console.press("l", "enter")
        await console.until(lambda: said(console))
        assert said(console) == [
            "2 sealed, the original is still there; "
            "2 left out: a link (segments/kmeans.h5), sealed already (fraud/lr.pkl)"
        ]
        again(console)
        await console.press("Z")
        await console.on(SealScreen)
        await console.press("right", "right", "enter")
        await console.until(lambda: said(console))
        assert "earlier versions stay open in .model-console/history (churn/rf.joblib)" in said(console)[0]
    recipient = SEALS.sealing.recipients[0]
    assert feeder.asked == [("seal", path, recipient, how) for how in ("keep", "replace") for path in (RF, SVM)]


async def test_what_cannot_be_sealed_says_why() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("Z")
        assert said(console) == [
            'seal: nobody is named to seal for: set recipients = ["age1…"] under [sealing] in config.toml'
        ]
        await mark(console, RF, SVM)
        await console.press("Z")
        assert said(console)[0].startswith("seal: nothing that is marked can be: ")
        console.app.open_model(SVM)
        await console.on(ModelScreen)
        await console.press("Z")
        assert said(console)[0].startswith("seal: nobody is named")
    feeder = demo()
    feeder.settings, feeder.read_only, feeder.why_read_only = SEALS, True, "it was asked for"
    async with console_on(feeder) as console:
        await console.press("M", "Z")
        assert said(console) == ["this console is read-only: it was asked for"]
    assert feeder.asked == []


@pytest.mark.slow
async def test_who_may_only_view_marks_and_reads_anew_and_nothing_else() -> None:
    feeder = demo()
    feeder.settings = SEALS
    feeder.permission = Permission(Role.VIEW, "ada", {}, "the policy")
    async with console_on(feeder) as console:
        await mark(console, RF, SVM)
        assert "esc unmark  I inspect 2" in console.picture().splitlines()[-1]
        assert "load 2" not in console.picture()
        for key, what in (("l", "loading"), ("x", "unloading"), ("p", "probing"), ("Z", "sealing")):
            again(console)
            await console.press(key)
            assert what in said(console)[0]
        await console.press("I")
        await console.until(lambda: feeder.asked)
    assert {one[0] for one in feeder.asked} == {"inspect"}


@pytest.mark.slow
async def test_in_an_empty_store_nothing_is_marked() -> None:
    async with console_on(Feeder()) as console:
        for key, words in (("m", "mark: "), ("M", "mark all: "), ("I", "inspect: "), ("X", "stop: ")):
            await console.press(key)
            assert said(console)[0].startswith(words)


@pytest.mark.slow
@pytest.mark.parametrize("plain", [False, True])
async def test_hostile_names_steer_nothing_in_what_is_asked_and_told(plain: bool) -> None:
    feeder = HostileFeeder(HOSTILE)
    feeder.settings = SEALS
    feeder.driven_with = dict.fromkeys(feeder.rows, "\x1b[2J")
    try:
        async with console_on(feeder, (80, 24), Settings(ascii=plain), toasts=True) as console:
            for key in "Mlpx":
                await look(console, key)
                await look(console, "y")
            for key in "IZ":
                await look(console, key)
                await settled(console)
                await look(console, "escape")
    finally:
        text.use_ascii(False)


def test_a_tally_tells_reasons_once_and_few_names() -> None:
    tally = Tally()
    tally.add(Outcome("left out", "no data is named", "warning"), *(f"a{number}" for number in range(9)))
    tally.add(Outcome("refused", "blocked", "warning"), "trouble/do-not-load")
    tally.add(Outcome("loaded"), "x", "y")
    assert tally.sentence() == (
        "2 loaded; 9 left out: no data is named (a0, a1 and 7 more); 1 refused: blocked (trouble/do-not-load)"
    )
    severities = [tally.severity]
    for number in range(5):
        tally.add(Outcome("failed", f"reason {number}\x1b[2J", "error"), f"f{number}")
    assert "reason 2\\x1b[2J (f2), 2 more for other reasons; 1 refused: blocked" in tally.sentence()
    assert [*severities, tally.severity] == ["warning", "error"]
    tally.clear()
    tally.add(Outcome("read anew", "safe as before"), "a/b.pkl")
    assert tally.sentence() == "a/b.pkl: read anew: safe as before"
    assert names(["a", "b", "c"]) == "a, b, c"


async def test_two_models_are_compared_from_the_older_to_the_newer() -> None:
    feeder = demo()
    changes = (
        Change("class", "", "a.B", "c.D"),
        Change("size", "", "1000", "2000"),
        Change("name", "x.y", None, "named"),
    )
    arrays = (ArrayChange("w" * 90, "F32 2x2", "F32 2x2", 5.0, 10.0), ArrayChange("fresh", None, "F32 4", None, 1.0))
    feeder.differences = Differences("", "", changes, arrays, 7, measured=True)
    async with console_on(feeder) as console:
        home = console.app.screen
        assert isinstance(home, HomeScreen)
        assert not home.can("diff")
        assert "it takes two" in home.why_not("diff")
        await mark(console, RF, SVM)
        assert home.can("diff")
        await console.press("d")
        await console.until(lambda: "arrays the same" in console.picture())
        picture = console.picture()
        older = sorted((RF, SVM), key=lambda path: console.app.rows.by_path[path].artifact.modified)
        assert f"{older[0]} → {older[1]}" in picture
        assert "a.B → c.D" in picture
        assert "5 → 10 (+100.00%)" in picture
        assert "+ F32 4" in picture
        assert "7 arrays the same, by their numbers" in picture
        await console.press("d")
        await console.until(lambda: isinstance(console.app.screen, HomeScreen))
        await mark(console, FRAUD)
        assert not home.can("diff"), "three are marked"
