"""Names, messages and metadata that try to steer the terminal, the markup or an action: on every screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import pytest

from backends.core.inspection import GlobalRef, Inspection, ModelEntry, Signature
from console.errors import OperationError
from console.records import (
    Artifact,
    Candidate,
    Comparison,
    ExceptionInfo,
    Failure,
    Frame,
    GateResult,
    Judgement,
    Reason,
    Report,
    UpdateProgress,
    Verdict,
    Version,
    WorkerState,
    WorkerView,
)
from console.ui.dialogs.choice import PlaceScreen
from console.ui.dialogs.confirm import TypedYesScreen
from console.ui.keys import BY_ID
from tests.ui.demo_records import NOW
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder

HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07copy",
    "\x1b[2J\x1b[31mred",
    "[@click=app.exit]click[/] [bold red]x[/bold red]",
    "[/nothing] [[ ]] $primary {0} %s",
    "line\nbreak\ttab\rreturn\x00nul\x9bcsi",
    "\u202egnp.exe\u2066\u200b\u200d\ufeff",
    "lone\udcff\udc80surrogate",
    "zalgo" + "e\u0301\u0302\u0303\u0304\u0305\u0306" * 20,
    "幅が二つ" * 30,
    "x" * 5000,
)


def hostile_store(texts: Sequence[str] = HOSTILE) -> Feeder:
    """Every text of every record is one of the hostile ones."""
    feeder = Feeder()
    for number, text in enumerate(texts):
        path = f"{number}{text}.pkl"
        verdict = list(Verdict)[number % len(Verdict)]
        row = Artifact(
            path, 10, NOW, format=text, model_class=f"{text}.{text}", steps=(text, text), verdict=verdict, why=text,
            recipe=text, problem=text if number == 3 else None,
        )  # fmt: skip
        feeder.rows[path] = row
        entry = ModelEntry(text, text, {text: text}, text, (text,))
        found = Inspection(
            text, text, text, names=(GlobalRef(text, text, 1),), library_versions={text: text}, parameters={text: text},
            signature=Signature(2, (text, text), 1, (text,)), models=(entry, replace(entry, at=text + "2")),
        )  # fmt: skip
        feeder.reports[path] = Report(
            row, found, Judgement(verdict, (Reason(text, text, 3), Reason(text, text)), pinned=text)
        )
        if number % 2:
            state = WorkerState.ERROR if number % 4 == 1 else WorkerState.READY
            feeder.views[path] = WorkerView(path, state, NOW, phase=text, at=text, notes=(text,), methods=(text,))
        feeder.failed.append(_failure(number, path, text))
        feeder.versions[path] = (
            Version(1, text, NOW, text, text, 9, metrics={text: 1.0}),
            Version(2, text, NOW, text, text, 9),
        )
        feeder.say("failure.added", path, text, "failure")
        feeder.say("store.scanned", "", text)
    return feeder


def _failure(number: int, path: str, text: str) -> Failure:
    frame = Frame(text, 3, text, text)
    first = ExceptionInfo(text, text, (frame,), (text,))
    return Failure(
        number + 1, NOW, path, text, text, text, type=text, chain=(first, replace(first, relation="cause")),
        exit=text if number % 2 else None, warnings=(text,), stderr=text, input=text, hint=text,
    )  # fmt: skip


def compared(path: str, text: str) -> Comparison:
    """A comparison whose every text is hostile."""
    side = Candidate(text, 9, text, {text: text}, {text: 1.0})
    gate = (GateResult(text, True, text), GateResult(text, None, text))
    return Comparison(path, NOW, text, 5, side, side, gate, False, changed=((text, text, text),), metric=text,
                      unmeasured=text, warnings=(text,))  # fmt: skip


def _is_ours(key: str, value: object) -> bool:
    """Tabs run actions of the table; scrollbars have their own."""
    tabs = {f"screen.do('{action}')" for action in BY_ID}
    return value in tabs if key == "@click" else value in ("grab", "scroll_up", "scroll_down", "release")


def assert_harmless(console: Driver) -> None:
    """Nothing on the screen can steer a terminal, hide itself or be clicked on with an action of its own."""
    for strip in console.strips():
        for segment in strip:
            for char in segment.text:
                assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), (repr(segment.text), char)
                assert " " <= char <= "~" or not console.app.settings.ascii, (repr(segment.text), char)
            meta = segment.style.meta if segment.style is not None else {}
            assert all(_is_ours(key, value) for key, value in meta.items() if str(key).startswith("@")), meta
            assert segment.style is None or segment.style.link is None
    assert all(strip.cell_length == console.app.size.width for strip in console.strips())


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_no_screen_lets_hostile_text_through(size: tuple[int, int]) -> None:
    feeder = hostile_store()
    async with console_on(feeder, size=size) as console:
        assert_harmless(console)
        for _ in HOSTILE:
            await console.press("j")
            assert_harmless(console)
        await console.press("e")
        for _ in HOSTILE:
            assert_harmless(console)
            await console.press("j")
        await console.press("escape", "escape", "v", "j")
        assert_harmless(console)
        await console.press("escape", "colon")
        assert_harmless(console)
        await console.press("escape", "s", "s")
        assert_harmless(console)
    assert feeder.asked == []


EVERYDAY = (0, 2, 5, 6, 8)
"""One of each sort: control sequences, markup, characters that hide, that are none, and wide ones."""


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize(
    "number",
    [pytest.param(number, marks=[] if number in EVERYDAY else [pytest.mark.slow]) for number in range(len(HOSTILE))],
)
async def test_nothing_about_one_hostile_model_gets_through(number: int) -> None:
    feeder = hostile_store()
    path = next(name for name in feeder.rows if name.startswith(str(number)))
    text = HOSTILE[number]
    async with console_on(feeder) as console:
        app = console.app
        app.say(text, "error")
        app.say_error(OperationError(text, hint=text))
        app.open_model(path)
        await console.pilot.pause()
        for key in ("1", "2", "4", "5"):
            await console.press(key)
            assert_harmless(console)
        app.show("history", path)
        await console.pilot.pause()
        await console.press("j")
        assert_harmless(console)
        app.show("update", path)
        await console.pilot.pause()
        assert_harmless(console)
        feeder.progresses[path] = UpdateProgress(path, text, NOW, 1, 2, text)
        app.show("update", path)
        await console.pilot.pause()
        assert_harmless(console)
        del feeder.progresses[path]
        feeder.compared[path] = compared(path, text)
        app.show("update", path)
        await console.pilot.pause()
        assert_harmless(console)
        app.push_screen(TypedYesScreen.of_report(feeder.reports[path], await feeder.explain(path)))
        await console.pilot.pause()
        assert_harmless(console)
        inspection = feeder.reports[path].inspection
        assert inspection is not None
        app.push_screen(PlaceScreen(path, inspection.models))
        await console.pilot.pause()
        assert_harmless(console)
    assert feeder.asked == []
