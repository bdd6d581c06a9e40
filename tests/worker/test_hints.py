from __future__ import annotations

from dataclasses import replace

import pytest

from console.library_versions import OtherVersion, Versions
from console.records import Difference, Failure
from console.worker.hints import hint_for, install_line


def failure(message: str, code: str = "raised", **more: object) -> Failure:
    return Failure(0, 0.0, "m", "read", code, message, **more)  # type: ignore[arg-type]


def columns(*problems: str) -> Failure:
    differences = tuple(Difference(name, what, None, None) for name, what in zip("abcde", problems, strict=False))
    return replace(
        failure("it does not fit", "columns", differences=differences, differing=len(problems)), phase="open_data"
    )


def test_a_row_that_was_typed_has_no_file_to_mend() -> None:
    assert hint_for(replace(columns("missing"), phase="call_rows")) is None


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (failure("No module named 'cv2'"), "-m pip install opencv-python"),
        (
            failure("No module named 'xgboost'"),
            "'xgboost' is not installed for the worker's interpreter: python3 -m pip install xgboost",
        ),
        (failure("No module named 'sklearn'"), "pip install scikit-learn"),
        (failure("No module named 'sklearn.ensemble.forest'"), "renamed this module in 0.22"),
        (failure("No module named 'sklearn.something_new'"), "another version saved the model"),
        (failure("Can't get attribute 'Mine' on <module '__main__' (built-in)>"), "defined in the script that saved"),
        (
            failure("node array has another dtype", warnings=(OtherVersion("scikit-learn", "1.2.2", "1.9.1").note,)),
            "written with scikit-learn 1.2.2, run with 1.9.1: run it with its own version ([environment] python",
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
        (columns("missing target", "surplus"), 'target = "…" under [data] in the recipe, or --target'),
        (columns("count"), "target or ignore under [data] in the recipe"),
        (columns("missing", "type"), "under the same names and of the same kind"),
    ],
)
def test_known_causes(made: Failure, says: str) -> None:
    assert says in (hint_for(made) or "")


@pytest.mark.parametrize("problem", ["type", "surplus"])
def test_a_refusal_that_says_itself_what_to_do_gets_no_second_advice(problem: str) -> None:
    assert hint_for(columns(problem)) is None


def test_versions_of_the_file_are_used() -> None:
    hint = hint_for(failure("No module named 'sklearn.svm.classes'"), Versions({"sklearn": "0.19.2"}))
    assert "pip install scikit-learn==0.19.2" in (hint or "")
    known = Versions({"xgboost": "1.7.6"}, {"sklearn": "1.3.2", "numpy": "1.26.4"}, "/opt/my envs/bin/python")
    assert hint_for(failure("No module named 'xgboost'"), known) == (
        "'xgboost' is not installed for the worker's interpreter: "
        "'/opt/my envs/bin/python' -m pip install xgboost==1.7.6 numpy==1.26.4 scikit-learn==1.3.2"
    )


def test_of_a_version_that_is_known_in_part_the_newest_is_installed() -> None:
    known = Versions({"numpy": "2"}, {}, "/opt/python")
    assert (hint_for(failure("No module named 'numpy'"), known) or "").endswith(
        "/opt/python -m pip install 'numpy==2.*'"
    )


def test_another_version_of_a_library_goes_into_an_environment_of_its_own() -> None:
    known = Versions({"sklearn": "1.2.2"}, {"sklearn": "1.9.1"}, "/opt/python")
    hint = hint_for(failure("No module named 'sklearn._gone'"), known) or ""
    assert "python3 -m venv ENV && ENV/bin/python -m pip install scikit-learn==1.2.2;" in hint
    assert "[environment] in the recipe" in hint
    assert "/opt/python -m pip" not in hint


def test_a_version_that_is_none_gets_into_no_command() -> None:
    known = Versions({"xgboost": "1; rm -rf ~"}, {"sklearn": "$(id)"}, "python3")
    assert (hint_for(failure("No module named 'xgboost'"), known) or "").endswith("python3 -m pip install xgboost")


def test_what_is_not_known_has_no_hint() -> None:
    assert hint_for(failure("something odd")) is None


def test_install_lines() -> None:
    assert install_line("PIL.Image") == "python3 -m pip install pillow"
