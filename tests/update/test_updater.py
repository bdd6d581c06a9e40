"""Updates end to end on a real store: trainer, judgement, both models measured, gate, promotion."""

from __future__ import annotations

import asyncio
import os
import pickle
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import joblib
import psutil
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.core import registry
from console.engine.local import Engine
from console.errors import AccessDeniedError, ConflictError, InputError, NeedsReviewError, OperationError, UsageError
from console.records import Event, Mode, Verdict
from tests.update.conftest import Place, frame

pytestmark = pytest.mark.asyncio(loop_scope="session")

DATA = '[data]\ntrain = "train.csv"\nholdout = "hold.csv"\ntarget = "y"\n'
GATE = '[gate]\nmetric = "accuracy"\nat_least = 0.8\nnot_worse_by = 0.05\nmax_latency_ratio = 20\n'


def poor(**parameters: Any) -> LogisticRegression:
    """A model of very few rows, with names."""
    rows = frame(0, 12)
    return LogisticRegression(**parameters).fit(rows[["a", "b", "c"]], rows["y"])


def heard(engine: Engine) -> list[Event]:
    events: list[Event] = []
    engine.bus.subscribe(events.append)
    return events


async def test_from_training_to_promotion_and_back(engine: Engine, place: Place) -> None:
    rows = frame(0, 12)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(rows[["a", "b", "c"]], rows["y"])
    path = place("round.joblib", model, DATA + GATE, compress=("zlib", 3))
    before = (engine.root / path).read_bytes()
    view = await engine.models.load(path)
    events = heard(engine)
    plan = await engine.updates.plan(path)
    assert (plan.mode, plan.target) == (Mode.FIT, "y")
    comparison = await engine.updates.run(plan)
    assert comparison.passed, comparison.gate
    assert [result.passed for result in comparison.gate] == [True, True, True]
    assert (comparison.task, comparison.rows, comparison.held_out) == ("classification", 100, True)
    assert comparison.current is not None
    assert comparison.candidate.metrics["accuracy"] >= comparison.current.metrics["accuracy"]
    assert comparison.candidate.latency is not None
    assert comparison.candidate.latency.count == 60
    assert comparison.candidate.judgement is not None
    assert comparison.candidate.judgement.verdict is Verdict.SAFE
    assert comparison.candidate.parameters["logisticregression__C"] == 0.5
    assert comparison.changed == ()
    assert engine.updates.pending(path) == comparison
    assert (engine.root / path).read_bytes() == before
    assert engine.updates.progress(path) is None
    phases = [event.text for event in events if event.kind == "update.progress"]
    assert any("training" in text for text in phases)

    version = await engine.updates.promote(path, "more rows")
    assert (version.version, version.why, version.digest) == (2, "more rows", comparison.candidate.digest)
    assert version.metrics == comparison.candidate.metrics
    assert engine.updates.pending(path) is None
    assert joblib.load(engine.root / path).get_params()["logisticregression__C"] == 0.5
    assert (engine.root / path).read_bytes()[:1] == b"\x78"
    after = engine.models.view(path)
    assert after is not None
    assert (after.digest, after.pid != view.pid) == (version.digest, True)

    back = await engine.updates.rollback(path)
    assert back.version == 1
    assert (engine.root / path).read_bytes() == before
    actions = [(entry.action, entry.result) for entry in engine.book.entries() if entry.artifact == path]
    assert actions[2:] == [
        ("update", "intent"),
        ("update", "compared: gate passed"),
        ("promote", "intent"),
        ("promote", "done"),
        *actions[6:8],
        ("rollback", "intent"),
        ("rollback", "done"),
        *actions[10:],
    ]
    assert engine.book.verify().ok
    await engine.models.unload(path)


async def test_without_a_hold_out_a_fifth_is_kept_back_and_said(engine: Engine, place: Place) -> None:
    path = place("nohold.pkl", poor(), '[data]\ntrain = "train.csv"\ntarget = "y"\n')
    comparison = await engine.updates.run(await engine.updates.plan(path))
    assert (comparison.rows, comparison.held_out) == (40, False)
    assert not comparison.passed
    assert "your word" in comparison.gate[0].detail
    await engine.updates.discard(path)
    assert engine.updates.pending(path) is None
    with pytest.raises(OperationError, match="no candidate"):
        await engine.updates.promote(path, "gone")


async def test_a_model_in_a_holder_is_replaced_at_its_place(engine: Engine, place: Place) -> None:
    path = place("holder.pkl", {"model": poor(C=2.0), "threshold": 0.3, "labels": ("no", "yes")})
    comparison = await engine.updates.run(await engine.updates.plan(path))
    assert str(comparison.candidate.model_class).endswith("LogisticRegression")
    await engine.updates.promote(path, "holder")
    with (engine.root / path).open("rb") as file:
        new = pickle.load(file)
    assert (new["threshold"], new["labels"], new["model"].C) == (0.3, ("no", "yes"), 2.0)
    assert new["model"].n_iter_[0] != 0


