"""Versions of file and process: which differences are told, and that every failure names them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.library_versions import OtherVersion, Versions, differences, noted
from console.records import Failure
from console.worker.failures import WARNINGS_CAP, from_frame, warning_texts
from console.worker.hints import hint_for

NOTE = (
    "written with scikit-learn 1.3.2, run with 1.9.1: answers may be wrong; "
    "run it with its own version ([environment] python = …) or retrain it"
)
OLD = Versions({"scikit-learn": "1.3.2"}, {"sklearn": "1.9.1", "numpy": "2.4.6"})


@pytest.mark.parametrize(
    ("library", "was", "now", "told"),
    [
        ("sklearn", "1.3.2", "1.9.1", True),
        ("scikit-learn", "1.9.0", "1.9.1", True),
        ("scikit-learn", "1.9.1", "1.9.1", False),
        ("scikit-learn", "pre-0.18", "1.9.1", True),
        ("numpy", "1", "2.4.6", True),
        ("numpy", "2", "2.4.6", False),
        ("numpy", "1.26.4", "1.24.0", False),
        ("pandas", "2.2.1", "3.1.1", True),
        ("xgboost", "1.7.6", "3.2.0", True),
        ("xgboost", "3.2.0", "3.2.1", False),
        ("lightgbm", "3.3.5", "4.7.0", True),
        ("catboost", "1.1.1", "1.2.10", True),
        ("torch", "1.13.1", "2.9.0", True),
        ("h5py", "1.0", "3.0", False),
        ("xgboost", "", "3.2.0", False),
    ],
)
def test_differences_that_are_told(library: str, was: str, now: str, told: bool) -> None:
    assert bool(differences({library: was}, {library: now})) is told


def test_a_side_that_is_not_known_differs_from_nothing() -> None:
    assert differences({"scikit-learn": "1.3.2"}, {}) == differences({}, {"sklearn": "1.9.1"}) == ()


def test_a_note_is_one_sentence_that_can_be_read_back() -> None:
    assert [one.note for one in OLD.differences] == [NOTE]
    assert noted(["UserWarning: other", NOTE]) == (OtherVersion("scikit-learn", "1.3.2", "1.9.1"),)


@pytest.mark.parametrize(
    "message",
    [
        "'SimpleImputer' object has no attribute '_fill_dtype'",
        "node array from the pickle has an incompatible dtype",
        "'DecisionTreeClassifier' object has no attribute 'monotonic_cst'",
        "No module named 'sklearn.ensemble.forest'",
        "Can't get attribute '_RemainderColsList' on <module 'sklearn.compose._column_transformer' from 'x.py'>",
        "X has 3 features, but LogisticRegression is expecting 5 features as input.",
        "something that nobody has seen yet",
    ],
)
def test_whatever_fails_in_a_model_of_another_version_says_so(message: str) -> None:
    failure = Failure(0, 0.0, "m", "predict", "raised", message)
    assert "written with scikit-learn 1.3.2, run with 1.9.1: run it with" in (hint_for(failure, OLD) or "")
    died = replace(failure, code="died", exit="segmentation fault (SIGSEGV)")
    assert "1.3.2" in (hint_for(died, OLD) or "")
    assert "run with" not in (hint_for(replace(failure, code="columns"), OLD) or "")
    assert "run with" not in (hint_for(failure, Versions(OLD.written, {"sklearn": "1.3.2"})) or "")


def test_an_answer_that_cannot_be_is_put_down_to_the_version() -> None:
    failure = Failure(0, 0.0, "m", "predict_proba", "bad-answer", "it answered 45.4, which is no probability (0 to 1)")
    assert "mend the method" in (hint_for(failure) or "")
    assert (hint_for(failure, OLD) or "").startswith("written with scikit-learn 1.3.2, run with 1.9.1")


def test_a_child_tells_what_it_runs_with_its_failure() -> None:
    frame = {"code": "raised", "message": "boom", "versions": {"sklearn": "1.9.1"}}
    failure = from_frame(frame, "m", "read", "", None, Versions({"scikit-learn": "1.3.2"}))
    assert failure.versions == "written with scikit-learn 1.3.2, run with 1.9.1"
    assert failure.hint is not None
    assert "1.3.2" in failure.hint


def test_warnings_of_a_child_are_few_short_and_safe() -> None:
    found = warning_texts(["\x1b[31mred", "same", "same", "x" * 9000, 3, *(f"number {one}" for one in range(60))])
    assert found[:2] == ("\\x1b[31mred", "same")
    assert len(found) == WARNINGS_CAP + 1
    assert found[-1] == "[43 more warnings]"
    counted = warning_texts([*(f"number {one}" for one in range(50)), "[9951 more warnings]"])
    assert counted[-1] == f"[{50 - WARNINGS_CAP + 9951} more warnings]"
    assert max(map(len, found)) <= 500
    assert warning_texts(None) == warning_texts("text") == ()
