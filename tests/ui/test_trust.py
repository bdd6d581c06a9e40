"""A verdict is told calmly where it is looked for: on the overview, in full on its own screen, and before a yes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.records import Layer
from console.ui.dialogs.confirm import TypedYesScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.sandbox import SandboxScreen, layers_in
from console.ui.screens.trust import TrustScreen
from console.ui.widgets.text_pane import TextPane
from tests.ui.demo_records import demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")


async def model(console: Driver, path: str) -> None:
    console.app.open_model(path)
    await console.on(ModelScreen)


@pytest.mark.parametrize("key", ["t", "enter"])
async def test_a_key_tells_all_about_a_verdict_and_esc_goes_back(key: str) -> None:
    async with console_on(demo(), size=(100, 32)) as console:
        await model(console, "fraud/lr.pkl")
        await console.press(key)
        await console.on(TrustScreen)
        await console.until(lambda: "what it would take" in console.picture())
        picture = console.picture()
        for words in (
            "? review",
            "Loading it runs code of company, which this console does not know.",
            "since the last version, 2h ago",
            "verdict safe → review",
            "+ company.features.Ratio",
            "C 1.0 → 0.3",
            "company.features.Ratio  byte 114, called with 'age', 'tenure'  new",
            'trusted = ["company.features.Ratio", "company.features.Log"]',
        ):
            assert words in picture
        await console.press("escape")
        await console.on(ModelScreen)


async def test_the_policy_line_can_be_copied() -> None:
    async with console_on(demo()) as console:
        console.app.show("trust", "fraud/lr.pkl")
        await console.on(TrustScreen)
        await console.press("c")
        assert console.app._clipboard == 'trusted = ["company.features.Ratio", "company.features.Log"]'


async def test_a_small_overview_shows_the_verdict_first_and_cuts_no_word() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        await model(console, "fraud/lr.pkl")
        lines = [line.rstrip("▁▂▃▄▅▆▇█▍▎ ").strip() for line in console.picture().splitlines()]
    body = lines[5 : lines.index("written with")]
    assert body[:2] == ["trust", "? review"]
    assert "t tells all of it" in body
    assert not any("…" in line for line in body)


async def test_before_a_yes_one_sees_what_is_new() -> None:
    feeder = demo()
    told = feeder.known_explanation("fraud/lr.pkl")
    assert told is not None
    async with console_on(feeder, size=(80, 24)) as console:
        console.app.push_screen(TypedYesScreen.of_report(feeder.reports["fraud/lr.pkl"], told))
        screen = await console.on(TypedYesScreen)
        await console.until(lambda: "since the last version" in console.picture())
        assert "+ company.features.Ratio" in console.picture()
        assert "esc to leave it alone" in console.picture()
        pane = screen.query_one(TextPane)
        before = pane.scroll_offset.y
        await console.press("down")
        assert pane.scroll_offset.y == before + 1
        await console.write("yes")
        await console.press("enter")
        await console.on(HomeScreen)


async def test_the_sandbox_of_a_worker_says_what_is_missing_first_and_why() -> None:
    feeder = demo()
    view = feeder.views["churn/rf.joblib"]
    feeder.views["churn/rf.joblib"] = replace(view, selftest={"socket": Layer(True, "socket(2) gave EPERM")})
    async with console_on(feeder, size=(100, 40)) as console:
        await console.press("b")
        await console.on(SandboxScreen)
        await console.until(lambda: "layers hold" in console.picture())
        picture = console.picture()
    assert "8 of 9 layers hold" in picture
    assert picture.index("✖ cgroup") < picture.index("✔ descriptors")
    assert "the control groups here are read-only" in picture
    assert "start it where control groups can be written" in picture
    assert "tried inside, before it saw a byte of the model" in picture
    assert "socket(2) gave EPERM" in picture


async def test_without_a_worker_the_sandbox_is_tried_out() -> None:
    feeder = Feeder()
    feeder.layers = {"landlock": Layer(True, "ABI 7"), "one of tomorrow": Layer(False, "not on this kernel")}
    async with console_on(feeder) as console:
        await console.press("b")
        await console.on(SandboxScreen)
        await console.until(lambda: "1 of 2 layers hold" in console.picture())
        assert "sandbox of every new worker" in console.picture()
        assert "not on this kernel" in console.picture()
        await console.press("b")
        await console.on(HomeScreen)


def test_layers_are_found_wherever_a_doctor_tells_them() -> None:
    told = {"layers": {"user": {"active": True, "evidence": "uid 9"}}, "selftest": {"fork": {"active": False}}, "n": 3}
    assert layers_in(told) == {"user": Layer(True, "uid 9"), "fork": Layer(False, "")}  # type: ignore[arg-type]
    assert layers_in(None) == {}
