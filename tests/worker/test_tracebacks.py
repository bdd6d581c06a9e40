from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import pytest

from console.worker.child import tracebacks


def caught(source: str) -> dict[str, Any]:
    """The account of the exception this program raises."""
    names: dict[str, Any] = {}
    try:
        exec(compile(source, "program.py", "exec"), names)
    except BaseException as error:
        said = tracebacks.describe(error)
        json.dumps(said, allow_nan=False)
        return said
    raise AssertionError("it raised nothing")


def test_chain_ends_with_the_one_that_ended_it() -> None:
    said = caught("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('outer') from e")
    assert [one["type"] for one in said["chain"]] == ["ZeroDivisionError", "ValueError"]
    assert said["chain"][1]["relation"] == "cause"
    assert (said["code"], said["type"], said["message"]) == ("raised", "ValueError", "outer")


def test_context_unless_suppressed() -> None:
    said = caught("try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('outer')")
    assert said["chain"][1]["relation"] == "context"
    said = caught("try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('outer') from None")
    assert len(said["chain"]) == 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with 3.11")
def test_groups_and_notes() -> None:
    said = caught("e = ExceptionGroup('all', [ValueError('a'), KeyError('b')])\ne.add_note('look here')\nraise e")
    assert [one["type"] for one in said["chain"]] == ["ValueError", "KeyError", "ExceptionGroup"]
    assert said["chain"][2]["relation"] == "group"
    assert said["chain"][2]["notes"] == ["look here"]


def test_frames_have_no_locals_and_name_the_line() -> None:
    said = caught("def f():\n    password = 'hunter2'\n    raise ValueError\nf()")
    frames = [frame for frame in said["chain"][0]["frames"] if frame[0] == "program.py"]
    assert [(frame[1], frame[2]) for frame in frames] == [(4, "<module>"), (3, "f")]
    assert "hunter2" not in json.dumps(said)


def test_recursion_is_collapsed() -> None:
    frames = caught("def f(n):\n    return f(n + 1)\nf(0)")["chain"][0]["frames"]
    assert len(frames) < 12
    assert any("repeated" in frame[3] for frame in frames)
    frames = caught("def f(n):\n    return g(n)\ndef g(n):\n    return f(n)\nf(0)")["chain"][0]["frames"]
    assert len(frames) <= 201
    assert any("left out" in frame[3] for frame in frames)


def test_a_text_that_raises_or_never_ends() -> None:
    said = caught("class E(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise E")
    assert "str() raised RuntimeError" in said["message"]
    assert len(caught("raise ValueError('x' * 10**8)")["message"]) == 10_000


def test_exceptions_that_lead_to_each_other() -> None:
    said = caught("a, b = ValueError('a'), ValueError('b')\na.__cause__ = b\nb.__cause__ = a\nraise a")
    assert len(said["chain"]) == 2


def test_syntax_errors_show_their_line() -> None:
    frames = caught("compile('x = (', 'model.py', 'exec')")["chain"][0]["frames"]
    assert frames[-1][:2] == ("model.py", 1)


def test_out_of_memory_and_exit_have_their_words() -> None:
    assert caught("raise MemoryError")["code"] == "out-of-memory"
    assert caught("raise SystemExit(3)")["message"] == "the model's code asked to exit (3)"


def test_warnings_are_kept_once(recwarn: pytest.WarningsRecorder) -> None:
    with warnings.catch_warnings():
        tracebacks.collect_warnings()
        for _ in range(3):
            warnings.warn("old", UserWarning, stacklevel=1)
        for index in range(60):
            warnings.warn(f"number {index}", RuntimeWarning, stacklevel=1)
        found = tracebacks.drain_warnings()
    assert found[0] == "UserWarning: old"
    assert found[-1] == "[11 more warnings]"
    assert tracebacks.drain_warnings() == []


def test_version_warnings_become_one_line() -> None:
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        tracebacks.collect_warnings()
        for name in ("A", "B"):
            warning = InconsistentVersionWarning(
                estimator_name=name, current_sklearn_version="1.9.1", original_sklearn_version="1.5.2"
            )
            warnings.warn(warning, stacklevel=1)
        assert tracebacks.drain_warnings() == [
            "written with scikit-learn 1.5.2, run with 1.9.1: answers may be wrong; "
            "run it with its own version ([environment] python = …) or retrain it"
        ]


@pytest.mark.parametrize("action", ["default", "once", "module"])
def test_a_filter_that_shows_a_warning_once_does_not_keep_it_from_the_next_call(action: Any) -> None:
    class Own(Warning):
        pass

    def warn(kind: type[Warning]) -> list[str]:
        warnings.warn("again", kind, stacklevel=1)
        return tracebacks.drain_warnings()

    with warnings.catch_warnings():
        tracebacks.drain_warnings()
        warnings.simplefilter(action)
        tracebacks.collect_warnings()
        for kind in (UserWarning, FutureWarning, Own):
            assert warn(kind) == warn(kind) == [f"{kind.__name__}: again"]


def test_what_is_for_developers_or_ignored_by_a_library_is_not_told() -> None:
    with warnings.catch_warnings():
        tracebacks.drain_warnings()
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message="noise of its own")
        tracebacks.collect_warnings()
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.warn("for developers", kind, stacklevel=1)
        warnings.warn("noise of its own", UserWarning, stacklevel=1)
        warnings.warn("will change", FutureWarning, stacklevel=1)
        assert tracebacks.drain_warnings() == ["FutureWarning: will change"]


def test_a_model_is_heard_within_code_that_wants_no_warnings() -> None:
    with warnings.catch_warnings():
        tracebacks.drain_warnings()
        tracebacks.collect_warnings()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("of a metric", UserWarning, stacklevel=1)
            with tracebacks.heard():
                warnings.warn("of the model", UserWarning, stacklevel=1)
            warnings.warn("of a metric", UserWarning, stacklevel=1)
        assert tracebacks.drain_warnings() == ["UserWarning: of the model"]
