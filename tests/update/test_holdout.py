"""The rows of a gate: each way to have it pass on rows that say nothing, and what keeps a measurement away."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from console.cli.change import _refused, _without_gate
from console.engine.local import Engine
from console.errors import ConflictError, InputError, OperationError
from console.records import Comparison, Event, Unchanged
from tests.update.conftest import NAMES, Place, frame

pytestmark = pytest.mark.asyncio(loop_scope="session")

GATE = '[gate]\nmetric = "accuracy"\nnot_worse_by = 0\n'
TRAIN, OWN = frame(0, 200), frame(200, 300)


def nearest(count: int = 30) -> KNeighborsClassifier:
    """A model that remembers its rows: on those of its training it is always right."""
    return KNeighborsClassifier(1).fit(TRAIN[NAMES][:count], TRAIN["y"][:count])


def recipe(holdout: str | None, gate: str = GATE, more: str = "") -> str:
    named = "" if holdout is None else f'holdout = "{holdout}"\n'
    return f'[data]\ntrain = "train.csv"\n{named}target = "y"\n{more}{gate}'


async def updated(engine: Engine, path: str) -> Comparison:
    return await engine.updates.run(await engine.updates.plan(path))


def written(*parts: pandas.DataFrame) -> Callable[[Path], None]:
    return lambda path: pandas.concat(parts).to_csv(path, index=False)


WAYS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "the same file": ("train.csv", lambda path: None, "the hold-out is the training file"),
    "a symbolic link": ("sym.csv", lambda path: path.symlink_to("train.csv"), "the hold-out is the training file"),
    "a hard link": ("hard.csv", lambda path: os.link(path.with_name("train.csv"), path), "is the training file"),
    "a copy": ("copy.csv", written(TRAIN), "the hold-out is a copy of the training file"),
    "shuffled, as parquet": (
        "other.parquet",
        lambda path: TRAIN.sample(frac=1, random_state=1).to_parquet(path),
        "200 of the 200 rows of the hold-out stand in the training file",
    ),
    "mostly": ("most.csv", written(TRAIN[:60], OWN[:50]), "60 of the 110 rows of the hold-out stand in"),
    "one class": ("class.csv", written(OWN[OWN["y"] == 1]), "the hold-out holds one class only"),
    "no rows": ("none.csv", written(OWN[:0]), "the hold-out has no rows"),
    "one row": ("row.csv", written(*[OWN[:1]] * 60, OWN[:20]), "61 of 80 rows of the hold-out are the same row"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_rows_that_say_nothing_are_no_measurement(engine: Engine, place: Place, way: str) -> None:
    name, write, words = WAYS[way]
    if not (engine.root / name).exists():
        write(engine.root / name)
    path = place("fooled.pkl", nearest(), recipe(name))
    found = await updated(engine, path)
    assert words in found.unmeasured
    assert not found.passed
    assert [(one.passed, one.detail) for one in found.gate] == [(None, f"not measured: {found.unmeasured}")]


async def test_without_a_hold_out_no_gate_passes_but_the_figures_are_shown(engine: Engine, place: Place) -> None:
    path = place("unheld.pkl", nearest(), recipe(None, "[gate]\nmax_latency_ratio = 50\n"))
    found = await updated(engine, path)
    assert (found.unmeasured, found.rows, found.held_out) == ("no hold-out is named", 40, False)
    assert 0.5 < found.candidate.metrics["accuracy"] < 1.0
    assert [one.passed for one in found.gate] == [None, True]
    assert not found.passed


async def test_rows_in_both_files_are_left_out(engine: Engine, place: Place) -> None:
    written(TRAIN[:80], OWN)(engine.root / "some.csv")
    some = await updated(engine, place("some.pkl", nearest(), recipe("some.csv")))
    own = await updated(engine, place("own.pkl", nearest(), recipe("hold.csv")))
    assert (some.rows, own.rows, some.unmeasured) == (100, 100, "")
    assert some.candidate.metrics == own.candidate.metrics
    assert some.warnings == ("80 of the 180 rows of the hold-out stand in the training file as well and were left out",)


async def test_a_column_that_is_the_target_is_warned_of(engine: Engine, place: Place) -> None:
    for name, rows in (("leak-train.csv", TRAIN), ("leak.csv", OWN)):
        rows.assign(c=rows["y"]).to_csv(engine.root / name, index=False)
    told = recipe("leak.csv").replace('"train.csv"', '"leak-train.csv"')
    found = await updated(engine, place("leaking.pkl", nearest(), told))
    assert found.warnings == ("the column c holds the target itself",)


async def test_a_command_that_names_no_training_rows_measures_nothing(engine: Engine, place: Place) -> None:
    (engine.root / "nn.py").write_text(
        "import pickle, sys, pandas\nfrom sklearn.neighbors import KNeighborsClassifier\n"
        "rows = pandas.read_csv('hold.csv')\n"
        "pickle.dump(KNeighborsClassifier(1).fit(rows[['a', 'b', 'c']], rows['y']), open(sys.argv[1], 'wb'))\n"
    )
    command = '[retrain]\ncommand = ["python", "nn.py", "{candidate}"]\n'
    told = recipe("hold.csv", more=command).replace('train = "train.csv"\n', "")
    found = await updated(engine, place("seen.pkl", nearest(), told))
    assert found.candidate.metrics["accuracy"] == 1.0
    assert (found.passed, found.unmeasured) == (False, "the hold-out is the training file")


async def test_a_training_that_writes_where_it_may_not_fails_with_its_output(engine: Engine, place: Place) -> None:
    (engine.root / "cheat.py").write_text(
        "import sys\nprint('cheating')\nopen('hold.csv', 'a').write('1,1,1,1')\nopen(sys.argv[1], 'wb').write(b'x')\n"
    )
    before = (engine.root / "hold.csv").read_bytes()
    command = '[retrain]\ncommand = ["python", "cheat.py", "{candidate}"]\n'
    path = place("cheat.pkl", nearest(), recipe("hold.csv", more=command))
    with pytest.raises(OperationError, match=r"ended with exit code 1: PermissionError.*hold\.csv") as caught:
        await updated(engine, path)
    assert (engine.root / "hold.csv").read_bytes() == before
    assert caught.value.code == "training-failed"
    (kept,) = (one for one in engine.failures.all() if one.artifact == path)
    assert (kept.code, kept.exit) == ("training-failed", "exit code 1")
    assert kept.stderr.splitlines()[:2] == ["cheating", "Traceback (most recent call last):"]


async def test_much_output_of_a_training_ends_with_its_last_words(engine: Engine, place: Place) -> None:
    (engine.root / "talk.py").write_text("for number in range(6000):\n    print(number)\nraise SystemExit(3)\n")
    command = '[retrain]\ncommand = ["python", "talk.py", "{candidate}"]\n'
    path = place("talk.pkl", nearest(), recipe("hold.csv", more=command))
    with pytest.raises(OperationError, match="ended with exit code 3: 5999") as caught:
        await updated(engine, path)
    assert caught.value.failure is not None
    assert caught.value.failure.stderr.splitlines()[-2:] == ["5998", "5999"]


async def test_a_recipe_that_changes_meanwhile_ends_the_update(engine: Engine, place: Place) -> None:
    path = place("changing.pkl", nearest(), recipe("hold.csv", '[gate]\nmetric = "accuracy"\nat_least = 1.0\n'))

    def hear(event: Event) -> None:
        if event.subject == path and event.text.endswith("measuring both models"):
            (engine.root / "changing.recipe.toml").write_text(recipe("hold.csv", ""))

    stop = engine.bus.subscribe(hear)
    with pytest.raises(ConflictError, match=r"the recipe of changing\.pkl changed"):
        await updated(engine, path)
    stop()
    assert engine.updates.pending(path) is None


async def test_why_the_current_model_has_no_figures_is_said(engine: Engine, place: Place) -> None:
    gate = GATE + "max_latency_ratio = 50\n"
    found = await updated(engine, place("unfitted.pkl", LogisticRegression(), recipe("hold.csv", gate)))
    assert "not fitted yet" in found.problem
    assert [one.passed for one in found.gate] == [None, None]
    assert all("could not be measured for the current model: " in one.detail for one in found.gate)
    assert all("not fitted yet" in one.detail for one in found.gate)


async def test_a_metric_is_refused_before_anything_is_trained(engine: Engine, place: Place) -> None:
    path = place("typo.pkl", nearest(), recipe("hold.csv", '[gate]\nmetric = "accurracy"\nat_least = 0.1\n'))
    phases: list[str] = []
    stop = engine.bus.subscribe(lambda event: phases.append(event.text))
    with pytest.raises(InputError, match="did you mean accuracy"):
        await updated(engine, path)
    stop()
    assert not any("trainer" in text for text in phases)
    machine = SVC().fit(TRAIN[NAMES], TRAIN["y"])
    path = place("machine.pkl", machine, recipe("hold.csv", '[gate]\nmetric = "brier_score_loss"\nat_least = 0.9\n'))
    with pytest.raises(InputError, match="brier_score_loss is computed from scores, and SVC has no predict_proba"):
        await updated(engine, path)


@pytest.mark.slow
async def test_a_candidate_that_answers_alike_is_called_unchanged(engine: Engine, place: Place) -> None:
    rows = pandas.read_csv(engine.root / "train.csv")
    same = KNeighborsClassifier(1).fit(rows[NAMES], rows["y"])
    same.note = "so that the bytes differ"
    found = await updated(engine, place("alike.pkl", same, recipe("hold.csv")))
    assert (found.unchanged, found.passed) == (Unchanged.ANSWERS, True)
    same = pickle.loads(pickle.dumps(KNeighborsClassifier(1).fit(rows[NAMES], rows["y"])))
    path = place("bytes.pkl", same, recipe("hold.csv"))
    await updated(engine, path)
    await engine.updates.promote(path, "as the trainer writes it")
    found = await updated(engine, path)
    assert (found.unchanged, found.passed) == (Unchanged.CONTENT, False)
    other = await updated(engine, place("other.pkl", nearest(), recipe("hold.csv")))
    assert other.unchanged is None


async def test_what_training_warns_of_comes_with_the_comparison(engine: Engine, place: Place) -> None:
    short = LogisticRegression(max_iter=1).fit(TRAIN[NAMES][:12] * 0, TRAIN["y"][:12])
    found = await updated(engine, place("short.pkl", short, recipe("hold.csv")))
    assert any(warning.startswith("ConvergenceWarning: ") for warning in found.warnings)


async def test_the_operator_may_promote_what_was_not_measured(engine: Engine, place: Place) -> None:
    path = place("word.pkl", nearest(), recipe("train.csv"))
    found = await updated(engine, path)
    version = await engine.updates.promote(path, "promoted on the screen")
    assert (version.digest, found.passed) == (found.candidate.digest, False)
    assert found.candidate.metrics
    assert version.metrics == {}
    assert any(entry.result == f"compared: not measured: {found.unmeasured}" for entry in engine.book.entries())


async def test_few_rows_are_warned_of(engine: Engine, place: Place) -> None:
    written(OWN[:12])(engine.root / "few.csv")
    found = await updated(engine, place("few.pkl", nearest(), recipe("few.csv")))
    assert (found.unmeasured, found.warnings) == ("", ("the hold-out has only 12 rows that count",))


GAPS = np.arange(100) % 50 == 7


@pytest.mark.parametrize("gate", [GATE.replace("accuracy", "r2"), pytest.param("", marks=pytest.mark.slow)])
async def test_a_hold_out_with_a_missing_truth_is_measured_without_that_row(
    engine: Engine, place: Place, gate: str
) -> None:
    rows = TRAIN.assign(y=TRAIN["a"] * 2 + TRAIN["b"])
    rows.to_csv(engine.root / "numbers.csv", index=False)
    own = OWN.assign(y=OWN["a"] * 2 + OWN["b"])
    own.assign(y=own["y"].where(~GAPS)).to_csv(engine.root / "gaps.csv", index=False)
    own[~GAPS].to_csv(engine.root / "whole.csv", index=False)
    poor = LinearRegression().fit(rows[NAMES], -rows["y"])
    told = {name: recipe(f"{name}.csv", gate).replace("train.csv", "numbers.csv") for name in ("gaps", "whole")}
    found = [await updated(engine, place(f"{name}.pkl", poor, told[name])) for name in told]
    assert [one.rows for one in found] == [98, 98]
    assert found[0].candidate.metrics == found[1].candidate.metrics
    assert found[0].current is not None
    assert found[0].current.metrics["r2"] < -1
    assert found[0].warnings == ("2 of 100 rows have no truth and were left out",)
    assert [one.passed for one in found] == [bool(gate)] * 2


@pytest.mark.parametrize(
    "gate",
    ["[gate]\nmax_latency_ratio = 50\n", *(pytest.param(one, marks=pytest.mark.slow) for one in (GATE, ""))],
)
async def test_a_hold_out_without_any_truth_lets_nothing_pass(engine: Engine, place: Place, gate: str) -> None:
    OWN.assign(y=float("nan")).to_csv(engine.root / "untold.csv", index=False)
    found = await updated(engine, place("untold.pkl", nearest(), recipe("untold.csv", gate)))
    assert (found.rows, found.candidate.metrics, found.passed) == (0, {}, False)
    assert (found.unmeasured, found.unchanged) == ("none of the 100 rows has a truth", None)
    assert not _without_gate(found)
    assert _refused(found).code == "not-measured"


@pytest.mark.slow
async def test_a_candidate_that_answers_no_numbers_is_not_promoted_by_a_yes(engine: Engine, place: Place) -> None:
    (engine.root / "broken.py").write_text(
        "import pickle, sys, numpy, pandas\nfrom sklearn.linear_model import LinearRegression\n"
        "rows = pandas.read_csv('numbers-b.csv')\n"
        "model = LinearRegression().fit(rows[['a', 'b', 'c']], rows['y'])\nmodel.coef_[:] = numpy.nan\n"
        "pickle.dump(model, open(sys.argv[1], 'wb'))\n"
    )
    rows = TRAIN.assign(y=TRAIN["a"])
    rows.to_csv(engine.root / "numbers-b.csv", index=False)
    OWN.assign(y=OWN["a"]).to_csv(engine.root / "own-b.csv", index=False)
    command = '[retrain]\ncommand = ["python", "broken.py", "{candidate}"]\n'
    told = recipe("own-b.csv", "", command).replace('"train.csv"', '"numbers-b.csv"')
    found = await updated(engine, place("broken.pkl", LinearRegression().fit(rows[NAMES], rows["y"]), told))
    assert found.candidate.metrics == {}
    assert found.unmeasured == "the model's answer is no finite number in 100 of 100 rows"
    assert not _without_gate(found)


@pytest.mark.slow
async def test_an_outlier_detector_is_held_against_either_spelling(engine: Engine, place: Place) -> None:
    far = OWN.copy()
    far.loc[far.index[:10], NAMES] += 3.0
    truth = np.arange(100) < 10
    figures = []
    for name, y in (("ones", truth.astype(int)), ("signs", 1 - 2 * truth)):
        far.assign(y=y).to_csv(engine.root / f"{name}.csv", index=False)
        forest = IsolationForest(n_estimators=10, random_state=0).fit(TRAIN[NAMES])
        found = await updated(engine, place(f"{name}.pkl", forest, recipe(f"{name}.csv")))
        assert (found.task, found.metric, found.passed) == ("outlier detection", "accuracy", True)
        figures.append(found.candidate.metrics)
    assert figures[0] == figures[1]
    assert figures[0]["roc_auc"] == 1.0