async def test_an_hdf5_artifact_stays_one(engine: Engine, place: Place) -> None:
    path = place("own.pkl", poor())
    with (engine.root / "own.h5").open("w+b") as file:
        registry.save(poor(), "hdf5", file.fileno())
    (engine.root / path).unlink()
    comparison = await engine.updates.run(await engine.updates.plan("own.h5"))
    await engine.updates.promote("own.h5", "more rows")
    report = await engine.artifacts.report("own.h5", digest=True)
    assert report.inspection is not None
    assert (report.inspection.format, report.artifact.digest) == ("hdf5", comparison.candidate.digest)


async def test_a_foreign_change_in_between_is_a_conflict_and_kept(engine: Engine, place: Place) -> None:
    path = place("conflict.pkl", poor())
    await engine.updates.run(await engine.updates.plan(path))
    foreign = pickle.dumps(poor(C=99.0))
    (engine.root / path).write_bytes(foreign)
    with pytest.raises(ConflictError, match="no longer what the candidate was compared with"):
        await engine.updates.promote(path, "late")
    assert (engine.root / path).read_bytes() == foreign
    assert engine.updates.pending(path) is not None
    await engine.updates.discard(path)


@pytest.mark.slow
async def test_what_was_accepted_stays_so_through_an_update(engine: Engine, place: Place) -> None:
    path = place("review.pkl", {"model": poor(), "origin": IPv4Address(1)})
    plan = await engine.updates.plan(path)
    with pytest.raises(NeedsReviewError, match="IPv4Address"):
        await engine.updates.run(plan)
    await engine.models.load(path, accept="ours")
    await engine.models.unload(path)
    comparison = await engine.updates.run(plan)
    assert comparison.candidate.judgement is not None
    assert comparison.candidate.judgement.verdict is Verdict.REVIEW
    await engine.updates.promote(path, "more rows")
    report = await engine.artifacts.report(path, digest=True)
    assert report.artifact.digest == comparison.candidate.digest
    assert "more rows" in str(report.judgement.pinned)


