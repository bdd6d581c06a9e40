"""The screens tell the memory that a model will take, and ask before they load what cannot fit."""

from __future__ import annotations

import pytest

from console.errors import NeedsMemoryError, NeedsReviewError
from console.records import MemoryForecast
from console.ui.dialogs.confirm import ConfirmScreen, TypedYesScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.widgets.artifact_table import ArtifactTable
from tests.ui.demo_records import demo
from tests.ui.driving import console_on
from tests.ui.feeder import Feeder

SVM = "iris/svm.pkl"
REVIEW = "fraud/lr.pkl"
MIB = 1 << 20
TOLD = MemoryForecast(120 * MIB, 90 * MIB, 160 * MIB, 100 * MIB, 12 << 30, 64 << 30, True)
WORDS = "about 120 MiB (90 MiB to 160 MiB) of 12 GiB free"
NO_ROOM = "it takes about 3 GiB (2 GiB to 4 GiB) of 1 GiB free"


class Short(Feeder):
    """Everything needs more memory than there is; what is under review is asked about first."""

    async def load(self, path: str, *, at: str = "", accept: str | None = None, anyway: bool = False) -> None:
        if path == REVIEW and accept is None:
            raise NeedsReviewError(f"{path} needs your review")
        if not anyway:
            raise NeedsMemoryError(f"{path} will not fit into memory: {NO_ROOM}")
        await super().load(path, at=at, accept=accept, anyway=anyway)


def short() -> Short:
    feeder = demo()
    feeder.__class__ = Short
    assert isinstance(feeder, Short)
    return feeder


async def test_the_first_screen_and_the_overview_tell_what_it_will_take() -> None:
    feeder = demo()
    feeder.forecasts[SVM] = TOLD
    async with console_on(feeder, size=(110, 40)) as console:
        console.widget(ArtifactTable).select(SVM)
        await console.until(lambda: f"memory  {WORDS}" in console.picture())
        console.app.open_model(SVM)
        await console.on(ModelScreen)
        await console.until(lambda: WORDS in " ".join(console.picture().split()))


@pytest.mark.parametrize("key", ["y", "n"])
async def test_what_cannot_fit_is_loaded_after_a_yes_alone(key: str) -> None:
    feeder = short()
    async with console_on(feeder) as console:
        console.app.operations.perform("load", SVM)
        await console.on(ConfirmScreen)
        picture = " ".join(console.picture().split())
        assert "although memory is short?" in picture
        assert NO_ROOM in picture.replace("│ ", "").replace(" │", "")
        await console.press(key)
        await console.on(HomeScreen)
        asked = [one for one in feeder.asked if one[0] == "load"]
        assert [one[-1] for one in asked] == (["anyway"] if key == "y" else [])


async def test_a_review_comes_first_and_its_yes_is_kept() -> None:
    feeder = short()
    feeder.views.pop(REVIEW, None)
    async with console_on(feeder) as console:
        console.app.operations.perform("load", REVIEW)
        await console.on(TypedYesScreen)
        await console.write("yes")
        await console.press("enter")
        await console.on(ConfirmScreen)
        await console.press("y")
        await console.until(lambda: any(one[0] == "load" for one in feeder.asked))
    (asked,) = [one for one in feeder.asked if one[0] == "load"]
    assert asked[1] == REVIEW
    assert "after reading" in str(asked[3])
    assert asked[-1] == "anyway"
