"""Verdicts on real files: what models need is safe, what could harm is not, and every reason is in plain words."""

from __future__ import annotations

import io
import os
import pickle
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from backends.core import registry
from backends.core.findings import FINDING_CODES, finding
from backends.core.inspection import GlobalRef, Inspection
from backends.core.source import Source
from console.records import Judgement, Verdict
from console.trust.policy import Policy
from console.trust.policy_file import Pin
from console.trust.verdict import (
    FINDING_VERDICTS,
    SEVERITY,
    judge,
    refit_hazards,
    verdict_of_finding,
)
from tests.estimators import fit_all_estimators
from tests.hostile import SAMPLES, Sample
from tests.inspecting import inspect_bytes, judged

DIGEST = "sha256:" + "ef" * 32
X = np.random.RandomState(0).rand(30, 3)
Y = np.arange(30) % 2


class Payload:
    """Unpickles to a call of any function on any arguments; never unpickled here."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


class OwnTransformer:
    """A class of the operator's own, in a module that is on no list."""


def verdict(data: bytes, name: str = "model.pkl", policy: Policy | None = None) -> Judgement:
    return judge(inspect_bytes(data, name), policy or Policy())


def joblib_bytes(model: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file, **options)
    return file.getvalue()


def one_of_each(model: Any) -> list[bytes]:
    files = [pickle.dumps(model, protocol) for protocol in (0, 2, 4, 5)]
    return [
        *files,
        joblib_bytes(model),
        joblib_bytes(model, compress=("zlib", 3)),
        joblib_bytes(model, compress=("xz", 3)),
    ]


@pytest.mark.slow
def test_every_fitted_estimator_is_safe_as_hdf5() -> None:
    found = {}
    for name, model, _rows in fit_all_estimators():
        fd = os.memfd_create(name)
        registry.save(model, "hdf5", fd)
        found[name] = judge(registry.inspect(Source(fd, "model.h5")), Policy()).verdict
        os.close(fd)
    assert len(found) > 150
    assert {name for name, verdict in found.items() if verdict is not Verdict.SAFE} == set()


@pytest.mark.slow
def test_every_fitted_estimator_is_safe_in_every_spelling() -> None:
    found = [
        (name, number, reason)
        for name, model, _rows in fit_all_estimators()
        for number, data in enumerate(one_of_each(model))
        if (judged := verdict(data)).verdict is not Verdict.SAFE
        for reason in judged.reasons
    ]
    assert found == []


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression()).fit(X, Y),
        ColumnTransformer([("a", StandardScaler(), [0]), ("b", "passthrough", slice(1, 3))]).fit(X),
        {"model": LogisticRegression().fit(X, Y), "scaler": StandardScaler().fit(X), "names": ["a", "b"]},
        (LogisticRegression().fit(X, Y), OrderedDict(a=1), {1, 2}, b"bytes", 1 + 2j, None),
        RandomForestClassifier(3, random_state=np.random.RandomState(1)).fit(X, Y),
        HistGradientBoostingClassifier(max_iter=2).fit(X, Y),
        GradientBoostingClassifier(n_estimators=2).fit(X, Y),
        MLPClassifier((3,), max_iter=2).fit(X, Y),
        SVC(probability=True).fit(X, Y),
        KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
        KMeans(2).fit(X),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, scoring="roc_auc", cv=2).fit(X, Y),
        TfidfVectorizer(dtype=np.float32).fit(["red green", "green blue"]),
        sparse.csr_matrix(X),
        np.random.default_rng(1),
        np.array(["a", None, 3], dtype=object),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_people_save_around_models_is_safe(model: Any) -> None:
    assert [verdict(data).verdict for data in one_of_each(model)] == [Verdict.SAFE] * 7


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (os.system, ("touch marker",), "command"),
        (eval, ("1",), "Python code"),
        (getattr, (object, "__class__"), "any attribute"),
        (open, ("marker", "w"), "files"),
        (pickle.loads, (b"N.",), "another pickle"),
        (np.load, ("x.npy",), "another pickle"),
    ],
    ids=["system", "eval", "getattr", "open", "pickle.loads", "numpy.load"],
)
def test_a_dangerous_name_is_blocked_and_says_what_it_could_do(
    protocol: int, function: Callable[..., Any], arguments: tuple[Any, ...], words: str
) -> None:
    model = {"model": LogisticRegression().fit(X, Y), "extra": Payload(function, *arguments)}
    for data in (pickle.dumps(model, protocol), joblib_bytes(model), zlib.compress(joblib_bytes(model))):
        found = verdict(data)
        assert found.verdict is Verdict.BLOCKED
        assert words in found.reasons[0].detail
        assert found.reasons[0].code == "dangerous-name"
        assert found.reasons[0].offset is not None


def test_a_hidden_pickle_behind_an_array_is_blocked() -> None:
    model = [np.arange(100.0), Payload(os.system, "touch marker"), np.arange(50)]
    assert verdict(joblib_bytes(model)).verdict is Verdict.BLOCKED
    assert (
        verdict(joblib_bytes(np.array([1, Payload(os.system, "touch marker")], dtype=object))).verdict
        is Verdict.BLOCKED
    )


def test_a_name_of_the_operators_own_needs_review_and_can_be_trusted() -> None:
    data = pickle.dumps(OwnTransformer())
    found = verdict(data)
    assert found.verdict is Verdict.REVIEW
    name = f"{OwnTransformer.__module__}.OwnTransformer"
    assert name in found.reasons[0].detail
    assert verdict(data, policy=Policy(trusted=frozenset([name]))).verdict is Verdict.SAFE
    assert verdict(data, policy=Policy(trusted=frozenset([name.rpartition(".")[0]]))).verdict is Verdict.REVIEW