class Marker:
    """Writes a marker file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


async def test_nothing_is_written_through_a_link(engine: Engine, place: Place) -> None:
    link = engine.root / "way" / "latest.joblib"
    link.parent.mkdir()
    link.symlink_to("../real.joblib")
    words = r"^way/latest\.joblib is a link to \.\./real\.joblib, and nothing is written through a link$"
    with pytest.raises(InputError, match=words):
        await engine.updates.plan("way/latest.joblib")
    with pytest.raises(InputError, match=words):
        await engine.updates.rollback("way/latest.joblib")
    with pytest.raises(InputError, match=words):
        await engine.at_rest.seal("way/latest.joblib", ["age1"], replace=True)
    assert link.is_symlink()


async def test_hostile_artifacts_are_not_trained(engine: Engine, place: Place, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    blocked = place("blocked.pkl", {"model": poor(), "more": Marker(marker)})
    cached = place("cached.pkl", Pipeline([("m", poor())], memory=str(tmp_path)))
    with pytest.raises(AccessDeniedError, match=r"system"):
        await engine.updates.run(await engine.updates.plan(blocked))
    with pytest.raises(AccessDeniedError, match="memory"):
        await engine.updates.run(await engine.updates.plan(cached))
    assert not marker.exists()


async def test_a_hostile_candidate_is_neither_loaded_nor_promoted(engine: Engine, place: Place, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    program = f"import pickle, sys, pathlib\npathlib.Path(sys.argv[1]).write_bytes({pickle.dumps(Marker(marker))!r})\n"
    (engine.root / "evil.py").write_text(program)
    recipe = DATA + '[retrain]\ncommand = ["python", "evil.py", "{candidate}"]\n'
    path = place("commanded.pkl", poor(), recipe)
    before = (engine.root / path).read_bytes()
    with pytest.raises(AccessDeniedError, match="blocked"):
        await engine.updates.run(await engine.updates.plan(path))
    assert engine.updates.pending(path) is None
    assert (engine.root / path).read_bytes() == before
    assert not marker.exists()


async def test_the_operators_own_program_makes_the_candidate(engine: Engine, place: Place) -> None:
    (engine.root / "own.py").write_text(
        "import pickle, sys\nimport pandas\nfrom sklearn.linear_model import LogisticRegression\n"
        "rows = pandas.read_csv('train.csv')\nprint('read', len(rows), flush=True)\n"
        "model = LogisticRegression(C=50.0).fit(rows[['a', 'b', 'c']], rows['y'])\n"
        "pickle.dump(model, open(sys.argv[2], 'wb'))\n"
    )
    recipe = DATA + GATE + '[retrain]\ncommand = ["python", "own.py", "--out", "{candidate}"]\n'
    path = place("program.pkl", poor(), recipe)
    events = heard(engine)
    comparison = await engine.updates.run(await engine.updates.plan(path))
    assert comparison.passed, comparison.gate
    assert ("C", "1.0", "50.0") in comparison.changed
    assert any(event.data.note == "read 200" for event in events)
    await engine.updates.promote(path, "own program")


async def test_partial_fit_and_warm_start(engine: Engine, place: Place) -> None:
    rows = frame(0, 30)
    sgd = SGDClassifier(loss="log_loss", random_state=0).fit(rows[["a", "b", "c"]], rows["y"])
    path = place("partial.pkl", sgd, DATA + '[retrain]\nmode = "partial_fit"\n')
    events = heard(engine)
    await engine.updates.run(await engine.updates.plan(path))
    assert any(event.data.total == 20 for event in events if event.kind == "update.progress")
    forest = RandomForestClassifier(10, random_state=0, n_jobs=-1).fit(rows[["a", "b", "c"]], rows["y"])
    path = place("warm.pkl", forest, DATA + '[retrain]\nmode = "warm_start"\n')
    comparison = await engine.updates.run(await engine.updates.plan(path))
    assert comparison.changed == (("n_estimators", "10", "11"),)
    assert comparison.candidate.parameters["n_jobs"] == -1


async def test_a_transformer_is_measured_by_its_way_back(engine: Engine, place: Place) -> None:
    path = place("pca.joblib", PCA(2, random_state=0).fit(frame(0, 12)[["a", "b", "c"]]))
    comparison = await engine.updates.run(await engine.updates.plan(path))
    assert (comparison.task, comparison.metric) == ("transformation", "mean_squared_error")
    assert comparison.candidate.latency is not None
    assert comparison.candidate.latency.count == 60


async def test_training_again_on_the_same_rows_is_no_other_content(engine: Engine, place: Place) -> None:
    path = place("same.pkl", poor(), DATA + GATE)
    await engine.updates.run(await engine.updates.plan(path))
    await engine.updates.promote(path, "once")
    comparison = await engine.updates.run(await engine.updates.plan(path))
    assert not comparison.passed
    assert "exactly the bytes" in comparison.gate[-1].detail
    await engine.updates.discard(path)


@pytest.mark.parametrize(
    ("data", "target", "words"),
    [
        ("one-class.csv", "y", "one class only"),
        ("train.csv", "nothing", "nothing"),
        ("columns.csv", "y", "missing"),
        ("absent.csv", "y", "absent"),
    ],
)
async def test_rows_that_cannot_be_used_change_nothing(
    engine: Engine, place: Place, data: str, target: str, words: str
) -> None:
    frame(0, 50, y=1).to_csv(engine.root / "one-class.csv", index=False)
    frame(0, 50).drop(columns="b").to_csv(engine.root / "columns.csv", index=False)
    path = place("rows.pkl", poor())
    plan = await engine.updates.plan(path, data=str(engine.root / data), target=target)
    with pytest.raises(InputError, match=words):
        await engine.updates.run(plan)
    assert engine.updates.pending(path) is None
    assert engine.updates.progress(path) is None


async def test_a_missing_plan_says_what_to_name(engine: Engine, place: Place) -> None:
    path = place("bare.pkl", poor(), "# nothing")
    with pytest.raises(UsageError, match="nothing to train"):
        await engine.updates.plan(path)


async def test_cancelling_ends_the_trainer_and_changes_nothing(engine: Engine, place: Place) -> None:
    endless = poor(solver="saga", max_iter=1, tol=0.0).set_params(max_iter=10**9)
    path = place("endless.pkl", endless)
    before = (engine.root / path).read_bytes()
    training = asyncio.Event()

    def hear(event: Event) -> None:
        if event.kind == "update.progress" and event.subject == path and event.text.endswith(": training"):
            training.set()

    stop = engine.bus.subscribe(hear)
    plan = await engine.updates.plan(path)
    task = asyncio.ensure_future(engine.updates.run(plan))
    await asyncio.wait_for(training.wait(), 60)
    stop()
    with pytest.raises(OperationError, match="being updated already"):
        await engine.updates.run(plan)
    progress = engine.updates.progress(path)
    assert progress is not None
    assert progress.phase == "training"
    trainers = [child for child in engine._launcher.children if child.kind == "trainer"]
    assert len(trainers) == 1
    assert psutil.pid_exists(trainers[0].pid)
    await engine.updates.cancel(path)
    with pytest.raises(OperationError, match="cancelled; nothing was changed"):
        await task
    assert trainers[0].ended.is_set()
    assert not psutil.pid_exists(trainers[0].pid)
    assert (engine.root / path).read_bytes() == before
    assert engine.updates.progress(path) is None


async def test_a_data_file_that_changes_meanwhile_is_noticed(engine: Engine, place: Place) -> None:
    frame(0, 200).to_csv(engine.root / "moving.csv", index=False)
    path = place("moving.pkl", poor(), DATA.replace("train.csv", "moving.csv"))

    def hear(event: Event) -> None:
        if event.text.endswith("measuring both models"):
            frame(0, 150).to_csv(engine.root / "moving.csv", index=False)

    stop = engine.bus.subscribe(hear)
    with pytest.raises(ConflictError, match="changed while they were used"):
        await engine.updates.run(await engine.updates.plan(path))
    stop()
    assert engine.updates.pending(path) is None
