from __future__ import annotations

import pytest

from console.records import Failure
from console.worker.hints import hint_for, install_line


def failure(message: str, code: str = "raised", **more: object) -> Failure:
    return Failure(0, 0.0, "m", "read", code, message, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (failure("No module named 'cv2'"), "pip install opencv-python"),
        (
            failure("No module named 'xgboost'"),
            "'xgboost' is not installed for the worker's interpreter: pip install xgboost",
        ),
        (failure("No module named 'sklearn'"), "pip install scikit-learn"),
        (failure("No module named 'sklearn.ensemble.forest'"), "renamed this module in 0.22"),
        (failure("No module named 'sklearn.something_new'"), "another version saved the model"),
        (failure("Can't get attribute 'Mine' on <module '__main__' (built-in)>"), "defined in the script that saved"),
        (
            failure("node array has another dtype", warnings=("trained with scikit-learn 1.2.2, running 1.9.1",)),
            "trained with scikit-learn 1.2.2, running 1.9.1: pip install scikit-learn==1.2.2",
        ),
        (failure("X has 3 features, but LogisticRegression is expecting 5 features as input."), "the model takes 5"),
        (failure("not fitted yet", type="sklearn.exceptions.NotFittedError"), "before it was fitted"),
        (failure("Input X contains NaN."), "missing values"),
        (
            failure("not a float: '5%'", input="DataFrame (9, 2); texts among the numbers of 'a' (row 3)"),
            "the rows hold texts among the numbers of 'a' (row 3): write numbers there",
        ),
        (failure("out of memory", "out-of-memory"), "memory_mb"),
        (failure("no answer", "hang"), "deadline"),
        (failure("died", "died", exit="segmentation fault (SIGSEGV)"), "native code"),
        (failure("died", "died", exit="killed (SIGKILL)"), "memory killer"),
        (failure("died", "died", exit="ended without an answer (exit code 0)"), "os._exit"),
    ],
)
def test_known_causes(made: Failure, says: str) -> None:
    assert says in (hint_for(made) or "")


def test_versions_of_the_file_are_used() -> None:
    hint = hint_for(failure("No module named 'sklearn.svm.classes'"), {"sklearn": "0.19.2"})
    assert "pip install scikit-learn==0.19.2" in (hint or "")
    assert hint_for(failure("No module named 'xgboost'"), {"xgboost": "1.7.6"}) == (
        "'xgboost' is not installed for the worker's interpreter: pip install xgboost==1.7.6"
    )


def test_what_is_not_known_has_no_hint() -> None:
    assert hint_for(failure("something odd")) is None


def test_install_lines() -> None:
    assert install_line("PIL.Image") == "pip install pillow"
