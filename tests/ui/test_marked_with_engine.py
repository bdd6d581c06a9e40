"""Many at a time on a real engine: loaded, driven, unloaded, read anew and sealed, each told in one sentence."""

from __future__ import annotations

import pickle
import shutil
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pyrage import x25519
from sklearn.linear_model import LogisticRegression

from console.config import Sealing, Settings
from console.records import Verdict, WorkerState
from console.ui.dialogs.confirm import ConfirmScreen, SealScreen
from tests.ui.driving import Driver, console_on
from tests.ui.test_marks import again, mark, marked, said
from tests.warm import Opening

pytestmark = pytest.mark.asyncio(loop_scope="session")

LR, RF, BAD, CUT, TWO, ODD = (
    "churn/lr.joblib",
    "wine/forest.joblib",
    "trouble/do-not-load.pkl",
    "trouble/half-copied.joblib",
    "own/two.pkl",
    "own/odd.pkl",
)


@pytest.fixture
def store(demo_store: Path, tmp_path: Path) -> Path:
    """Models that load, and one of each kind that is left out when many are loaded."""
    root = tmp_path / "store"
    for path in (LR, RF, BAD, CUT):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(demo_store / path, root / path)
    shutil.copytree(demo_store / "churn", root / "churn", dirs_exist_ok=True)
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    (root / "own").mkdir()
    other = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    (root / TWO).write_bytes(pickle.dumps({"first": fitted, "second": other}))
    other.origin_ = IPv4Address(1)
    (root / ODD).write_bytes(pickle.dumps(other))
    return root


async def judged(console: Driver, *paths: str) -> None:
    """Wait until the table has the verdicts of these."""

    def known(path: str) -> bool:
        row = console.app.rows.by_path.get(path)
        return row is not None and row.artifact.verdict is not None

    await console.until(lambda: all(map(known, paths)), "verdicts")


async def test_data_that_was_chosen_counts_for_what_is_marked(store: Path, demo_store: Path, opening: Opening) -> None:
    shutil.copytree(demo_store / "wine/data", store / "wine/data")
    engine = await opening(store)
    try:
        await engine.data.choose(RF, str(store / "wine/data/wine-holdout.csv"), "cultivar")
        async with console_on(engine) as console:
            await judged(console, LR, RF)
            await mark(console, LR, RF)
            await console.press("p")
            await console.until(lambda: said(console), "the summary")
            assert said(console) == ["2 driven"]
    finally:
        await engine.close()


async def test_all_marked_are_loaded_driven_and_unloaded(store: Path, opening: Opening) -> None:
    engine = await opening(store)

    def states() -> dict[str, WorkerState]:
        return {path: view.state for path, view in engine.models.views().items()}

    try:
        async with console_on(engine) as console:
            every = (LR, RF, BAD, CUT, TWO, ODD)
            await judged(console, *every)
            await mark(console, *every)
            await console.press("l")
            await console.until(lambda: said(console), "the summary")
            (sentence,) = said(console)
            assert sentence.startswith("2 loaded; ")
            for words in (
                f"2 refused: blocked ({BAD}), damaged ({CUT})",
                f"2 left out: holds several models ({TWO}), under review ({ODD})",
            ):
                assert words in sentence
            assert states() == {LR: WorkerState.READY, RF: WorkerState.READY}
            await console.until(lambda: console.picture().count("● ready") == 2, "the screens have heard of it")
            await console.press("escape")
            await mark(console, LR, RF)
            again(console)
            await console.press("p")
            await console.until(lambda: said(console), "the summary")
            assert said(console) == [f"1 driven; 1 left out: no data is named ({RF})"]
            await console.press("x")
            await console.on(ConfirmScreen)
            await console.until(lambda: "Unload 2 models while one of them is driven?" in console.picture())
            again(console)
            await console.press("y")
            await console.until(lambda: said(console), "the summary")
            assert said(console) == ["2 unloaded"]
            assert states() == {}
            assert marked(console) == {LR, RF}
    finally:
        await engine.close()


@pytest.mark.slow
async def test_what_is_read_anew_and_what_is_sealed(store: Path, tmp_path: Path, opening: Opening) -> None:
    recipient = str(x25519.Identity.generate().to_public())
    engine = await opening(store, Settings(warm=False, sealing=Sealing(recipients=(recipient,))))
    try:
        async with console_on(engine) as console:
            await judged(console, LR, RF)
            await mark(console, LR, RF)
            (store / RF).write_bytes((store / BAD).read_bytes())
            await console.press("I")
            await console.until(lambda: any("2 read anew: " in one for one in said(console)), "the summary")
            await console.until(
                lambda: console.app.rows.by_path[RF].artifact.verdict is Verdict.BLOCKED, "the row that is another one"
            )
            again(console)
            await console.press("Z")
            await console.on(SealScreen)
            await console.press("right", "right", "enter")
            await console.until(lambda: "2 sealed in place of the original" in said(console), "the summary")
            await console.until(
                lambda: (
                    f"{LR}.age" in console.app.rows.by_path
                    and LR not in console.app.rows.by_path
                    and not marked(console)
                ),
                "other rows",
            )
        assert (store / f"{LR}.age").read_bytes().startswith(b"age-encryption.org/")
        assert not (store / LR).exists()
    finally:
        await engine.close()
