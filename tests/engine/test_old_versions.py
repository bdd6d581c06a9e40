"""Models that older versions of scikit-learn saved: what differs is told beside answers and failures."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import pandas
import pytest
import pytest_asyncio
import sklearn

from console.config import Settings
from console.engine.local import Engine
from console.errors import ConsoleError
from console.records import Prediction, ProbePlan
from tests.old_models import old_models
from tests.warm import Opening

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD = {model.name: model for model in old_models() if model.version == "1.3"}
NOTE = "answers may be wrong; run it with its own version ([environment] python = …) or retrain it"


@pytest_asyncio.fixture(loop_scope="session")
async def old(tmp_path: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """A store with the models of 1.3.2, and the rows that they were asked."""
    root = tmp_path / "store"
    root.mkdir()
    for model in OLD.values():
        shutil.copy(model.path, root)
        frame = pandas.DataFrame(model.rows, columns=model.columns).assign(y=model.truth)
        frame.to_csv(root / f"{model.name}.csv", index=False)
    opened = await opening(root, Settings(warm=False), watch=False)
    yield opened
    await opened.close()


async def test_what_differs_stands_beside_every_answer(old: Engine) -> None:
    view = await old.models.load("logistic.pkl")
    assert view.warnings == (
        f"written with scikit-learn 1.3.2, run with {sklearn.__version__}: {NOTE}",
        f"written with numpy 1, run with {numpy.__version__}: {NOTE}",
    )
    data = str(old.root / "forest.csv")
    answer = await old.inference.predict("logistic.pkl", data=data, target="y", stop=4, methods=["predict"])
    assert answer.outputs["predict"] == OLD["logistic"].answers["predict"][:4]


@pytest.mark.parametrize("methods", [pytest.param(["predict_proba"], marks=pytest.mark.slow), ["predict"]])
async def test_a_forest_whose_shares_are_counts_gives_no_answer_at_all(old: Engine, methods: list[str]) -> None:
    await old.models.load("forest.pkl")
    data = str(old.root / "forest.csv")
    with pytest.raises(ConsoleError, match=r"RandomForestClassifier\.predict_proba answered 4\d\.\d") as told:
        await old.inference.predict("forest.pkl", data=data, target="y", stop=4, methods=methods)
    assert told.value.code == "bad-answer"
    assert (told.value.hint or "").startswith("written with scikit-learn 1.3.2, run with ")
    with pytest.raises(ConsoleError, match="no probability"):
        await old.inference.evaluate("forest.pkl", data=data, target="y")
    await old.monitor.start("forest.pkl", ProbePlan(data, rate=50, target="y"), seconds=0.1)
    state = await old.monitor.finished("forest.pkl")
    assert state.errors
    assert state.calls == 0
    assert "no probability" in state.last_error
    assert "written with scikit-learn 1.3.2" in state.last_error


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imputed.pkl", "has no attribute '_fill_dtype'"),
        pytest.param("boosting.pkl", "_gb_losses", marks=pytest.mark.slow),
        pytest.param("hist_boosting.pkl", "Can't get attribute", marks=pytest.mark.slow),
        pytest.param("columns.joblib", "attribute", marks=pytest.mark.slow),
    ],
)
async def test_where_it_fails_the_version_is_named(old: Engine, name: str, words: str) -> None:

    async def answer() -> Prediction:
        await old.models.load(name)
        data = str((old.root / name).with_suffix(".csv"))
        return await old.inference.predict(name, data=data, target="y", stop=4)

    with pytest.raises(ConsoleError) as told:
        await answer()
    assert words in told.value.message
    assert "written with scikit-learn 1.3.2, run with " in (told.value.hint or "")
    assert told.value.failure is not None
    assert told.value.failure.versions.startswith("written with scikit-learn 1.3.2")