def test_trusting_a_name_never_opens_a_dangerous_one() -> None:
    found = verdict(
        pickle.dumps(Payload(os.system, "x")), policy=Policy(trusted=frozenset(["posix.system", "os.system"]))
    )
    assert found.verdict is Verdict.BLOCKED


def test_a_pin_is_told_for_review_only() -> None:
    policy = Policy(pins=(Pin(DIGEST, "ada", "2026-05-01", "ours"),))
    own = inspect_bytes(pickle.dumps(OwnTransformer()))
    assert judge(own, policy, DIGEST).pinned == "ada on 2026-05-01: ours"
    timed = Policy(pins=(Pin(DIGEST, "ada", "2026-05-01T10:00:59+00:00", "ours"),))
    assert judge(own, timed, DIGEST).pinned == "ada on 2026-05-01 10:00 UTC: ours"
    assert judge(own, policy, DIGEST).verdict is Verdict.REVIEW
    assert judge(own, policy, "sha256:" + "00" * 32).pinned is None
    assert judge(own, policy).pinned is None
    assert judge(inspect_bytes(pickle.dumps(Payload(os.system, "x"))), policy, DIGEST).pinned is None


@pytest.mark.parametrize("code", [entry.code for entry in FINDING_CODES])
def test_every_finding_has_a_verdict(code: str) -> None:
    alone = Inspection("pickle", complete=True, findings=(finding(code, "what was found", 3),))
    found = judge(alone, Policy())
    assert found.verdict is verdict_of_finding(code)
    assert found.reasons[0].code == code
    assert found.reasons[0].detail == "what was found"


def test_only_notes_leave_a_file_safe() -> None:
    kinds = {entry.code: entry.kind for entry in FINDING_CODES}
    assert {kinds[code] for code in kinds if verdict_of_finding(code) is Verdict.SAFE} == {"note"}
    assert set(FINDING_VERDICTS) <= set(kinds)
    assert verdict_of_finding("a code nobody has heard of") is Verdict.BLOCKED


def test_a_persistent_id_that_no_container_explains_is_evasion() -> None:
    facts = Inspection("pickle", complete=True, findings=(finding("persistent-id", "a persistent id"),))
    assert judge(facts, Policy()).verdict is Verdict.BLOCKED
    torch = replace(facts, names=(GlobalRef("torch._utils", "_rebuild_tensor_v2", 1),))
    assert judge(torch, Policy()).verdict is Verdict.BLOCKED


def test_an_incomplete_walk_is_never_safe() -> None:
    found = judge(Inspection("pickle", complete=False), Policy())
    assert found.verdict is Verdict.REVIEW
    assert found.reasons[0].code == "incomplete"


def test_reasons_come_worst_first_and_once_each() -> None:
    uses = (GlobalRef("a", "B", 1), GlobalRef("a", "B", 9), GlobalRef("os", "system", 5), GlobalRef("c", "D", 7))
    found = judge(Inspection("pickle", names=uses, complete=False), Policy())
    assert [reason.offset for reason in found.reasons] == [5, 1, 7, None]
    assert found.verdict is Verdict.BLOCKED


def test_reasons_are_capped() -> None:
    uses = tuple(GlobalRef("mine", f"C{number}", number) for number in range(5000))
    found = judge(Inspection("pickle", names=uses, complete=True), Policy())
    assert len(found.reasons) == 101
    assert "4900 more" in found.reasons[-1].detail


def test_truncation_of_a_harmless_file_is_damage_and_of_a_payload_still_blocked() -> None:
    assert verdict(pickle.dumps(LogisticRegression().fit(X, Y))[:-40]).verdict in SEVERITY[:3]
    assert verdict(pickle.dumps([Payload(os.system, "x"), "tail" * 100], 4)[:-200]).verdict is Verdict.BLOCKED


def test_a_pickle_under_a_harmless_extension_is_blocked() -> None:
    data = pickle.dumps(LogisticRegression().fit(X, Y))
    for name in ("model.onnx", "model.h5", "model.npz", "model.safetensors", "model.json"):
        assert verdict(data, name).verdict is Verdict.BLOCKED, name
    for name in ("model.pkl", "model.joblib", "model.sav", "model", "model.bin"):
        assert verdict(data, name).verdict is Verdict.SAFE, name


def test_parameters_that_would_run_something_on_refit_are_told(tmp_path: Path) -> None:
    model = Pipeline([("model", LogisticRegression())], memory=str(tmp_path)).fit(X, Y)
    found = verdict(pickle.dumps(model))
    assert found.verdict is Verdict.SAFE
    assert [reason.code for reason in found.reasons] == ["refit"]
    assert "update is refused" in found.reasons[0].detail


def test_refit_hazards() -> None:
    assert list(refit_hazards({"memory": None, "pre_dispatch": "2*n_jobs", "x": "os"})) == []
    assert list(refit_hazards({"memory": "", "pre_dispatch": "all"})) == []
    assert [name for name, _what in refit_hazards({"clf__memory": "/tmp"})] == ["clf__memory"]
    assert [name for name, _what in refit_hazards({"pre_dispatch": "__import__('os')"})] == ["pre_dispatch"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.title)
def test_nothing_of_the_hostile_catalogue_is_safe_or_runs(sample: Sample, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    found = judged(sample.build(str(marker)), f"model{sample.suffix}")
    assert found.verdict is not Verdict.SAFE
    assert found.reasons[0].detail
    if "os.system" in sample.names:
        assert found.verdict is Verdict.BLOCKED
    assert not marker.exists()
